"""`tollway profile` and `tollway plan`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar

import click

from billing.cli.app import App, Command, Group, at_option
from billing.cli.units import (
    DAY,
    FAIR_USE,
    INSTANT,
    KBPS,
    OCTETS,
    OUTAGE,
    SECONDS,
    VALIDITY,
    show_instant,
    show_money,
    show_octets,
    show_seconds,
)
from billing.errors import InvalidInput
from billing.model.money import Money
from billing.model.plan import USE_ORDER_DEFAULT, FinalUnit, PlanTerms, Sharing, Starts
from billing.model.plan_text import rolling_words, tax_words
from billing.model.profile import (
    BillIn,
    BillingKind,
    BillingProfile,
    DueBasis,
    Payment,
    TaxPoint,
)
from billing.model.tariff import tariff_windows, tariff_windows_text
from billing.model.tariff_text import read_windows, window_words
from billing.model.views import PlanView
from billing.rules.plans import validity_words
from billing.services import catalog as services
from billing.services import grants as grant_services

_Function = TypeVar("_Function", bound=Callable[..., Any])
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@click.group(cls=Group)
def profile() -> None:
    """Billing profiles: daily or monthly, and what happens to who does not pay."""


@profile.command("add", cls=Command)
@click.argument("name")
@click.option("--kind", type=click.Choice(["daily", "monthly"]), required=True)
@click.option("--payment", type=click.Choice(["prepaid", "postpaid"]), default="prepaid")
@click.option("--automatic-bill", is_flag=True, help="Bill each cycle on day 1 of its month.")
@click.option("--monthly-statement", is_flag=True, help="A statement of account each month.")
@click.option("--automatic-suspend", is_flag=True, help="Suspend who is overdue (rule B9).")
@click.option("--cycle-ends-with-month", is_flag=True, help="Cycles are calendar months.")
@click.option("--cycle-day", type=int, default=1, show_default=True, help="1 to 31.")
@click.option("--due-basis", type=click.Choice(["issue", "cycle_start"]), default="issue")
@click.option("--due-days", type=int, default=10, show_default=True)
@click.option("--bill-in", type=click.Choice(["advance", "arrears"]), default="advance")
@click.option("--suspend-at", type=int, default=0, show_default=True, help="Local hour, 0 to 23.")
@click.option("--no-cut", multiple=True, type=click.Choice(_WEEKDAYS), help="No cut that weekday.")
@click.option("--no-cut-date", multiple=True, type=DAY, help="No cut that day.")
@click.option("--suspended-pool", help="Address pool of suspended subscribers.")
@click.option("--credit-limit", default="0", help="Postpaid: how far below zero, like 50.00.")
@click.option("--tax-percent", default="0", help="Like 21 or 5.5.")
@click.option("--tax-exclusive", is_flag=True, help="Prices are without the tax.")
@click.option(
    "--tax-point",
    type=click.Choice([point.value for point in TaxPoint]),
    default=TaxPoint.ISSUE.value,
    show_default=True,
    help="When the tax of bills is due.",
)
@at_option
@click.pass_obj
def add_profile(
    app: App,
    name: str,
    kind: str,
    payment: str,
    automatic_bill: bool,
    monthly_statement: bool,
    automatic_suspend: bool,
    cycle_ends_with_month: bool,
    cycle_day: int,
    due_basis: str,
    due_days: int,
    bill_in: str,
    suspend_at: int,
    no_cut: tuple[str, ...],
    no_cut_date: tuple[date, ...],
    suspended_pool: str | None,
    credit_limit: str,
    tax_percent: str,
    tax_exclusive: bool,
    tax_point: str,
    at: datetime,
) -> None:
    """Add a billing profile."""
    view = services.add_profile(
        app.context,
        BillingProfile(
            name=name,
            kind=BillingKind(kind),
            payment=Payment(payment),
            automatic_bill=automatic_bill,
            monthly_statement=monthly_statement,
            automatic_suspend=automatic_suspend,
            cycle_ends_with_month=cycle_ends_with_month,
            cycle_day=cycle_day,
            due_basis=DueBasis(due_basis),
            due_days=due_days,
            bill_in=BillIn(bill_in),
            suspend_at_hour=suspend_at,
            no_cut_weekdays=frozenset(_WEEKDAYS.index(day) for day in no_cut),
            no_cut_dates=frozenset(no_cut_date),
            suspended_pool=suspended_pool,
            credit_limit_micros=amount(app, credit_limit, "credit_limit"),
            tax_rate_ppm=rate_ppm(app, tax_percent, "tax_percent") or 0,
            tax_inclusive=not tax_exclusive,
            tax_point=TaxPoint(tax_point),
        ),
        at,
    )
    app.show(view, f"billing profile {view.profile_id} {view.profile.name} ({view.profile.kind})")


@profile.command("list", cls=Command)
@click.pass_obj
def list_profiles(app: App) -> None:
    """All billing profiles."""
    found = services.list_profiles(app.context)
    app.show_table(
        found,
        ("id", "name", "kind", "payment", "cycle day", "suspends", "pool", "customers"),
        (
            (
                view.profile_id,
                view.profile.name,
                view.profile.kind.value,
                view.profile.payment.value,
                view.profile.cycle_day if view.profile.kind is BillingKind.MONTHLY else None,
                "yes" if view.profile.automatic_suspend else "no",
                view.profile.suspended_pool,
                view.customers,
            )
            for view in found
        ),
    )


@click.group(cls=Group)
def plan() -> None:
    """Plans: what is sold, in versions."""


def terms_options(function: _Function) -> _Function:
    """The options that make up a plan's terms."""
    for option in reversed(
        (
            click.option("--price", required=True, help="Like 30.00."),
            click.option("--validity", type=VALIDITY, help="30d, 12h, 1440m or 1month."),
            click.option("--starts", type=click.Choice([s.value for s in Starts]),
                         default="purchase", show_default=True),
            click.option("--time", "seconds", type=SECONDS, help="Online time: 10h, 3600s."),
            click.option("--data", "octets", type=OCTETS, help="Data: 10GB or 10GiB."),
            click.option("--up", type=KBPS, help="Upload speed: 512k, 10M."),
            click.option("--down", type=KBPS, help="Download speed: 512k, 10M."),
            click.option("--fair-use", type=FAIR_USE,
                         help="Slower after so much data: 50GB:2M, or 50GB:2M,100GB:512k (Q2)."),
            click.option("--window", "windows", multiple=True,
                         help="Free or dearer hours, one option each: 'night mon-sun 00:00-06:00 "
                              "free', 'peak mon-fri 18:00-23:00 0.02/min 0.05/MB' (Q3)."),
            click.option("--pool", help="Address pool."),
            click.option("--pay-only-pool", help="Pool where an expired daily user may buy."),
            click.option(
                "--use-order",
                type=int,
                default=USE_ORDER_DEFAULT,
                show_default=True,
                help="0 to 99: of several running packages the lowest is used first (Q1).",
            ),
            click.option("--sharing", type=click.Choice([s.value for s in Sharing]),
                         default="shared", show_default=True,
                         help="Of one allowance among sessions: each may use all that is left, or "
                              "holds a slice that its NAS enforces (Q4)."),
            click.option("--slice-data", "slice_octets", type=OCTETS,
                         help="Strict: so much at a time; a twentieth of the data."),
            click.option("--slice-time", "slice_seconds", type=SECONDS,
                         help="Strict: the same of online time."),
            click.option("--grant-valid", "grant_valid_seconds", type=SECONDS,
                         help="Strict: a slice holds so long without a report; 6 intervals, 1h at "
                              "least."),
            click.option("--final-unit", "final_unit_action",
                         type=click.Choice([f.value for f in FinalUnit]),
                         help="Strict: when nothing more can be reserved; terminate."),
            click.option("--restricted-up", type=KBPS, help="With restrict-speed: upload speed."),
            click.option("--restricted-down", type=KBPS, help="Its download speed."),
            click.option("--interim", type=SECONDS, default="300s", show_default=True),
            click.option("--idle-timeout", type=SECONDS),
            click.option("--pause-days", type=int,
                         help="A pause stops validity for so many days a year (S3)."),
            click.option("--rolls-over", is_flag=True,
                         help="What is unused of a package goes into the one that follows it "
                              "(B4)."),
            click.option("--tax-percent", "tax_rate_ppm",
                         help="Its own tax rate, like 7.5; the billing profile's unless given."),
            click.option("--tax-point", type=click.Choice([p.value for p in TaxPoint]),
                         help="When the tax of its bills is due; as the profile says unless "
                              "given."),
            click.option("--payg-data-step", type=OCTETS, help="Pay-as-you-go: step, like 1MB."),
            click.option("--payg-data-price", help="Price of one step."),
            click.option("--payg-time-step", type=SECONDS, help="Pay-as-you-go: step, like 60s."),
            click.option("--payg-time-price", help="Price of one step."),
            click.option("--outage", type=OUTAGE, default="refuse", show_default=True,
                         help="While the database is out: refuse, or for how long logins are "
                              "allowed by what was last known: 30m, 2h."),
            click.option("--effective-from", type=INSTANT, help="When these terms begin."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@plan.command("add", cls=Command)
@click.argument("name")
@terms_options
@at_option
@click.pass_obj
def add_plan(
    app: App, /, name: str, at: datetime, effective_from: datetime | None, **options: Any
) -> None:
    """Add a plan."""
    terms = _terms(app, name, options)
    _show_plan(app, services.add_plan(app.context, terms, at, effective_from=effective_from))


@plan.command("version", cls=Command)
@click.argument("name")
@terms_options
@at_option
@click.pass_obj
def add_version(
    app: App, /, name: str, at: datetime, effective_from: datetime | None, **options: Any
) -> None:
    """New terms for a plan; what was bought keeps the old ones (rule M6)."""
    plan_id = services.find_plan(app.context, name, at).plan_id
    terms = _terms(app, name, options)
    view = services.add_plan_version(app.context, plan_id, terms, at, effective_from=effective_from)
    _show_plan(app, view)


@plan.command("list", cls=Command)
@at_option
@click.pass_obj
def list_plans(app: App, at: datetime) -> None:
    """All plans with the terms in force."""
    found = services.list_plans(app.context, at)
    app.show_table(
        found,
        ("id", "name", "version", "price", "validity", "time", "data", "down", "up", "windows"),
        (
            (
                view.plan_id,
                view.name,
                view.version,
                show_money(view.terms.price_micros, view.terms.currency),
                validity_words(view.terms),
                show_seconds(view.terms.seconds),
                show_octets(view.terms.octets),
                _speed(view.terms.speed_down_kbps),
                _speed(view.terms.speed_up_kbps),
                "; ".join(map(window_words, tariff_windows(view.terms.tariff_windows))) or None,
            )
            for view in found
        ),
    )


def amount(app: App, text: str, field: str) -> int:
    """Micros of the operator's currency."""
    try:
        return Money.parse(text, services.operator(app.context).currency).amount_micros
    except ValueError as error:
        raise InvalidInput(str(error), field=field) from None


def rate_ppm(app: App, percent: str | None, field: str) -> int | None:
    """A percentage like 7.5 or 10% in parts per million; None where none was given."""
    if percent is None:
        return None
    # A percent is 10,000 ppm: reading it as an amount of money keeps six decimals.
    return amount(app, percent.removesuffix("%"), field) // 100


def _terms(app: App, name: str, options: dict[str, Any]) -> PlanTerms:
    minutes, months = options["validity"] or (None, None)
    data_price, time_price = options["payg_data_price"], options["payg_time_price"]
    return PlanTerms(
        plan_version_id=0,
        plan_name=name,
        price_micros=amount(app, options["price"], "price"),
        currency=services.operator(app.context).currency,
        validity_minutes=minutes,
        validity_months=months,
        starts=Starts(options["starts"]),
        seconds=options["seconds"],
        octets=options["octets"],
        speed_up_kbps=options["up"],
        speed_down_kbps=options["down"],
        fair_use=options["fair_use"],
        tariff_windows=_windows(app, options["windows"]),
        pool=options["pool"],
        pay_only_pool=options["pay_only_pool"],
        use_order=options["use_order"],
        interim_seconds=options["interim"],
        idle_timeout_seconds=options["idle_timeout"],
        outage_minutes=options["outage"],
        sharing=Sharing(options["sharing"]),
        slice_seconds=options["slice_seconds"],
        slice_octets=options["slice_octets"],
        grant_valid_seconds=options["grant_valid_seconds"],
        final_unit_action=options["final_unit_action"] and FinalUnit(options["final_unit_action"]),
        restricted_up_kbps=options["restricted_up"],
        restricted_down_kbps=options["restricted_down"],
        pause_days=options["pause_days"],
        tax_rate_ppm=rate_ppm(app, options["tax_rate_ppm"], "tax_percent"),
        rolls_over=options["rolls_over"],
        tax_point=options["tax_point"] and TaxPoint(options["tax_point"]),
        payg_octet_step=options["payg_data_step"],
        payg_octet_step_micros=data_price and amount(app, data_price, "payg_data_price"),
        payg_second_step=options["payg_time_step"],
        payg_second_step_micros=time_price and amount(app, time_price, "payg_time_price"),
    )


def _windows(app: App, texts: tuple[str, ...]) -> str | None:
    try:
        return tariff_windows_text(read_windows(texts, services.operator(app.context).currency))
    except ValueError as error:
        raise InvalidInput(str(error), field="tariff_windows") from None


def _show_plan(app: App, view: PlanView) -> None:
    price = show_money(view.terms.price_micros, view.terms.currency)
    app.show(
        view,
        f"plan {view.plan_id} {view.name}, version {view.version} from "
        f"{show_instant(view.effective_from)}: {price}, {validity_words(view.terms)}",
        *(f"  {words}" for words in (*rolling_words(view.terms), *tax_words(view.terms))),
        *(f"  {window_words(one)}" for one in tariff_windows(view.terms.tariff_windows)),
        *_strict_lines(app, view.terms),
    )


def _strict_lines(app: App, terms: PlanTerms) -> list[str]:
    """What a plan with strict sharing reserves, and the NAS that cannot enforce it (rule Q4)."""
    if terms.sharing is not Sharing.STRICT or app.json:
        return []
    lines = [
        f"strict: slices of {show_octets(terms.slice_octets)} and "
        f"{show_seconds(terms.slice_seconds)}, each valid for "
        f"{show_seconds(terms.grant_valid_seconds)}, then {terms.final_unit_action}"
    ]
    _, unable = grant_services.unenforced(app.context)
    if unable and terms.octets is not None:
        lines.append(
            f"warning: these NAS cannot end a session at its octets: {', '.join(unable)}; there it "
            "ends by its reports, up to an interval late (docs/nas.md)"
        )
    return lines


def _speed(kbps: int | None) -> str | None:
    return None if kbps is None else f"{kbps} kbit/s"
