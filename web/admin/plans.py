"""Plans: what is sold, in versions (rule M6)."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.plan import USE_ORDER_DEFAULT, FinalUnit, PlanTerms, Sharing, Starts
from billing.model.profile import TaxPoint
from billing.model.views import PlanView
from billing.services import catalog
from web import parts, quantities
from web.admin import blueprint
from web.forms import (
    FairUseField,
    MoneyField,
    OwnPercentField,
    QuantityField,
    ValidityField,
    WholeField,
    WindowsField,
    needed,
    show_errors,
)
from web.guards import EDITORS, EVERYONE, staff_only

_TIME = (("days", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_DATA = (
    ("TB", 10**12), ("GB", 10**9), ("GiB", 2**30), ("MB", 10**6), ("MiB", 2**20),
    ("kB", 10**3), ("KiB", 2**10), ("B", 1),
)  # fmt: skip
_OUTAGE = (("days", 1440), ("h", 60), ("min", 1))
_SPEED = (("Mbit/s", 1000), ("kbit/s", 1))
_ERRORS_AT = {"validity_minutes": "validity", "validity_months": "validity"}


def _final_unit(value: object) -> str:
    """What a plan says, as the form's choice: to terminate is what happens without a choice."""
    text = str(value or "")
    return "" if text in ("None", FinalUnit.TERMINATE) else text


class PlanForm(FlaskForm):
    """Names are those of model.plan.PlanTerms, validity apart."""

    plan_name = StringField("Name", [needed])
    price_micros = MoneyField("Price", [needed], description="0.00 for a free plan.")
    validity = ValidityField(
        "Validity",
        description="1 month, 30 days, 12 h, 90 min; empty: no end. Monthly customers can have "
        "only 1 month or 30 days (B5).",
    )
    starts = RadioField(
        "Validity begins",
        choices=[
            SelectChoice(Starts.PURCHASE.value, "When it is bought"),
            SelectChoice(Starts.FIRST_LOGIN.value, "At the first login (daily only)"),
        ],
        default=Starts.PURCHASE.value,
        description="To the second (B2).",
    )
    octets = QuantityField(
        "Data", quantities.OCTETS, _DATA, "10 GB", description="10 GB, 500 MB; empty: not limited."
    )
    seconds = QuantityField(
        "Time online", quantities.SECONDS, _TIME, "5 h", description="5 h; empty: not limited."
    )
    use_order = WholeField(
        "Order of use",
        [needed],
        default=USE_ORDER_DEFAULT,
        description="0 to 99: of several running packages the lowest is used first, of equal ones "
        "that which expires first (Q1).",
    )
    speed_down_kbps = QuantityField("Speed down", quantities.KBPS, _SPEED, "20 Mbit/s")
    speed_up_kbps = QuantityField("Speed up", quantities.KBPS, _SPEED, "5 Mbit/s")
    fair_use = FairUseField(
        "Fair use",
        render_kw={"placeholder": "50GB:2M, 100GB:512k"},
        description="50GB:2M is 2 Mbit/s after 50 GB of a package or a billing cycle, for running "
        "sessions too (Q2).",
    )
    tariff_windows = WindowsField(
        "Free and dearer hours",
        render_kw={"rows": 3, "placeholder": "night mon-sun 00:00-06:00 free"},
        description="One a line, in local time: a name, the days, the hours (they may pass "
        "midnight), then free, or prices in the place of those above: peak mon-fri 18:00-23:00 "
        "0.02/min 0.05/MB (Q3).",
    )
    pool = StringField("Address pool", description="Name of the pool on your NAS, or of one here.")
    pay_only_pool = StringField(
        "Pay-only pool",
        description="Where set, a daily customer without a package connects into this pool to buy "
        "one, instead of being refused (S7).",
    )
    payg_octet_step_micros = MoneyField("Price per data step")
    payg_octet_step = QuantityField("Data step", quantities.OCTETS, _DATA, "1 MB")
    payg_second_step_micros = MoneyField("Price per time step")
    payg_second_step = QuantityField("Time step", quantities.SECONDS, _TIME, "1 min")
    interim_seconds = QuantityField(
        "Usage report every", quantities.SECONDS, _TIME, "5 min",
        validators=[needed], default=300,
        description="How often the NAS reports usage of a session.",
    )  # fmt: skip
    idle_timeout_seconds = QuantityField(
        "Log out when idle for", quantities.SECONDS, _TIME, "15 min", description="Empty: never."
    )

    outage_minutes = QuantityField(
        "Logins while the database is out", quantities.MINUTES, _OUTAGE, "2 h",
        description="Allowed for this long by what was last known of the subscriber, 7 days at "
        "most; empty: refused (A8).",
    )  # fmt: skip

    pause_days = WholeField(
        "Days of pause a year",
        description="So many are given back: packages end later, whole days of bills are credited "
        "(S3); empty: none.",
    )

    rolls_over = BooleanField(
        "What is unused rolls over",
        description="Data and time that are left of a package go into the one that follows it "
        "without a gap; off: they lapse (B4).",
    )
    tax_rate_ppm = OwnPercentField(
        "Tax rate",
        description="Percent, like 19 or 7.5; empty: the billing profile's (I1).",
    )
    tax_point = SelectField(
        "Tax of its bills is due",
        choices=[
            SelectChoice("", "As the billing profile says"),
            SelectChoice(TaxPoint.ISSUE.value, "When they are issued"),
            SelectChoice(TaxPoint.PAYMENT.value, "As they are paid"),
        ],
        coerce=lambda value: str(value or ""),
        default="",
        description="A bill has its plan's, with all that it carries (I6).",
    )

    sharing = RadioField(
        "Several sessions",
        choices=[
            SelectChoice(Sharing.SHARED.value, "Each may use all that is left"),
            SelectChoice(Sharing.STRICT.value, "Each holds a slice that its NAS enforces"),
        ],
        default=Sharing.SHARED.value,
        description="Strict: nothing is overspent; daily customers only (Q4).",
    )
    slice_octets = QuantityField(
        "Slice of data", quantities.OCTETS, _DATA, "500 MB",
        description="Strict; empty: a twentieth of the data.",
    )  # fmt: skip
    slice_seconds = QuantityField(
        "Slice of time", quantities.SECONDS, _TIME, "30 min",
        description="Strict; empty: a twentieth of the time.",
    )  # fmt: skip
    grant_valid_seconds = QuantityField(
        "A slice is held for", quantities.SECONDS, _TIME, "1 h",
        description="Strict: without a report of its session.",
    )  # fmt: skip
    final_unit_action = SelectField(
        "When nothing is left to hold",
        choices=[
            SelectChoice("", "End the session"),
            SelectChoice(FinalUnit.REDIRECT.value, "Redirect to the pay-only pool"),
            SelectChoice(FinalUnit.RESTRICT_SPEED.value, "Go on at the restricted speed"),
        ],
        coerce=_final_unit,
        default="",
    )
    restricted_down_kbps = QuantityField(
        "Restricted speed down", quantities.KBPS, _SPEED, "256 kbit/s"
    )
    restricted_up_kbps = QuantityField("Restricted speed up", quantities.KBPS, _SPEED, "128 kbit/s")

    def terms(self) -> PlanTerms:
        """What was filled in; the service checks the whole."""
        minutes, months = self.validity.data
        return PlanTerms(
            plan_version_id=0,
            plan_name=str(self.plan_name.data),
            price_micros=int(self.price_micros.data),
            currency=parts.operator().currency,
            validity_minutes=minutes,
            validity_months=months,
            starts=Starts(self.starts.data),
            use_order=int(self.use_order.data),
            seconds=self.seconds.data,
            octets=self.octets.data,
            speed_up_kbps=self.speed_up_kbps.data,
            speed_down_kbps=self.speed_down_kbps.data,
            fair_use=self.fair_use.data,
            tariff_windows=self.tariff_windows.data,
            pool=(self.pool.data or "").strip() or None,
            pay_only_pool=(self.pay_only_pool.data or "").strip() or None,
            interim_seconds=int(self.interim_seconds.data),
            idle_timeout_seconds=self.idle_timeout_seconds.data,
            payg_octet_step=self.payg_octet_step.data,
            payg_octet_step_micros=self.payg_octet_step_micros.data,
            payg_second_step=self.payg_second_step.data,
            payg_second_step_micros=self.payg_second_step_micros.data,
            outage_minutes=self.outage_minutes.data,
            pause_days=self.pause_days.data,
            rolls_over=bool(self.rolls_over.data),
            tax_rate_ppm=self.tax_rate_ppm.data,
            tax_point=TaxPoint(self.tax_point.data) if self.tax_point.data else None,
            **self._sharing(),
        )

    def _sharing(self) -> dict[str, Any]:
        """The terms of strict sharing; a shared plan has none of them."""
        if self.sharing.data != Sharing.STRICT:
            return {}
        final = self.final_unit_action.data
        return {
            "sharing": Sharing.STRICT,
            "slice_octets": self.slice_octets.data,
            "slice_seconds": self.slice_seconds.data,
            "grant_valid_seconds": self.grant_valid_seconds.data,
            "final_unit_action": FinalUnit(final) if final else None,
            "restricted_up_kbps": self.restricted_up_kbps.data,
            "restricted_down_kbps": self.restricted_down_kbps.data,
        }


@blueprint.get("/plans")
@staff_only(EVERYONE)
def plans() -> ResponseReturnValue:
    views = catalog.list_plans(parts.context(), parts.now())
    return render_template("admin/plans.html", views=views)


@blueprint.route("/plans/new", methods=["GET", "POST"])
@staff_only(EDITORS)
def plan_new() -> ResponseReturnValue:
    form = PlanForm()
    if form.validate_on_submit():
        try:
            view = catalog.add_plan(parts.context(), form.terms(), parts.now())
        except (InvalidInput, Conflict, Refused) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash(f"Plan {view.name} was added.", "success")
            return redirect(url_for("admin.plans"))
    return _form_page(form, None, [])


@blueprint.route("/plans/<int:plan_id>", methods=["GET", "POST"])
@staff_only(EDITORS)
def plan_version(plan_id: int) -> ResponseReturnValue:
    """The terms in force, and a form for the next version, which applies from now on."""
    context, now = parts.context(), parts.now()
    versions = catalog.plan_versions(context, plan_id, now)
    current = catalog.get_plan(context, plan_id, now)
    form = PlanForm(obj=current.terms, data=_validity(current.terms))
    form.plan_name.data = current.name
    if form.validate_on_submit():
        try:
            view = catalog.add_plan_version(context, plan_id, form.terms(), now)
        except (InvalidInput, Conflict, Refused) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash(f"Plan {view.name} has version {view.version} now.", "success")
            return redirect(url_for("admin.plans"))
    return _form_page(form, current, versions)


def _validity(terms: PlanTerms) -> dict[str, tuple[int | None, int | None]]:
    return {"validity": (terms.validity_minutes, terms.validity_months)}


def _form_page(
    form: PlanForm, view: PlanView | None, versions: list[PlanView]
) -> ResponseReturnValue:
    status = 422 if form.is_submitted() else 200
    page = render_template("admin/plan_form.html", form=form, view=view, versions=versions)
    return page, status
