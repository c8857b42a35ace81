"""The customer's page: cards that tell, actions that do. A further one of either is a function
behind `@card` or `@action` in a module named here, and for a card a small template."""

from web.admin.customers import (
    agreements,
    cards,
    changes,
    collecting,
    create,
    details,
    extras,
    funding,
    identities,
    limits,
    mandates,
    money,
    notices,
    pages,
    papers,
    recharging,
    service,
    vouchers,
)

__all__ = [
    "agreements",
    "cards",
    "changes",
    "collecting",
    "create",
    "details",
    "extras",
    "funding",
    "identities",
    "limits",
    "mandates",
    "money",
    "notices",
    "pages",
    "papers",
    "recharging",
    "service",
    "vouchers",
]
