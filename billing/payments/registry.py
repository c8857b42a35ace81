"""Which gateways there are: our own, and those that other packages bring along.

A package names its adapters in the entry points of the group `tollway.gateways`: each is a callable
that takes a `GatewayConfig` and returns a `Gateway` (docs/payments.md).
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from billing.errors import InvalidInput
from billing.model.payments import GatewayConfig
from billing.payments import sandbox
from billing.payments.protocol import Gateway, OpenGateway

GROUP = "tollway.gateways"


def _paypal(config: GatewayConfig) -> Gateway:
    from billing.payments.paypal_gateway import open_gateway

    return open_gateway(config)


def _sepa(config: GatewayConfig) -> Gateway:
    from billing.payments.sepa_gateway import open_gateway

    return open_gateway(config)


def _stripe(config: GatewayConfig) -> Gateway:
    # Its SDK takes a while to load, and not every installation uses it.
    from billing.payments.stripe_gateway import open_gateway

    return open_gateway(config)


_OWN: dict[str, OpenGateway] = {
    "paypal": _paypal,
    "sandbox": sandbox.open_gateway,
    "sepa": _sepa,
    "stripe": _stripe,
}


def adapters() -> dict[str, str]:
    """Names of all that may be configured, and the package that brings each along."""
    brought = {point.name: _package(point) for point in entry_points(group=GROUP)}
    return dict(sorted((brought | dict.fromkeys(_OWN, "tollway")).items()))


def open_gateway(config: GatewayConfig) -> Gateway:
    """The adapter of a gateway; nobody's takes the place of our own. Raises InvalidInput: there is
    none, or two, it cannot be loaded, or its settings are wrong."""
    if config.adapter in _OWN:
        return _OWN[config.adapter](config)
    points = list(entry_points(group=GROUP, name=config.adapter))
    if not points:
        known = ", ".join(adapters())
        raise InvalidInput(
            f"no gateway is called {config.adapter!r}: one of {known}", field="adapter"
        )
    if len(points) > 1:
        packages = " and ".join(sorted(_package(point) for point in points))
        raise InvalidInput(f"{packages} both bring {config.adapter!r}: remove one", field="adapter")
    try:
        brought: OpenGateway = points[0].load()
    except (ImportError, AttributeError) as error:
        raise InvalidInput(
            f"{_package(points[0])} cannot be loaded: {error}", field="adapter"
        ) from error
    return brought(config)


def _package(point: EntryPoint) -> str:
    return "?" if point.dist is None else f"{point.dist.name} {point.dist.version}"
