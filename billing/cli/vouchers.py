"""`tollway voucher`."""

from __future__ import annotations

import secrets
from datetime import date, datetime
from pathlib import Path

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.catalog import amount as money
from billing.cli.units import DAY, INSTANT, show_instant, show_money
from billing.clock import utc_now
from billing.documents.voucher_cards import as_csv, sheets
from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.vouchers import (
    Alphabet,
    BatchView,
    Code,
    CodeFormat,
    NewBatch,
    VoucherView,
    serial_text,
)
from billing.services import (
    catalog,
    customers,
    voucher_designs,
    voucher_keys,
    voucher_redeem,
    voucher_sales,
)
from billing.services import vouchers as services
from billing.services.voucher_sales import Range

_PAID = [
    channel.value
    for channel in MoneyChannel
    if channel not in (MoneyChannel.VOUCHER, MoneyChannel.RESELLER)
]
_HEADINGS = ("batch", "name", "worth", "numbers", "in stock", "sold", "used", "over", "expires")


@click.group(cls=Group)
def voucher() -> None:
    """Vouchers: batches of codes for a plan or for money."""


@voucher.command("rotate-key", cls=Command)
@at_option
@click.pass_obj
def rotate_key(app: App, at: datetime) -> None:
    """Hash new codes with a new key from now on; codes that were printed stay good."""
    number = voucher_keys.rotate(app.context, at)
    app.show({"key": number}, f"new codes are hashed with key {number}; earlier ones stay good")


@voucher.group("batch", cls=Group)
def batch() -> None:
    """Vouchers that are made together."""


@batch.command("add", cls=Command)
@click.argument("name")
@click.option("--count", type=int, required=True)
@click.option("--profile", help="Its tax, and that of logins; else the one for hotspots (daily).")
@click.option("--plan", help="What one is good for: a plan, …")
@click.option("--amount", help="… or money, like 10.00.")
@click.option("--length", type=int, default=12, show_default=True, help="Behind the prefix.")
@click.option(
    "--alphabet", type=click.Choice([one.value for one in Alphabet]), default="mixed"
)  # fmt: skip
@click.option("--prefix", default="")
@click.option("--password-length", type=int, default=0, help="User and password; 0: a PIN.")
@click.option("--login", "as_login", is_flag=True, help="The code is a user name.")
@click.option("--devices", type=int, help="How many of them log in by one at once.")
@click.option("--expires", type=INSTANT, help="From then on none can be redeemed.")
@click.option("--org", "org_id", type=int, help="Reseller whose they are: its wallet pays them.")
@at_option
@click.pass_obj
def add(
    app: App,
    name: str,
    count: int,
    profile: str | None,
    plan: str | None,
    amount: str | None,
    length: int,
    alphabet: str,
    prefix: str,
    password_length: int,
    as_login: bool,
    devices: int | None,
    expires: datetime | None,
    org_id: int | None,
    at: datetime,
) -> None:  # fmt: skip
    """Make a batch. It is stock until it is activated."""
    wanted = NewBatch(
        name=name,
        count=count,
        code=CodeFormat(
            length=length,
            alphabet=Alphabet(alphabet),
            prefix=prefix.upper(),
            password_length=password_length,
        ),
        profile_id=None
        if profile is None
        else catalog.find_profile(app.context, profile).profile_id,
        plan_id=None if plan is None else catalog.find_plan(app.context, plan, at).plan_id,
        amount_micros=None if amount is None else money(app, amount, "amount"),
        as_login=as_login,
        session_limit=devices,
        expires_at=expires,
        org_id=org_id,
    )
    _show(app, services.make_batch(app.context, wanted, at))


@batch.command("list", cls=Command)
@click.option("--before", type=int, help="Batches made before this one.")
@click.option("--limit", type=int, default=50, show_default=True)
@click.pass_obj
def list_(app: App, before: int | None, limit: int) -> None:
    """Batches with their stock, the newest first."""
    found = services.list_batches(app.context, before=before, limit=limit)
    app.show_table(found, _HEADINGS, [_row(one) for one in found])


@batch.command("show", cls=Command)
@click.argument("number", type=int)
@click.pass_obj
def show_batch(app: App, number: int) -> None:
    """One batch with its stock."""
    _show(app, services.get_batch(app.context, number))


@batch.command("export", cls=Command)
@click.argument("number", type=int)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="File to write.")
@click.option("--pdf", "pdf_file", type=click.Path(path_type=Path), help="Cards with QR codes.")
@at_option
@click.pass_obj
def export(
    app: App, number: int, csv_file: Path | None, pdf_file: Path | None, at: datetime
) -> None:
    """Hand a batch's codes over, as CSV, as sheets of cards, or both: once. Afterwards nobody can
    read them any more."""
    _hand_over(app, number, csv_file, pdf_file, at)


@batch.command("print", cls=Command)
@click.argument("number", type=int)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="PDF to write.")
@at_option
@click.pass_obj
def print_(app: App, number: int, out: Path, at: datetime) -> None:
    """The same as sheets of cards alone."""
    _hand_over(app, number, None, out, at)


@batch.command("activate", cls=Command)
@click.argument("number", type=int)
@click.option("--from", "first", type=int, help="First serial number; without, all in stock.")
@click.option("--to", "last", type=int, help="Last serial number.")
@click.option("--pay", type=click.Choice(_PAID), help="Sold over the counter, for this.")
@click.option("--customer", help="Sold to a customer, from its wallet.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is sold once.")
@at_option
@click.pass_obj
def activate(
    app: App,
    number: int,
    first: int | None,
    last: int | None,
    pay: str | None,
    customer: str | None,
    key: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Sell vouchers at their face: from now on they can be redeemed. A reseller's are paid from its
    wallet, at cost; give neither --pay nor --customer."""
    buyer = None if customer is None else customers.find_customer(app.context, customer)
    done = voucher_sales.activate(
        app.context,
        Range(batch_id=number, first=first, last=last),
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        pay_by=None if pay is None else MoneyChannel(pay),
        buyer_id=None if buyer is None else buyer.customer_id,
    )
    total = show_money(done.total_micros, done.currency)
    lines = [f"sold {done.count} vouchers, {total}, receipt {done.receipt_number or '–'}"]
    if done.cost_micros is not None:
        lines.append(f"the reseller paid {show_money(done.cost_micros, done.currency)}")
    app.show(done, *lines)


@batch.command("revoke", cls=Command)
@click.argument("number", type=int)
@click.option("--from", "first", type=int, help="First serial number; without, the whole batch.")
@click.option("--to", "last", type=int, help="Last serial number.")
@click.option("--refund", is_flag=True, help="Give back what was paid; without, it lapses.")
@click.option("--pay", type=click.Choice(_PAID), help="How counter sales are paid back.")
@at_option
@click.pass_obj
def revoke(
    app: App,
    number: int,
    first: int | None,
    last: int | None,
    refund: bool,
    pay: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Nobody can redeem these any more."""
    which = Range(batch_id=number, first=first, last=last)
    by = None if pay is None else MoneyChannel(pay)
    count = voucher_sales.revoke(app.context, which, at, refund=refund, refund_by=by)
    app.show({"revoked": count}, f"revoked {count} vouchers")


@voucher.command("show", cls=Command)
@click.argument("serial", type=int)
@click.pass_obj
def show(app: App, serial: int) -> None:
    """A voucher by the number that is printed on it."""
    found = services.look_up(app.context, serial, utc_now())
    app.show(found, *_lines(found))


@voucher.command("redeem", cls=Command)
@click.argument("customer")
@click.option("--code", prompt=True, hide_input=True, help="Asked for where it is not given.")
@click.option("--password", default="", help="The one on the card, where it has one.")
@click.option("--for", "username", help="For this subscription, where there are several.")
@click.option("--key", help="Idempotency key: repeated with the same one, it is redeemed once.")
@at_option
@click.pass_obj
def redeem(
    app: App,
    customer: str,
    code: str,
    password: str,
    username: str | None,
    key: str | None,
    at: datetime,
) -> None:  # fmt: skip
    """Redeem a code for CUSTOMER (number or name): money for its wallet, or a package."""
    one = None if username is None else customers.subscription_id_of(app.context, username)
    done = voucher_redeem.redeem(
        app.context,
        code,
        customers.find_customer(app.context, customer).customer_id,
        source=app.context.actor,
        idempotency_key=key or secrets.token_hex(16),
        now=at,
        password=password,
        subscription_id=one,
        known=True,
    )
    worth = show_money(done.face_micros, done.currency)
    app.show(
        done,
        f"voucher {serial_text(done.serial)}: {done.plan_name or worth}, "
        f"receipt {done.receipt_number or '–'}; "
        f"in the wallet: {show_money(done.available_micros, done.currency)}",
    )


@voucher.command("replace", cls=Command)
@click.argument("serial", type=int)
@at_option
@click.pass_obj
def replace(app: App, serial: int, at: datetime) -> None:
    """Another code for a damaged card; it is shown now and never again."""
    made = services.replace(app.context, serial, at)
    password = f", password {made.password}" if made.password else ""
    app.show(made, f"voucher {serial_text(made.serial)}: {made.code}{password}")


@voucher.command("report", cls=Command)
@click.option("--from", "first_day", type=DAY, required=True, help="First local day.")
@click.option("--to", "last_day", type=DAY, required=True, help="Last local day.")
@click.pass_obj
def report(app: App, first_day: date, last_day: date) -> None:
    """Of each batch, what was sold, redeemed and lapsed, and what is owed at the end."""
    found = services.report(app.context, first_day, last_day)
    app.show_table(
        found,
        ("batch", "name", "sold", "redeemed", "lapsed", "outstanding", "owed"),
        [
            (
                one.batch_id,
                one.name,
                one.sold,
                one.redeemed,
                one.lapsed,
                one.outstanding,
                show_money(one.outstanding * one.face_micros, one.currency),
            )
            for one in found
        ],
    )


def _hand_over(
    app: App, number: int, csv_file: Path | None, pdf_file: Path | None, at: datetime
) -> None:
    if csv_file is None and pdf_file is None:
        raise InvalidInput("say where the codes go: --csv FILE, --pdf FILE", field="csv")
    design = voucher_designs.design_of(app.context, services.get_batch(app.context, number).org_id)

    def take(view: BatchView, codes: list[Code]) -> None:
        # The PDF first: it may be refused, and then nothing is written.
        pdf = None if pdf_file is None else sheets(view, codes, design)
        try:
            if pdf_file is not None and pdf is not None:
                _private(pdf_file).write_bytes(pdf)
            if csv_file is not None:
                _private(csv_file).write_bytes(as_csv(codes).encode())
        except OSError as error:
            raise InvalidInput(f"cannot be written: {error.strerror}", field="out") from None

    done = services.hand_over(app.context, number, take, at)
    files = ", ".join(str(one) for one in (csv_file, pdf_file) if one is not None)
    app.show(
        {"batch": done.batch_id, "count": done.count, "files": files},
        f"{done.count} codes are in {files}; they are stored nowhere else",
    )


def _private(path: Path) -> Path:
    """Codes are money: nobody else reads the file."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    return path


def _show(app: App, one: BatchView) -> None:
    login = ", log in by it" if one.as_login else ""
    kept = "; its codes wait to be handed over" if one.codes_kept else ""
    stock = ", ".join(f"{count} {state}" for state, count in sorted(one.stock.items()))
    app.show(
        one,
        f"batch {one.batch_id} {one.name}: {_worth(one)}{login}",
        f"numbers {serial_text(one.first_serial)} to {serial_text(one.last_serial)}: {stock}{kept}",
        f"expires {show_instant(one.expires_at)}",
    )


def _row(one: BatchView) -> tuple[object, ...]:
    stock = one.stock
    over = sum(stock.get(state, 0) for state in ("expired", "revoked", "replaced"))
    return (
        one.batch_id,
        one.name,
        _worth(one),
        f"{serial_text(one.first_serial)}–{serial_text(one.last_serial)}",
        stock.get("created", 0),
        stock.get("active", 0),
        stock.get("redeemed", 0),
        over,
        show_instant(one.expires_at),
    )


def _worth(one: BatchView) -> str:
    face = show_money(one.face_micros, one.currency)
    return face if one.plan_name is None else f"{one.plan_name}, {face}"


def _lines(one: VoucherView) -> list[str]:
    lines = [
        f"voucher {serial_text(one.serial)} of batch {one.batch_id} {one.batch_name}: "
        f"{one.plan_name or ''} {show_money(one.face_micros, one.currency)}, {one.state.value}",
        f"sold {show_instant(one.activated_at)}, expires {show_instant(one.expires_at)}, "
        f"ended {show_instant(one.ended_at)}",
    ]
    if one.customer_id is not None:
        lines.append(f"customer {one.customer_id}, logs in as {one.login_name or '–'}")
    if one.replaced_by is not None:
        lines.append(f"replaced by {serial_text(one.replaced_by)}")
    return lines
