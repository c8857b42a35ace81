"""The panel, the customers' own pages, and the captive portal. `create_app` is the composition
root: `gunicorn 'web:create_app()'`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask

from billing.clock import utc_now
from billing.payments.registry import open_gateway
from billing.services.context import Context
from billing.services.gateways import Gateways
from billing.services.secrets import SecretBox
from billing.settings import Settings
from billing.store.pool import Database
from web import (
    admin,
    api,
    customer,
    entry,
    formats,
    headers,
    hooks,
    language,
    login,
    portal,
    sessions,
)
from web.options import Options
from web.parts import Parts


def create_app(
    settings: Settings | None = None, *, clock: Callable[[], datetime] = utc_now
) -> Flask:
    """The WSGI application. Raises InvalidInput when it would serve plain HTTP to a network."""
    settings = settings or Settings()
    app = Flask(__name__)
    options = Options(
        public_url=settings.panel_url,
        bind_address=settings.http_address,
        cookie_key=settings.subkey("panel cookies").hex(),
        salt=settings.subkey("panel salt").hex(),
        second_factor_key=settings.subkey("panel second factor").hex(),
        hotspot_url=settings.hotspot_url,
    )
    nobody = Context(
        db=Database(settings.dsn("panel"), pool_size=settings.panel_connections),
        box=SecretBox(settings.secrets_key()),
        actor="panel",
        org_ids=(),
        portal_url=settings.portal_url,
        message_days=settings.message_days,
    )
    app.extensions["tollway"] = Parts(
        nobody, clock, Gateways(open_gateway), settings.dictionary_dir
    )
    app.session_interface = sessions.SessionsByPart()
    headers.init_app(app, options)
    portal.init_app(app, options)
    formats.init_app(app)
    language.init_app(app)
    login.init_app(app, options)
    app.register_blueprint(entry.blueprint)
    app.register_blueprint(hooks.blueprint)
    # Signed by the provider instead.
    app.extensions["csrf"].exempt(hooks.hook)
    app.register_blueprint(api.blueprint)
    # No cookie counts there.
    app.extensions["csrf"].exempt(api.redeem)
    app.register_blueprint(admin.blueprint)
    app.register_blueprint(customer.blueprint)
    app.register_blueprint(portal.blueprint)
    return app
