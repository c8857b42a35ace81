"""Billing profiles: every switch of billing-rules B, explained where it is set."""

from __future__ import annotations

from dataclasses import replace

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from billing.errors import Conflict, InvalidInput, Refused
from billing.model.dunning import DunningSchedule
from billing.model.profile import (
    BillIn,
    BillingKind,
    BillingProfile,
    DueBasis,
    Payment,
    TaxPoint,
)
from billing.model.views import ProfileView
from billing.services import catalog, dunning
from billing.services.context import Context
from web import parts
from web.admin import blueprint
from web.forms import (
    DatesField,
    DunningStepsField,
    MoneyField,
    PercentField,
    WholeField,
    needed,
    show_errors,
)
from web.guards import EDITORS, EVERYONE, staff_only

_ERRORS_AT = {
    "steps": "dunning_steps",
    "tolerance": "dunning_tolerance_micros",
    "reconnection_fee": "reconnection_fee_micros",
}
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ProfileForm(FlaskForm):
    """Names are those of model.profile.BillingProfile; help texts cite the rule."""

    name = StringField("Name", [needed])
    kind = RadioField(
        "Kind",
        choices=[
            SelectChoice(
                BillingKind.DAILY.value, "Daily: packages of any length, bought and used up"
            ),
            SelectChoice(BillingKind.MONTHLY.value, "Monthly: calendar cycles, a bill for each"),
        ],
        default=BillingKind.DAILY.value,
        description="Daily customers cannot connect once a package ends (B3). Monthly ones who "
        "do not pay connect into the suspended pool (B10).",
    )
    payment = RadioField(
        "Payment",
        choices=[
            SelectChoice(Payment.PREPAID.value, "Prepaid: from the wallet, before use"),
            SelectChoice(Payment.POSTPAID.value, "Postpaid: by invoice, up to a credit limit"),
        ],
        default=Payment.PREPAID.value,
    )
    automatic_bill = BooleanField(
        "Issue bills automatically",
        description="On day 1 of each month the bill for the cycle is issued by itself (B7).",
    )
    automatic_suspend = BooleanField(
        "Suspend automatically when overdue",
        description="When the paid cycle has ended and the payment date has passed unpaid (B9). "
        "Daily packages end on expiry whatever this says (B3).",
    )
    cycle_ends_with_month = BooleanField(
        "Cycles end with the month",
        description="The first bill covers the rest of the month; then 1st to 1st. The cycle day "
        "must be 1 (B12).",
    )
    cycle_day = WholeField(
        "Cycle day",
        [needed],
        default=1,
        description="1 to 31. Cycles run from this day to the same day of the next month; 29 to "
        "31 mean the last day of a shorter month (B6).",
    )
    bill_in = SelectField(
        "Bill in",
        choices=[
            SelectChoice(BillIn.ADVANCE.value, "Advance: for the cycle that begins"),
            SelectChoice(BillIn.ARREARS.value, "Arrears: for the cycle that ended"),
        ],
        default=BillIn.ADVANCE.value,
    )
    due_days = WholeField(
        "Days to pay",
        [needed],
        default=10,
        description="The payment date is so many days after the day chosen beside. The whole of "
        "that day is still payable (B9).",
    )
    due_basis = SelectField(
        "Counted from",
        choices=[
            SelectChoice(DueBasis.ISSUE.value, "The day the bill is issued"),
            SelectChoice(DueBasis.CYCLE_START.value, "The day the cycle begins"),
        ],
        default=DueBasis.ISSUE.value,
    )
    suspend_at_hour = SelectField(
        "Cut at",
        choices=[SelectChoice(hour, f"{hour:02d}:00") for hour in range(24)],
        coerce=int,
        default=0,
        description="Local hour of the day after the payment date (B9).",
    )
    suspended_pool = StringField(
        "Suspended pool",
        description="Name of the address pool, on your NAS or here, for customers who must pay "
        "first; they reach only your payment pages (B10).",
    )
    no_cut_weekdays = SelectMultipleField(
        "Never cut on",
        choices=[SelectChoice(number, word) for number, word in enumerate(_WEEKDAYS)],
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        description="The cut waits for the next other day.",
    )
    no_cut_dates = DatesField(
        "Holidays without cuts", description="Days like 2026-12-25, with blanks between."
    )
    credit_limit_micros = MoneyField(
        "Credit limit",
        description="How far below zero a postpaid wallet may go (P8, P12).",
    )
    tax_rate_ppm = PercentField("Tax rate", description="Percent, like 19 or 7.5.")
    monthly_statement = BooleanField(
        "Send a statement of account each month",
        description="On day 1, of the last month; a customer's own wish comes first.",
    )
    tax_inclusive = BooleanField(
        "Prices include the tax", default=True, description="Off: tax is added to prices."
    )

    dunning_steps = DunningStepsField(
        "Reminders and late fees",
        description="One a line, by the days after the payment date (negative: before): -3 remind; "
        "14 remind fee 5.00 2% most 20.00, where the percentage is of what is open (I5).",
        render_kw={"rows": 3, "spellcheck": "false", "placeholder": "7 remind fee 5.00"},
    )
    dunning_tolerance_micros = MoneyField(
        "Leave bills alone below", description="Of which less is open."
    )
    reconnection_fee_micros = MoneyField(
        "Reconnection fee", description="When a payment ends a suspension (S5); empty: none."
    )

    tax_point = SelectField(
        "Tax of bills is due",
        choices=[
            SelectChoice(TaxPoint.ISSUE.value, "When they are issued"),
            SelectChoice(TaxPoint.PAYMENT.value, "As they are paid"),
        ],
        default=TaxPoint.ISSUE.value,
        description="What is bought with wallet money is taxed when it is bought (I6).",
    )

    promise_count = WholeField(
        "Promises that customers may make",
        [needed],
        default=0,
        description="On their own pages, so many in the period beside; 0: only staff takes them "
        "(B19).",
    )
    promise_period_days = WholeField("In so many days", [needed], default=30)
    promise_days = WholeField(
        "So many days ahead", [needed], default=7, description="The last day that may be promised."
    )
    promise_amount_micros = MoneyField(
        "Up to", description="What is open of bills and lent to a used-up wallet, together."
    )

    def schedule(self) -> DunningSchedule:
        """What was filled in of dunning."""
        return DunningSchedule(
            steps=tuple(sorted(self.dunning_steps.data or (), key=lambda step: step.days)),
            tolerance_micros=self.dunning_tolerance_micros.data or 0,
            reconnection_fee_micros=self.reconnection_fee_micros.data or 0,
        )

    def profile(self) -> BillingProfile:
        """What was filled in; the service checks the whole (rules B1–B12)."""
        return BillingProfile(
            name=str(self.name.data),
            kind=BillingKind(self.kind.data),
            payment=Payment(self.payment.data),
            automatic_bill=bool(self.automatic_bill.data),
            monthly_statement=bool(self.monthly_statement.data),
            automatic_suspend=bool(self.automatic_suspend.data),
            cycle_ends_with_month=bool(self.cycle_ends_with_month.data),
            cycle_day=int(self.cycle_day.data),
            due_basis=DueBasis(self.due_basis.data),
            due_days=int(self.due_days.data),
            bill_in=BillIn(self.bill_in.data),
            suspend_at_hour=int(self.suspend_at_hour.data),
            no_cut_weekdays=frozenset(self.no_cut_weekdays.data or ()),
            no_cut_dates=self.no_cut_dates.data or frozenset(),
            suspended_pool=(self.suspended_pool.data or "").strip() or None,
            credit_limit_micros=self.credit_limit_micros.data or 0,
            tax_rate_ppm=int(self.tax_rate_ppm.data or 0),
            tax_inclusive=bool(self.tax_inclusive.data),
            tax_point=TaxPoint(self.tax_point.data),
            promise_count=int(self.promise_count.data),
            promise_period_days=int(self.promise_period_days.data),
            promise_days=int(self.promise_days.data),
            promise_amount_micros=self.promise_amount_micros.data or 0,
        )


@blueprint.get("/profiles")
@staff_only(EVERYONE)
def profiles() -> ResponseReturnValue:
    views = catalog.list_profiles(parts.context())
    return render_template("admin/profiles.html", views=views)


@blueprint.route("/profiles/new", methods=["GET", "POST"])
@staff_only(EDITORS)
def profile_new() -> ResponseReturnValue:
    form = ProfileForm()
    if form.validate_on_submit():
        try:
            with parts.context().together() as context:
                view = catalog.add_profile(context, form.profile(), parts.now())
                _set_schedule(context, view.profile_id, form.schedule())
        except (InvalidInput, Conflict, Refused) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash(f"Profile {view.profile.name} was added.", "success")
            return redirect(url_for("admin.profiles"))
    return _form_page(form, None)


@blueprint.route("/profiles/<int:profile_id>", methods=["GET", "POST"])
@staff_only(EDITORS)
def profile_edit(profile_id: int) -> ResponseReturnValue:
    context = parts.context()
    view = catalog.get_profile(context, profile_id)
    schedule = dunning.schedule_of(context, profile_id)
    form = ProfileForm(
        obj=view.profile,
        data={
            "dunning_steps": schedule.steps,
            "dunning_tolerance_micros": schedule.tolerance_micros,
            "reconnection_fee_micros": schedule.reconnection_fee_micros,
        },
    )
    if form.validate_on_submit():
        try:
            _update(context, profile_id, form)
        except (InvalidInput, Conflict, Refused) as error:
            show_errors(form, error, _ERRORS_AT)
        else:
            flash(f"Profile {form.name.data} was saved.", "success")
            return redirect(url_for("admin.profiles"))
    return _form_page(form, view)


def _update(context: Context, profile_id: int, form: ProfileForm) -> None:
    """Switches and dunning, both or neither. A profile that becomes daily has no dunning, one that
    becomes monthly may have some: the schedule is set while the profile is monthly."""
    profile = form.profile()
    becomes_daily = profile.kind is BillingKind.DAILY
    with context.together() as joined:
        if becomes_daily:
            _set_schedule(joined, profile_id, form.schedule())
        catalog.update_profile(joined, profile_id, profile, parts.now())
        if not becomes_daily:
            _set_schedule(joined, profile_id, form.schedule())


def _set_schedule(context: Context, profile_id: int, wanted: DunningSchedule) -> None:
    before = dunning.schedule_of(context, profile_id)
    steps = tuple(replace(step, since=None) for step in before.steps)
    if wanted != replace(before, steps=steps):
        dunning.set_schedule(context, profile_id, wanted, parts.now())


def _form_page(form: ProfileForm, view: ProfileView | None) -> ResponseReturnValue:
    status = 422 if form.is_submitted() else 200
    return render_template("admin/profile_form.html", form=form, view=view), status
