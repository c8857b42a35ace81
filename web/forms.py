"""What the panel's forms share: fields in people's units, errors of services at their fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field, StringField, TextAreaField, ValidationError
from wtforms.form import BaseForm

from billing.errors import InvalidFields, TollwayError
from billing.model.dunning_text import read_step, step_text
from billing.model.money import Money
from billing.model.quantities import read_fair_use, show_fair_use
from billing.model.tariff import tariff_windows, tariff_windows_text
from billing.model.tariff_text import read_windows, window_words
from web import parts, quantities
from web.formats import amount_text


class MoneyField(StringField):
    """An amount like 30.00 in the operator's currency; `data` is micros (rule M1), or None."""

    def currency(self) -> str:
        return parts.operator().currency

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            try:
                self.data = Money.parse(text, self.currency()).amount_micros
            except ValueError as error:
                raise ValueError(str(error)) from None

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else amount_text(self.data, self.currency())


class AmountField(MoneyField):
    """The same in `currency`, which the view sets: money of nobody may be in any."""

    currency = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read when the view has said the currency, by `validate`."""
        self.data = None

    def pre_validate(self, form: BaseForm) -> None:
        """Reads the amount."""
        text = str(self.raw_data[0]).strip() if self.raw_data else ""
        if text:
            try:
                self.data = Money.parse(text, self.currency).amount_micros
            except ValueError as error:
                raise ValidationError(str(error)) from None

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else ""


class WholeField(StringField):
    """A whole number, or None when left empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            if not text.removeprefix("-").isdecimal() or len(text) > 19:
                raise ValueError(f"not a whole number: {text}")
            self.data = int(text)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else str(self.data)


class NumbersField(StringField):
    """Whole numbers, separated by blanks or commas; `data` is a tuple."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = ()
        words = (valuelist[0] if valuelist else "").replace(",", " ").replace("%", " ").split()
        for word in words:
            if not word.isdecimal() or len(word) > 9:
                raise ValueError(f"not a whole number: {word}")
        self.data = tuple(map(int, words))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return " ".join(map(str, self.data or ()))


class PercentField(StringField):
    """A rate like 19 or 7.5; `data` is parts per million."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip().removesuffix("%").strip() if valuelist else ""
        whole, _, decimals = text.partition(".")
        if not (whole or "0").isdecimal() or not (decimals or "0").isdecimal() or len(whole) > 6:
            raise ValueError(f"not a percentage: {text} (write it like 7.5)")
        if len(decimals) > 4:
            raise ValueError("more than four decimals")
        self.data = int(whole or "0") * 10_000 + int(decimals.ljust(4, "0"))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        whole, decimals = divmod(int(self.data or 0), 10_000)
        return f"{whole}.{decimals:04d}".rstrip("0").rstrip(".")


class OwnPercentField(PercentField):
    """The same where it may be left to something else: `data` is None when empty."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            super().process_formdata(valuelist)
        else:
            self.data = None

    def _value(self) -> str:
        return "" if self.data is None and not self.raw_data else super()._value()


class DatesField(StringField):
    """Days like 2026-12-25, separated by blanks or commas; `data` is a frozenset of dates."""

    def process_formdata(self, valuelist: list[str]) -> None:
        days: set[date] = set()
        for word in (valuelist[0] if valuelist else "").replace(",", " ").split():
            try:
                days.add(date.fromisoformat(word))
            except ValueError:
                raise ValueError(f"not a day: {word} (write it like 2026-12-25)") from None
        self.data = frozenset(days)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return " ".join(day.isoformat() for day in sorted(self.data or ()))


class QuantityField(StringField):
    """A quantity like `10 GB`; `data` is the count in the smallest unit, or None when empty."""

    def __init__(
        self,
        label: str,
        units: Mapping[str, int],
        names: tuple[tuple[str, int], ...],
        example: str,
        **more: Any,
    ) -> None:
        more.setdefault("render_kw", {"placeholder": example})
        super().__init__(label, **more)
        self._units, self._names, self._example = units, names, example

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip() if valuelist else ""
        self.data = None
        if text:
            self.data = quantities.parse(text, self._units, self._example)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "" if self.data is None else quantities.write(self.data, self._names)


class FairUseField(StringField):
    """`50GB:2M, 100GB:512k`; `data` as `PlanTerms.fair_use` keeps it."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        self.data = read_fair_use(valuelist[0] if valuelist else "")

    def _value(self) -> str:
        return str(self.raw_data[0]) if self.raw_data else show_fair_use(self.data)


class WindowsField(TextAreaField):
    """Tariff windows, one a line; `data` as `PlanTerms.tariff_windows` keeps them (rule Q3)."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = None
        lines = (valuelist[0] if valuelist else "").splitlines()
        self.data = tariff_windows_text(read_windows(lines, parts.operator().currency))

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "\n".join(map(window_words, tariff_windows(self.data)))


class ValidityField(StringField):
    """`30 days` or `1 month`; `data` is (minutes, months), one of them at most."""

    def process_formdata(self, valuelist: list[str]) -> None:
        text = valuelist[0].strip().casefold() if valuelist else ""
        self.data = (None, None)
        number = text.removesuffix("s").removesuffix("month").strip()
        if "month" in text and number.isdecimal():
            self.data = (None, int(number))
        elif text:
            seconds = quantities.parse(text, quantities.SECONDS, "30 days, 12 h or 1 month")
            if seconds % 60:
                raise ValueError("must be whole minutes")
            self.data = (seconds // 60, None)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        minutes, months = self.data or (None, None)
        if months is not None:
            return f"{months} month" if months == 1 else f"{months} months"
        names = (("days", 1440), ("h", 60), ("min", 1))
        return "" if minutes is None else quantities.write(minutes, names)


class LinesField(TextAreaField):
    """One a line; `data` is the list of those that are not blank."""

    def process_formdata(self, valuelist: list[str]) -> None:
        lines = (valuelist[0] if valuelist else "").splitlines()
        self.data = [line.strip() for line in lines if line.strip()]

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "\n".join(self.data or ())


class DunningStepsField(LinesField):
    """Steps of a dunning schedule, one a line, as the command line has them; `data` is a tuple."""

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata(valuelist)
        lines, self.data = self.data, ()
        self.data = tuple(read_step(line, parts.operator().currency) for line in lines)

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        currency = parts.operator().currency
        return "\n".join(step_text(step, currency) for step in self.data or ())


def needed(form: FlaskForm, field: Field) -> None:
    """Validator: the field must hold something. Of what makes no sense that is said alone."""
    if (field.data is None or field.data == "") and not field.process_errors:
        raise ValidationError("must be filled in")


def show_errors(form: FlaskForm, error: TollwayError, names: Mapping[str, str]) -> None:
    """Put a service's refusal at the fields it names (`names`: its field → the form's); what
    names no field of the form stands above it."""
    problems = (
        error.problems if isinstance(error, InvalidFields) else [(error.field or "", error.message)]
    )
    for name, reason in problems:
        field: Any = getattr(form, names.get(name, name), None) if name else None
        if isinstance(field, Field):
            field.errors = [*field.errors, reason]
        else:
            form.form_errors.append(reason)
