"""From where, when and how often a subscription may log in (rules A4, A6, A7)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from wtforms import BooleanField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.widgets import CheckboxInput, ListWidget

from billing.model.access_settings import AccessSettings
from billing.model.views import CustomerView
from billing.services import nas, subscriber_settings
from billing.services.context import Context
from web import parts
from web.admin.customers.frame import action, request_argument
from web.admin.customers.service import OneSubscriptionForm
from web.forms import LinesField, WholeField
from web.guards import CASHIERS

ERRORS_AT = {"mac": "macs", "nas": "nas_ids"}
"""A service's field → that of these forms."""


class AccessFields:
    """What a form has of it; empty: not limited."""

    macs = LinesField(
        "Devices",
        description="Their MAC addresses, one a line, like 02:00:5e:10:00:01. Empty: any device.",
        render_kw={"rows": 2, "autocapitalize": "none", "spellcheck": "false"},
    )
    login_hours = StringField(
        "Login hours",
        description="Like mon-fri 08:00-20:00, sat 09:00-14:00. Empty: any time.",
        render_kw={"autocapitalize": "none"},
    )
    session_limit = WholeField(
        "Sessions at once",
        description="Empty: not limited.",
        render_kw={"inputmode": "numeric"},
    )
    framed_ip = StringField(
        "Fixed address", description="Like 198.51.100.7. Empty: from the pool of its plan."
    )
    nas_ids = SelectMultipleField(
        "Only at",
        coerce=int,
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
        description="None: at every NAS.",
    )

    def choose_nas(self, context: Context, present: Collection[int] = ()) -> None:
        """Every NAS, and those that are set although they are not seen any more."""
        known = {one.nas_id: one.name for one in nas.list_nas(context, parts.now())}
        known |= {number: f"NAS {number}" for number in present if number not in known}
        self.nas_ids.choices = [SelectChoice(number, name) for number, name in known.items()]

    def access(self) -> dict[str, Any]:
        """What was filled in, by the names of the services."""
        return {
            "macs": tuple(self.macs.data),
            "nas_ids": tuple(self.nas_ids.data or ()),
            "login_hours": (self.login_hours.data or "").strip() or None,
            "session_limit": self.session_limit.data,
            "framed_ip": (self.framed_ip.data or "").strip() or None,
        }


class AccessForm(AccessFields, OneSubscriptionForm):
    """As it is, to be changed."""

    end_sessions = BooleanField(
        "Now, not from the next login on",
        description="Disconnects sessions that do not fit: of another device, NAS or address, "
        "those that began last of too many, and all of them when the hours are changed.",
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What holds now, and the device that a link named."""
        super().prepare(context, customer, fresh=fresh)
        present = AccessSettings()
        if self.number is not None:
            present = subscriber_settings.settings(context, self.number)
        self.choose_nas(context, present.nas_ids)
        if fresh:
            wanted = request_argument("mac")
            learned = [wanted] if wanted and wanted not in present.macs else []
            self.macs.data = [*present.macs, *learned]
            self.nas_ids.data = list(present.nas_ids)
            self.login_hours.data = present.login_hours
            self.session_limit.data = present.session_limit
            self.framed_ip.data = present.framed_ip


@action(
    "access",
    "Change access",
    AccessForm,
    CASHIERS,
    hint="Who is online goes on as the session began, unless that is to end.",
    errors_at=ERRORS_AT,
)
def access(context: Context, customer: CustomerView, form: AccessForm) -> Sequence[str]:
    """Changed, for logins from now on."""
    changed = subscriber_settings.change(
        context,
        form.subscription.data,
        parts.now(),
        end_sessions=form.end_sessions.data,
        **form.access(),
    )
    said = ["Access was changed." if changed.names else "Nothing was changed."]
    if changed.ended:
        said.append(f"{_sessions(changed.ended)} disconnected.")
    if changed.running and changed.names:
        said.append(f"{_sessions(changed.running)} going on as it was.")
    return said


def _sessions(number: int) -> str:
    return "1 session is" if number == 1 else f"{number} sessions are"
