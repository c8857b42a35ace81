"""Who may import whom (docs: the table of the architecture): any other import fails, by name."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PRODUCT = ("billing", "radius_plugin", "web")

# Beside its own modules and the standard library.
LAYERS: dict[str, set[str]] = {
    "billing.model": set(),
    "billing.errors": set(),
    "billing.clock": set(),
    "billing.settings": {"billing.errors", "pydantic", "pydantic_settings", "psycopg.conninfo"},
    "billing.rules": {"billing.model"},
    "billing.store": {"billing.model", "billing.errors", "psycopg", "sqlalchemy"},
    # What customers read in their own language: words, days, amounts.
    "billing.languages": {"babel"},
    # How messages look and travel: no database.
    "billing.messages": {"billing.languages", "billing.model", "babel", "jinja2", "mrml"},
    # How providers of payments are spoken to: no database.
    "billing.payments": {"billing.model", "billing.errors"},
    "billing.services": {
        "billing.model",
        "billing.payments.protocol",
        "billing.languages",
        "billing.messages",
        "billing.rules",
        "billing.store",
        "billing.errors",
        "billing.clock",
    },
    "billing.documents": {
        "billing.languages",
        "billing.model",
        "billing.errors",
        "jinja2",
        "markupsafe",
    },
    "billing.jobs": {"billing.services", "billing.model", "billing.errors", "billing.clock"},
    "billing.cli": {
        "billing.services",
        "billing.documents",
        "billing.model",
        "billing.errors",
        "billing.clock",
        "click",
        "rich",
    },
    "radius_plugin": {"billing.services", "billing.model", "billing.errors", "billing.clock"},
    "web": {
        "billing.services",
        "billing.documents",
        "billing.languages",
        "billing.model",
        "billing.errors",
        "billing.clock",
        "flask",
        "flask_login",
        "flask_principal",
        "flask_security",
        "flask_talisman",
        "flask_wtf",
        "itsdangerous",
        "markupsafe",
        "passlib",
        "werkzeug",
        "wtforms",
        "babel",
    },
}

# One module each: composition roots, and the one place of a library.
MODULES: dict[str, set[str]] = {
    "billing.rules.cycles": {"dateutil"},
    "billing.store.migrate": {"alembic"},
    "billing.services.context": {"sqlalchemy.orm"},
    "billing.services.secrets": {"cryptography"},
    "billing.services.certificates": {"cryptography"},
    "billing.services.passwords": {"argon2"},
    "billing.services.subscriber_passwords": {"passlib"},
    # What is kept on the disk of a radiusd for an outage, by the names of its fields.
    "billing.services.acct_journal": {"pydantic"},
    "billing.services.clients": {"pydantic"},
    "billing.services.snapshot": {"pydantic"},
    "billing.services.metrics": {"prometheus_client"},
    # A design is checked by the sandbox that it will run in; nothing is set.
    "billing.services.designs": {"billing.documents.checks"},
    "billing.services.voucher_designs": {"billing.documents.checks"},
    "billing.documents.checks": {"tinycss2"},
    "billing.documents.press": {"weasyprint", "PIL"},
    "billing.documents.voucher_cards": {"qrcode"},
    # What an e-invoice needs is told before it is written, here and where the switch is set.
    "billing.documents.cii": {"billing.rules.e_invoices"},
    "billing.payments.paypal_client": {"requests"},
    "billing.payments.sepa_gateway": {"sepaxml", "stdnum"},
    "billing.payments.stripe_gateway": {"stripe"},
    "billing.payments.stripe_objects": {"stripe"},
    "billing.jobs.queue": {"procrastinate", "psycopg", "psycopg_pool"},
    "billing.cli.app": {"billing.settings", "billing.store.pool"},
    "billing.cli.gateways": {"billing.payments.registry"},
    "billing.cli.hotspots": {"billing.payments.registry"},
    "billing.cli.installation": {"billing.settings"},
    "billing.cli.jobs": {"billing.jobs.registry"},
    "billing.cli.payments": {"billing.payments.registry"},
    "billing.cli.sepa": {"billing.payments.registry"},
    "billing.cli.relay": {"billing.messages.smtp", "billing.messages.webhook", "billing.settings"},
    "billing.cli.worker": {
        "billing.jobs.figures",
        "billing.jobs.mailer",
        "billing.jobs.payer",
        "billing.jobs.queue",
        "billing.jobs.repeats",
        "billing.jobs.worker",
        "billing.payments.registry",
        "billing.store.pool",
        "radius_plugin.coa",
    },
    # Words for people; nothing is decided by them.
    "billing.cli.catalog": {"billing.rules.plans.validity_words"},
    "radius_plugin.coa": {"pyrad"},
    "radius_plugin.runtime": {"billing.settings", "billing.store.hotpath", "radiusd"},
    "radius_plugin.decision_process": {"billing.settings", "billing.store.hotpath"},
    "radius_plugin.lanes": {"billing.settings", "billing.store.hotpath"},
    "radius_plugin.authorize": {"radiusd"},
    "radius_plugin.accounting": {"radiusd"},
    "web": {"billing.settings", "billing.store.pool", "billing.payments.registry"},
    "web.language": {"billing.languages", "jinja2"},
    "web.hooks": {"billing.payments.protocol"},
}

_EXECUTES = {"execute", "executemany", "exec_driver_sql", "copy"}
_STATEMENTS = ("SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH ", "CREATE ", "ALTER ", "LOCK ")


@dataclass(frozen=True)
class Module:
    """One source file of the product."""

    name: str
    path: Path
    tree: ast.Module

    def where(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(CHECKOUT)}:{getattr(node, 'lineno', 1)}"


def modules() -> list[Module]:
    found = []
    for package in PRODUCT:
        for path in sorted((CHECKOUT / package).rglob("*.py")):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, ast.parse(path.read_text(encoding="utf-8"))))
    return found


def layer_of(name: str) -> str:
    """The layer of a module; the packages themselves count as what they compose."""
    top, *rest = name.split(".")
    return f"{top}.{rest[0]}" if top == "billing" and rest else top


def imports(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Every absolute name that is imported, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            for alias in node.names:
                yield node, f"{origin}.{alias.name}"


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def forbidden(importer: str, imported: str) -> bool:
    """Whether the module `importer` may not import `imported`."""
    layer = layer_of(importer)
    if imported.startswith("."):
        return True  # the name would not show its layer
    if imported.split(".")[0] in sys.stdlib_module_names or layer == "billing":
        return False
    if layer_of(imported) == layer and not within(imported, {"pyrad", "radiusd"}):
        return False
    return not within(imported, LAYERS[layer] | MODULES.get(importer, set()))


def test_every_import_is_allowed() -> None:
    wrong = [
        f"{module.where(node)}: {module.name} may not import {imported}"
        for module in modules()
        for node, imported in imports(module.tree)
        if forbidden(module.name, imported)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("billing.model.money", "billing.rules.cycles.day_start"),
        ("billing.model.money", "dateutil.parser"),
        ("billing.rules.access", "dateutil.relativedelta"),
        ("billing.rules.access", "billing.store.pool.Database"),
        ("billing.rules.access", "billing.clock.utc_now"),
        ("billing.services.sales", "billing.settings.Settings"),
        ("billing.services.sales", "flask.request"),
        ("billing.store.nas", "billing.services.context.Context"),
        ("billing.services.documents", "billing.documents.pdf.to_pdf"),
        ("billing.documents.html", "billing.services.documents.by_number"),
        ("billing.services.documents", "weasyprint.HTML"),
        ("billing.services.payment_calls", "billing.payments.sandbox.SandboxGateway"),
        ("billing.payments.sandbox", "billing.store.payments.attempt"),
        ("billing.messages.render", "billing.store.messages.queue"),
        ("billing.services.mailing", "billing.settings.Settings"),
        ("radius_plugin.authorize", "billing.rules.access.decide"),
        ("radius_plugin.authorize", "billing.store.hotpath.load_access"),
        ("radius_plugin.reply", "radiusd"),
        ("radius_plugin.wire", "pyrad.packet"),
        ("radius_plugin.coa", "web.create_app"),
        ("billing.jobs.sweeper", "radius_plugin.coa.CoaSender"),
        ("web.admin.plans", "billing.store.pool.Database"),
        ("web.admin.plans", "rig.stack.Stack"),
        ("web.login", ".accounts.Accounts"),
    ],
)
def test_what_the_table_forbids_is_found(importer: str, imported: str) -> None:
    assert forbidden(importer, imported)


def test_no_exception_is_left_over() -> None:
    """An exception that nobody needs any more would let the import come back unseen."""
    used = {
        (module.name, package)
        for module in modules()
        for _, imported in imports(module.tree)
        for package in MODULES.get(module.name, set())
        if within(imported, {package})
    }
    # The hooks may speak to the server themselves; today they do it through the runtime.
    hooks = {("radius_plugin.authorize", "radiusd"), ("radius_plugin.accounting", "radiusd")}
    named = {(name, package) for name, packages in MODULES.items() for package in packages}
    assert named - used - hooks == set()


def speaks_sql(node: ast.AST) -> bool:
    """Whether this node runs a statement, or is the text of one."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in _EXECUTES
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.lstrip().startswith(_STATEMENTS)
    return False


def test_only_the_store_speaks_sql() -> None:
    wrong = [
        f"{module.where(node)}: SQL outside billing.store"
        for module in modules()
        if not within(module.name, {"billing.store"})
        for node in ast.walk(module.tree)
        if speaks_sql(node)
    ]
    assert not wrong, "\n".join(wrong)


ORACLES = (
    *("simulation/oracle.py", "simulation/hours.py"),
    *(f"life/{name}.py" for name in ("model", "packages", "calendar_days", "records", "chasing")),
)
"""What judges the product by its own reckoning."""


@pytest.mark.parametrize("name", ORACLES)
def test_an_oracle_shares_no_code_with_what_it_judges(name: str) -> None:
    tree = ast.parse((Path(__file__).resolve().parents[1] / name).read_text(encoding="utf-8"))
    ours = {"billing", "radius_plugin", "web", "rig"}
    assert [one for _, one in imports(tree) if within(one, ours)] == []
