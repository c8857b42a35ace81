"""Changes that no test can notice, as they change nothing."""

from __future__ import annotations

HARMLESS: dict[tuple[str, str, str], str] = {
    (
        "billing/rules/recognition.py",
        "days = {day for day in days if day < over}",
        "days = {day for day in days if day <= over}",
    ): "the day on which it is over is added anyway",
    (
        "billing/rules/recognition.py",
        "if amount_micros >= whole:",
        "if amount_micros > whole:",
    ): "the shares of the whole are all there is",
    (
        "billing/rules/recognition.py",
        "if abs(earned.earned_micros) >= abs(posted.earned_micros):",
        "if abs(earned.earned_micros) > abs(posted.earned_micros):",
    ): "where they are the same, so is what is given",
    (
        "billing/rules/states.py",
        "ahead = {moment for moment in _moments(account) if now < moment < END_OF_TIME}",
        "ahead = {moment for moment in _moments(account) if now <= moment < END_OF_TIME}",
    ): "at `now` the state is the current one, so that moment is passed over",
    (
        "billing/rules/credits.py",
        "amount, upto.net - since.net, upto.tax - since.tax, upto.rounding - since.rounding",
        "amount, upto.net - since.net, upto.tax - since.tax, upto.rounding + since.rounding",
    ): "what was credited before is less than the bill, and holds none of its rounding",
    (
        "billing/rules/credits.py",
        "return Charge(total, total - tax, tax, Money(0, total.currency))",
        "return Charge(None, total - tax, tax, Money(0, total.currency))",
    ): "nobody reads the total of a share",
    (
        "billing/rules/cycles.py",
        "month = day.replace(day=1)",
        "month = day.replace(day=2)",
    ): "any day of the month does, as the cycle's first day in it is set after that",
    (
        "billing/rules/cycles.py",
        "day = 1 if profile.cycle_ends_with_month else profile.cycle_day",
        "day = 1 if (profile.cycle_ends_with_month) and False else profile.cycle_day",
    ): "where cycles end with the month, a cycle day other than 1 is refused (B12)",
    (
        "billing/rules/cycles.py",
        "return month + relativedelta(day=day)",
        "return month - relativedelta(day=day)",
    ): "an absolute day is neither added nor taken away",
    (
        "billing/rules/extras.py",
        "if line.extra is not None and line.cycle is not None",
        "if line.extra is not None or line.cycle is not None",
    ): "a line has both or neither",
    (
        "billing/rules/taxes.py",
        "sign = -1 if amount.amount_micros < 0 else 1",
        "sign = -1 if amount.amount_micros <= 0 else 1",
    ): "nothing has no sign",
    (
        "billing/rules/taxes.py",
        "sign = -1 if amount.amount_micros < 0 else 1",
        "sign = -1 if amount.amount_micros < 1 else 1",
    ): "nothing has no sign",
}
"""By file, line before and line after: why."""
