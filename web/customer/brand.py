"""Whose pages these are: the reseller's name, colour, logo and contact where the customer is one's;
before the login, where a reseller's link led there (rule R1)."""

from __future__ import annotations

from flask import Response, g, request, session

from billing.model.brands import Brand
from billing.services import brands
from web import parts, subscribers
from web.customer import blueprint
from web.guards import public


@blueprint.app_template_global("brand")
def brand() -> Brand:
    """Of the organisation of who is logged in, else of the link, else of the customer who was
    logged in here last; the operator's name otherwise. Read once a request."""
    if "brand" not in g:
        g.brand = _of_customer() or _of_link() or Brand(name=parts.operator().name)
    found: Brand = g.brand
    return found


@blueprint.get("/brand.css")
@public
def brand_css() -> Response:
    """Public: the colour of the login page, too; pages take no style but from a file."""
    accent = brand().accent
    rule = f":root {{ --my-accent: {accent}; }}" if accent else ""
    return Response(rule, mimetype="text/css")


def _of_customer() -> Brand | None:
    found = subscribers.login()
    return None if found is None else brands.of(subscribers.context(), found.org_id)


def _of_link() -> Brand | None:
    """Of who comes by no such link, the browser may remember one."""
    for key in (request.args.get("brand"), session.get(subscribers.BRAND)):
        if key and (found := brands.by_key(parts.login_context(), str(key))) is not None:
            return found
    return None
