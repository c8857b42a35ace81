"""The customer's page: cards that tell, actions that do. A further one of either is a function
behind `@card` or `@action` in a module named here, and for a card a small template."""

from web.admin.customers import (
    agreements,
    cards,
    create,
    details,
    extras,
    money,
    notices,
    pages,
    service,
)

__all__ = [
    "agreements",
    "cards",
    "create",
    "details",
    "extras",
    "money",
    "notices",
    "pages",
    "service",
]
