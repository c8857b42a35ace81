"""Steps of a dunning schedule as people write and read them: `14 remind fee 5.00 2% most 20.00`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from billing.model.dunning import DunningStep
from billing.model.money import Money

_FORM = "write it like '-3 remind', '7 remind fee 5.00' or '14 remind fee 5.00 2% most 20.00'"
_PPM_OF_PERCENT = 10_000


def read_step(text: str, currency: str) -> DunningStep:
    """A step: the days after the payment date (negative: before it), then `remind`, `fee` with an
    amount, a percentage or both, and `most` with the fee's bound. Raises ValueError."""
    words = text.split()
    if not words:
        raise ValueError(f"an empty step; {_FORM}")
    try:
        days = int(words[0])
    except ValueError:
        raise ValueError(f"{text!r} begins with no number of days; {_FORM}") from None
    reminds = False
    fee_micros = fee_ppm = 0
    most_micros: int | None = None
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word == "remind" and not reminds:
            reminds = True
        elif word == "fee" and rest and not (fee_micros or fee_ppm):
            while rest and rest[0] not in ("remind", "most"):
                part = rest.pop(0)
                if part.endswith("%") and not fee_ppm:
                    fee_ppm = _ppm(part)
                elif not part.endswith("%") and not fee_micros:
                    fee_micros = Money.parse(part, currency).amount_micros
                else:
                    raise ValueError(f"{text!r}: {part!r} is too much; {_FORM}")
            if not (fee_micros or fee_ppm):
                raise ValueError(f"{text!r}: the fee's amount is missing; {_FORM}")
        elif word == "most" and rest and most_micros is None:
            most_micros = Money.parse(rest.pop(0), currency).amount_micros
        else:
            raise ValueError(f"{text!r}: {word!r} is not understood; {_FORM}")
    return DunningStep(
        days=days,
        reminds=reminds,
        fee_micros=fee_micros,
        fee_ppm=fee_ppm,
        fee_most_micros=most_micros,
    )


def step_text(step: DunningStep, currency: str) -> str:
    """A step as `read_step` reads it."""
    words = [str(step.days)]
    if step.reminds:
        words.append("remind")
    if step.charges:
        words.append("fee")
    if step.fee_micros:
        words.append(_amount(step.fee_micros, currency))
    if step.fee_ppm:
        words.append(f"{_percent(step.fee_ppm)}%")
    if step.fee_most_micros is not None:
        words += ["most", _amount(step.fee_most_micros, currency)]
    return " ".join(words)


def step_words(step: DunningStep, currency: str) -> str:
    """`reminds, fee 5.00 USD and 2% of what is open, 20.00 USD at most`."""
    parts = ["reminds"] if step.reminds else []
    fees = []
    if step.fee_micros:
        fees.append(str(Money(step.fee_micros, currency)))
    if step.fee_ppm:
        fees.append(f"{_percent(step.fee_ppm)}% of what is open")
    if fees:
        bound = ""
        if step.fee_most_micros is not None:
            bound = f", {Money(step.fee_most_micros, currency)} at most"
        parts.append(f"fee {' and '.join(fees)}{bound}")
    return ", ".join(parts)


def _amount(micros: int, currency: str) -> str:
    return str(Money(micros, currency)).partition(" ")[0]


def _percent(ppm: int) -> Decimal:
    return Decimal(ppm) / _PPM_OF_PERCENT


def _ppm(text: str) -> int:
    try:
        ppm = Decimal(text.removesuffix("%")) * _PPM_OF_PERCENT
    except InvalidOperation:
        raise ValueError(f"not a percentage: {text!r}") from None
    if not ppm.is_finite() or ppm != ppm.to_integral_value():
        raise ValueError(f"not a percentage of up to four decimals: {text!r}")
    return int(ppm)
