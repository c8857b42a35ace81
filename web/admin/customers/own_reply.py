"""IPv6 and reply attributes of one subscription (rules A6, B10)."""

from __future__ import annotations

from collections.abc import Sequence

from wtforms import BooleanField, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from billing.errors import NotFound
from billing.model.own_reply import Operator
from billing.model.views import CustomerView
from billing.services import own_reply
from billing.services.context import Context
from billing.services.dictionary import Dictionary
from web import parts
from web.admin.customers.frame import action, request_argument
from web.admin.customers.service import OneSubscriptionForm
from web.forms import needed
from web.guards import CASHIERS

_NEXT_LOGIN = "It is sent from the next login on."
_PLAIN = {"autocapitalize": "none", "spellcheck": "false"}


class Ipv6Form(OneSubscriptionForm):
    """Empty: none is fixed."""

    framed_ipv6_prefix = StringField(
        "Framed-IPv6-Prefix", description="Of the link, like 2001:db8:1::/64.", render_kw=_PLAIN
    )
    delegated_ipv6_prefix = StringField(
        "Delegated-IPv6-Prefix",
        description="For the network behind, like 2001:db8:100::/56.",
        render_kw=_PLAIN,
    )
    framed_ipv6_address = StringField(
        "Framed-IPv6-Address", description="Like 2001:db8:1::7.", render_kw=_PLAIN
    )

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """What is fixed now."""
        super().prepare(context, customer, fresh=fresh)
        if fresh and self.number is not None:
            present = own_reply.own_reply(context, self.number)
            self.framed_ipv6_prefix.data = present.framed_ipv6_prefix
            self.delegated_ipv6_prefix.data = present.delegated_ipv6_prefix
            self.framed_ipv6_address.data = present.framed_ipv6_address


@action("ipv6", "Fixed IPv6", Ipv6Form, CASHIERS, hint=_NEXT_LOGIN)
def ipv6(context: Context, customer: CustomerView, form: Ipv6Form) -> Sequence[str]:
    """Fixed, or not any more."""
    own_reply.set_ipv6(
        context,
        form.subscription.data,
        framed_prefix=form.framed_ipv6_prefix.data or None,
        delegated_prefix=form.delegated_ipv6_prefix.data or None,
        framed_address=form.framed_ipv6_address.data or None,
        now=parts.now(),
    )
    return ["The fixed IPv6 was changed.", _NEXT_LOGIN]


class AttributeForm(OneSubscriptionForm):
    """One attribute as FreeRADIUS's dictionaries name it."""

    name = StringField(
        "Attribute",
        [needed],
        description="As FreeRADIUS's dictionaries write it, like Mikrotik-Address-List; a tag "
        "behind a colon.",
        render_kw=_PLAIN,
    )
    operator = SelectField(
        "How it is sent",
        choices=[
            SelectChoice(Operator.REPLACE.value, ":= instead of what Tollway sends"),
            SelectChoice(Operator.IF_ABSENT.value, "= where Tollway sends none"),
            SelectChoice(Operator.ADD.value, "+= beside others of its name"),
        ],
    )
    value = StringField("Value", [needed], render_kw=_PLAIN)
    when_suspended = BooleanField("In the suspended pool, too")


@action("attribute", "Add a reply attribute", AttributeForm, CASHIERS, hint=_NEXT_LOGIN)
def attribute(context: Context, customer: CustomerView, form: AttributeForm) -> Sequence[str]:
    """Checked against the dictionaries, and set in the place of one of its name."""
    wanted = own_reply.set_attribute(
        context,
        Dictionary(parts.parts().dictionary_dir),
        form.subscription.data,
        name=form.name.data,
        value=form.value.data,
        operator=form.operator.data,
        when_suspended=form.when_suspended.data,
        now=parts.now(),
    )
    return [f"{wanted.line} is sent from the next login on."]


class RemovedForm(OneSubscriptionForm):
    """One of those that it has."""

    attribute = SelectField("Attribute")

    def prepare(self, context: Context, customer: CustomerView, *, fresh: bool) -> None:
        """Those that it has; the one that a link named."""
        super().prepare(context, customer, fresh=fresh)
        present = (
            () if self.number is None else own_reply.own_reply(context, self.number).attributes
        )
        self.attribute.choices = [SelectChoice(one.line, one.line) for one in present]
        if fresh:
            self.attribute.data = request_argument("attribute")


@action("remove-attribute", "Remove a reply attribute", RemovedForm, CASHIERS)
def remove_attribute(context: Context, customer: CustomerView, form: RemovedForm) -> Sequence[str]:
    """Not sent any more."""
    number = form.subscription.data
    for one in own_reply.own_reply(context, number).attributes:
        if one.line == form.attribute.data:
            own_reply.remove_attribute(
                context, number, name=one.name, value=one.value, now=parts.now()
            )
            return [f"{one.line} is not sent any more, from the next login on."]
    raise NotFound("it has no such attribute any more", field="attribute")
