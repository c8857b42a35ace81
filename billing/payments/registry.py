"""Which gateways there are: our own, and those that other packages bring along.

A package names its adapters in the entry points of the group `tollway.gateways`: each is a callable
that takes a `GatewayConfig` and returns a `Gateway` (docs/payments.md).
"""

from __future__ import annotations

from importlib.metadata import entry_points

from billing.errors import InvalidInput
from billing.model.payments import GatewayConfig
from billing.payments import sandbox
from billing.payments.protocol import Gateway, OpenGateway

GROUP = "tollway.gateways"


def _stripe(config: GatewayConfig) -> Gateway:
    # Its SDK takes a while to load, and not every installation uses it.
    from billing.payments.stripe_gateway import open_gateway

    return open_gateway(config)


_OWN: dict[str, OpenGateway] = {"sandbox": sandbox.open_gateway, "stripe": _stripe}


def adapters() -> list[str]:
    """Names of all that may be configured."""
    return sorted({*_OWN, *(point.name for point in entry_points(group=GROUP))})


def open_gateway(config: GatewayConfig) -> Gateway:
    """The adapter of a gateway. Raises InvalidInput: there is none, or its settings are wrong."""
    if config.adapter in _OWN:
        return _OWN[config.adapter](config)
    for point in entry_points(group=GROUP, name=config.adapter):
        brought: OpenGateway = point.load()
        return brought(config)
    known = ", ".join(adapters())
    raise InvalidInput(f"no gateway is called {config.adapter!r}: one of {known}", field="adapter")
