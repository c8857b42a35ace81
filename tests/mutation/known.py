"""Changes that no test can notice, as they change nothing."""

from __future__ import annotations

HARMLESS: dict[tuple[str, str, str], str] = {
    (
        "billing/rules/payments.py",
        "return _unchanged(standing, _OPEN_TO.get((state, event), _ENDS.get(event, state)))",
        "return _unchanged(standing, _OPEN_TO.get((state, event), _ENDS.get(event, None)))",
    ): "without a state it stays in its own",
    (
        "billing/rules/payments.py",
        "return _unchanged(standing, _OPEN_TO.get((state, event), _ENDS.get(event, state)))",
        "return _unchanged(standing, _OPEN_TO.get((state, event), _ENDS.get(event, )))",
    ): "without a state it stays in its own",
    (
        "billing/rules/payments.py",
        "return now + min(_FIRST_LOOK_UP * (1 << min(lookups, 16)), _LONGEST_BETWEEN)",
        "return now + min(_FIRST_LOOK_UP * (1 << min(lookups, 17)), _LONGEST_BETWEEN)",
    ): "it is an hour long before",
    (
        "billing/rules/wallets.py",
        "return max(0, short_of_bills, 1 - left if left < 0 else 0)",
        "return max(short_of_bills, 1 - left if left < 0 else 0)",
    ): "the last one is never below nothing",
    (
        "billing/rules/pauses.py",
        "old_end: datetime | None = None",
        'old_end: datetime | None = ""',
    ): "no package begins at either",
    (
        "billing/rules/pauses.py",
        "new_end: datetime | None = None",
        'new_end: datetime | None = ""',
    ): "it is set whenever old_end is",
    (
        "billing/rules/pauses.py",
        "if one.follows and begins > paused_at and begins == old_end and new_end is not None:",
        "if one.follows and begins >= paused_at and begins == old_end and new_end is not None:",
    ): "old_end is later than the pause began: what had ended by then is passed over",
    (
        "billing/rules/plan_changes.py",
        "if net.amount_micros <= 0 or unused.days <= 0:",
        "if net.amount_micros <= 0 or unused.days < 0:",
    ): "of no days the share is nothing anyway",
    (
        "billing/rules/plan_changes.py",
        "part = sum((line.net.amount_micros * _overlap(line.days, unused) for line in lines), "
        "_NOTHING)",
        "part = sum((line.net.amount_micros * _overlap(line.days, unused) for line in lines), )",
    ): "nothing is nothing, as a fraction or not",
    (
        "billing/rules/plan_changes.py",
        "if package.valid_until is None or package.valid_from is None:",
        "if package.valid_until is None and package.valid_from is None:",
    ): "who asks has seen to it that both are set",
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
    (
        "billing/rules/access.py",
        "window = window_at(windows, now, account.time_zone) if windows else None",
        "window = window_at(windows, now, account.time_zone) if (windows) or True else None",
    ): "where there are no windows, none is in force",
    (
        "billing/rules/access.py",
        "return END_OF_TIME, 0, None  # runs on past its quota: ended by S5, not by use",
        "return END_OF_TIME, 1, None  # runs on past its quota: ended by S5, not by use",
    ): "nothing is added to an end that is never",
    (
        "billing/rules/access.py",
        "elif plan.payg_second_step is None or plan.payg_second_step_micros is None:",
        "elif plan.payg_second_step is None and plan.payg_second_step_micros is None:",
    ): "a step without its price, or a price without its step, is refused (P3)",
    (
        "billing/rules/access.py",
        "if step is None or step_micros is None:",
        "if step is None and step_micros is None:",
    ): "a step without its price, or a price without its step, is refused (P3)",
    (
        "billing/rules/access.py",
        "if account.closed_at is not None and account.closed_at < end:",
        "if account.closed_at is not None and account.closed_at <= end:",
    ): "the same end, whichever of the two it is taken from",
    (
        "billing/rules/access.py",
        "if account.paused_at is not None and account.paused_at < end:",
        "if account.paused_at is not None and account.paused_at <= end:",
    ): "the same end, whichever of the two it is taken from",
    (
        "billing/rules/access.py",
        "def _limits(seconds: int | None, octets: int | None, *, "
        "is_provisional: bool = False) -> Limits:",
        "def _limits(seconds: int | None, octets: int | None, *, "
        "is_provisional: bool = True) -> Limits:",
    ): "where it is left out octets are not limited, and only their limit is provisional",
    (
        "billing/rules/chain.py",
        "previous_end = max(previous_end, end) if windows and previous_end else end",
        "previous_end = max(previous_end, end) if windows or previous_end else end",
    ): "what is listed ends later than what ended before it",
    (
        "billing/rules/chain.py",
        "if one.valid_from is None or one.valid_from > now or one.used_up:",
        "if one.valid_from is None or one.valid_from >= now or one.used_up:",
    ): "a short cut only: what it passes over, the walk looks at",
    (
        "billing/rules/chain.py",
        "continue",
        "break",
    ): "a short cut only: what it passes over, the walk looks at",
    (
        "billing/rules/chain.py",
        "octets += entitlement.octets_left or 0",
        "octets += entitlement.octets_left or 1",
    ): "where one of them does not limit data, the sum is not used",
    (
        "billing/rules/chain.py",
        "if end > reached:",
        "if end >= reached:",
    ): "of no time nothing is used",
    (
        "billing/rules/usage_lines.py",
        "pairs = zip(lines, nets, strict=True)",
        "pairs = zip(lines, nets, strict=None)",
    ): "every line has its net, so neither list is longer",
    (
        "billing/rules/usage_lines.py",
        "pairs = zip(lines, nets, strict=True)",
        "pairs = zip(lines, nets, )",
    ): "every line has its net, so neither list is longer",
    (
        "billing/rules/usage_lines.py",
        "pairs = zip(lines, nets, strict=True)",
        "pairs = zip(lines, nets, strict=False)",
    ): "every line has its net, so neither list is longer",
    (
        "billing/rules/recognition.py",
        "last = None",
        'last = ""',
    ): "either is left out of the days that are compared",
    (
        "billing/rules/recognition.py",
        "return max(shares, key=abs, default=0)",
        "return max(shares, key=abs, default=None)",
    ): "what is earned by use has a limit, and so a share",
    (
        "billing/rules/recognition.py",
        "return max(shares, key=abs, default=0)",
        "return max(shares, key=abs, )",
    ): "what is earned by use has a limit, and so a share",
    (
        "billing/rules/recognition.py",
        "return max(shares, key=abs, default=0)",
        "return max(shares, key=abs, default=1)",
    ): "what is earned by use has a limit, and so a share",
    (
        "billing/rules/recognition.py",
        "sign = 1 if amount * part * whole >= 0 else -1",
        "sign = 1 if amount * part / whole >= 0 else -1",
    ): "a quotient has the sign of the product",
    (
        "billing/rules/recognition.py",
        "sign = 1 if amount * part * whole >= 0 else -1",
        "sign = 1 if amount * part * whole > 0 else -1",
    ): "nothing has no sign",
    (
        "billing/rules/recognition.py",
        "sign = 1 if amount * part * whole >= 0 else -1",
        "sign = 1 if amount * part * whole >= 1 else -1",
    ): "nothing has no sign",
    (
        "billing/rules/causes.py",
        "short = 0",
        "short = None",
    ): "nothing and none are no credit alike",
    (
        "billing/rules/extras.py",
        "days = Cycle(until - _ONE_DAY, until)",
        "days = Cycle(None, until)",
    ): "of these days only the end is read",
    (
        "billing/rules/extras.py",
        "days = Cycle(until - _ONE_DAY, until)",
        "days = Cycle(until + _ONE_DAY, until)",
    ): "of these days only the end is read",
    (
        "billing/rules/windows.py",
        "if one.is_free or step_seconds is None or not step_micros:",
        "if one.is_free or step_seconds is None and not step_micros:",
    ): "a step without its price, or a price without its step, is refused (P3)",
    (
        "billing/rules/windows.py",
        "if one.is_free or step_seconds is None or not step_micros:",
        "if one.is_free and step_seconds is None or not step_micros:",
    ): "what is free has neither a step nor a price",
    (
        "billing/rules/windows.py",
        'name = "" if one.window is None else one.window.name',
        'name = "XXXX" if one.window is None else one.window.name',
    ): "a name of its own for the time in no window",
    (
        "billing/rules/windows.py",
        "has_paid = has_paid or covered > 0",
        "has_paid = has_paid or covered >= 0",
    ): "the first step that costs anything is paid, or it ends there",
    (
        "billing/rules/credits.py",
        "if of_days or usage_left.amount_micros <= 0:",
        "if of_days or usage_left.amount_micros < 0:",
    ): "of no usage the share is nothing anyway",
    (
        "billing/rules/credits.py",
        "if of_days or usage_left.amount_micros <= 0:",
        "if of_days or usage_left.amount_micros <= 1:",
    ): "shares are whole cents, and of a micro there is none",
    (
        "billing/rules/credits.py",
        "return total.prorated(max(0, (net - usage_net).amount_micros), net.amount_micros)",
        "return total.prorated(max(1, (net - usage_net).amount_micros), net.amount_micros)",
    ): "shares are whole cents, and of a micro there is none",
    (
        "billing/rules/taxes.py",
        "taxes = [price - net for price, net in zip(own, nets, strict=True)]",
        "taxes = [price - net for price, net in zip(own, nets, strict=None)]",
    ): "each price has its net and its tax",
    (
        "billing/rules/taxes.py",
        "taxes = [price - net for price, net in zip(own, nets, strict=True)]",
        "taxes = [price - net for price, net in zip(own, nets, )]",
    ): "each price has its net and its tax",
    (
        "billing/rules/taxes.py",
        "taxes = [price - net for price, net in zip(own, nets, strict=True)]",
        "taxes = [price - net for price, net in zip(own, nets, strict=False)]",
    ): "each price has its net and its tax",
    (
        "billing/rules/taxes.py",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=True))",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=None))",
    ): "each price has its net and its tax",
    (
        "billing/rules/taxes.py",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=True))",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), ))",
    ): "each price has its net and its tax",
    (
        "billing/rules/taxes.py",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=True))",
        "taxed |= dict(zip(places, map(Taxed, nets, taxes), strict=False))",
    ): "each price has its net and its tax",
    (
        "billing/rules/rates.py",
        "open_rates = [one for one in left if one.total_micros > 0]",
        "open_rates = [one for one in left if one.total_micros >= 0]",
    ): "of nothing nothing is taken",
    (
        "billing/rules/rates.py",
        "share = _weight(one, weights) / (_all(open_rates[place:], weights) or 1)",
        "share = _weight(one, weights) / (_all(open_rates[place:], weights) or 2)",
    ): "where none asks for anything, the share is nothing",
    (
        "billing/rules/rates.py",
        "return sum((_weight(one, weights) for one in rates), Fraction(0))",
        "return sum((_weight(one, weights) for one in rates), )",
    ): "nothing is nothing, as a fraction or not",
}
"""By file, line before and line after: why."""
