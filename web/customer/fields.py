"""What the forms of a customer's money share (rules M1, M5)."""

from __future__ import annotations

import re
import secrets

from flask_wtf import FlaskForm
from wtforms import BooleanField, HiddenField, RadioField

from billing.errors import InvalidInput
from billing.model.commerce import MoneyChannel
from billing.model.method_setups import MethodView
from billing.services.online import Ways
from web import subscribers
from web.forms import MoneyField
from web.language import decimal_mark, words

_KEY = re.compile(r"[0-9a-f]{32}")
AT_PAGE, ON_FILE = "page-", "method-"


class OwnMoneyField(MoneyField):
    """In the currency of the wallet of the subscription that is logged in."""

    def currency(self) -> str:
        return subscribers.view().wallet.currency

    def process_formdata(self, valuelist: list[str]) -> None:
        """Also with the reader's decimal comma, where it can be nothing else."""
        text = valuelist[0].strip() if valuelist else ""
        if decimal_mark() == "," and text.count(",") == 1 and "." not in text:
            text = text.replace(",", ".")
        super().process_formdata([text])


class OnceForm(FlaskForm):
    """`key`: what is sent happens once, however often it is sent."""

    key = HiddenField()

    def renew_key(self) -> None:
        """Of the form that is shown next."""
        self.key.data = secrets.token_hex(16)

    def command_key(self) -> str:
        """Raises InvalidInput: it is not one that a page here has made."""
        if not _KEY.fullmatch(self.key.data or ""):
            raise InvalidInput("This form is not complete: open this page again. Nothing was done.")
        return f"my-{self.key.data}"


def _where(channel: MoneyChannel) -> str:
    """How it is paid there; a phone is named, so that its owner sees whether it is his."""
    if channel is MoneyChannel.MOBILE_MONEY:
        phone = subscribers.view().customer.phone
        asked = words("By a prompt on my phone")
        return f"{asked} {phone}" if phone else asked
    return words("At PayPal" if channel is MoneyChannel.PAYPAL else "At a payment page")


class PayForm(OnceForm):
    """`way`: a gateway's page, or a method on file."""

    way = RadioField("How", validate_choice=False)
    keep = BooleanField("Keep it on file for the next time")

    def offer(self, ways: Ways) -> None:
        """Put the ways to pay up for choice; the first is chosen."""
        choices = [(f"{ON_FILE}{one.method_id}", method_words(one)) for one in ways.methods]
        choices += [
            (f"{AT_PAGE}{one.gateway_id}", f"{_where(one.channel)} ({one.name})")
            for one in ways.gateways
            if one.checkout
        ]
        self.way.choices = choices
        if choices and not self.is_submitted():
            self.way.data = choices[0][0]

    def chosen(self, ways: Ways) -> tuple[int, int | None]:
        """Gateway and method on file. Raises InvalidInput: nothing, or what is not offered."""
        for method in ways.methods:
            if self.way.data == f"{ON_FILE}{method.method_id}":
                return method.gateway_id, method.method_id
        for gateway in ways.gateways:
            if gateway.checkout and self.way.data == f"{AT_PAGE}{gateway.gateway_id}":
                return gateway.gateway_id, None
        raise InvalidInput("choose one of these", field="way")

    def keeps(self, ways: Ways, gateway_id: int, method_id: int | None) -> bool:
        """Whether a card that is typed at the page goes on file."""
        can = any(one.saves_methods for one in ways.gateways if one.gateway_id == gateway_id)
        return bool(self.keep.data) and can and method_id is None


def is_page(url: str | None) -> bool:
    """Whether a provider's address is one of a page."""
    return url is not None and url.startswith(("https://", "http://"))


def method_words(method: MethodView) -> str:
    """Visa …4242, until 12/2030."""
    if method.expires_on is None:
        return method.label
    return words("{card}, until {month}", card=method.label, month=f"{method.expires_on:%m/%Y}")
