"""Whose pages these are: the reseller's name, colour, logo and contact where the customer is one's
(rule R1)."""

from __future__ import annotations

from flask import Response, g

from billing.model.brands import Brand
from billing.services import brands
from web import subscribers
from web.customer import blueprint
from web.guards import subscribers_only


@blueprint.app_template_global("brand")
def brand() -> Brand:
    """Of the organisation of who is logged in, read once a request."""
    if "brand" not in g:
        g.brand = brands.of(subscribers.context(), subscribers.me().org_id)
    found: Brand = g.brand
    return found


@blueprint.get("/brand.css")
@subscribers_only
def brand_css() -> Response:
    """Its colour; pages take no style but from a file."""
    accent = brand().accent
    rule = f":root {{ --my-accent: {accent}; }}" if accent else ""
    return Response(rule, mimetype="text/css")
