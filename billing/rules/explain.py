"""The text of `why`: what was examined, what decided, what would change it (rule B16)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from billing.model.account import Account, Cause
from billing.model.tariff import TariffWindow
from billing.model.tariff_text import price_words
from billing.rules.causes import examine
from billing.rules.states import Effect, State, deciding, next_change
from billing.rules.windows import next_switch, window_at, windows_of
from billing.rules.words import instant_words


@dataclass(frozen=True, slots=True)
class Explanation:
    """`lines`: one a cause, in the table's order. `decided`: one sentence. `changes`: what would
    change it, by time and by somebody's act; empty when nothing foreseeable would."""

    state: State
    lines: tuple[str, ...]
    decided: str
    changes: tuple[str, ...]

    @property
    def text(self) -> str:
        changes = self.changes or ("nothing foreseeable would change it",)
        return "\n".join((*self.lines, f"⇒ {self.decided}", *(f"  {line}" for line in changes)))


def explain(account: Account, now: datetime) -> Explanation:
    """Why the subscription is served, suspended or refused at `now`."""
    causes = examine(account, now)
    state = deciding(account, now)
    return Explanation(
        state=state,
        lines=tuple(_line(cause) for cause in causes),
        decided=f"{state_words(state)}, {state.rule}",
        changes=(*_by_act(causes), *_by_time(account, now)),
    )


def own_reply_lines(account: Account, state: State) -> tuple[str, ...]:
    """What the subscriber alone is sent, and what of it the state withholds (rules A6, B10)."""
    own = account.own_reply
    if own is None:
        return ()
    sent = own if state.effect is Effect.NORMAL else own.suspended()
    if state.effect is Effect.REJECT or sent is None:
        kept: list[str] = []
    else:
        kept = sent.lines
    return tuple(
        f"own: {line}" + ("" if line in kept else " – withheld in this state") for line in own.lines
    )


def tariff_lines(account: Account, now: datetime) -> tuple[str, ...]:
    """Which tariff window is in force and when that changes (rule Q3)."""
    windows, zone = windows_of(account), account.time_zone
    if not windows:
        return ()
    current, switch = window_at(windows, now, zone), next_switch(windows, now, zone)
    if switch is None:
        return (f"Q3 tariff: {_tariff_words(current)}, always",)
    following = _tariff_words(window_at(windows, switch, zone))
    return (
        f"Q3 tariff: {_tariff_words(current)}; from {instant_words(switch, zone)}: {following}",
    )


def _tariff_words(window: TariffWindow | None) -> str:
    if window is None:
        return "the plan's own terms"
    if window.price is None:
        return f"{window.name}, free: takes nothing from packages or the wallet"
    return f"{window.name}, what no package covers costs {price_words(window.price)}"


def state_words(state: State) -> str:
    """`active`, `suspended (overdue), pool 'walled'` or `refused (expired)`."""
    if state.effect is Effect.NORMAL:
        return "active"
    if state.effect is Effect.REJECT:
        return f"refused ({state.reason})"
    return f"suspended ({state.reason}), pool {state.pool!r}"


def _line(cause: Cause) -> str:
    return f"{cause.rule} {'HOLDS' if cause.holds else 'no   '} {cause.detail}"


def _by_act(causes: tuple[Cause, ...]) -> list[str]:
    """What lifts the deciding cause, and what would hold even then (`former state`, rule P9)."""
    holding = [cause for cause in causes if cause.holds and cause.rule != "S8"]
    if not holding:
        return []
    words = [f"{holding[0].rule} is lifted by {holding[0].lifted_by}"]
    words += [
        f"then {c.rule} still holds ({c.detail}); lifted by {c.lifted_by}" for c in holding[1:]
    ]
    return words


def _by_time(account: Account, now: datetime) -> list[str]:
    """The state that comes by itself, and what would prevent it."""
    instant = next_change(account, now)
    if instant is None:
        return []
    then = deciding(account, instant)
    words = f"from {instant_words(instant, account.time_zone)}: {state_words(then)}, {then.rule}"
    for cause in examine(account, instant):
        if cause.rule == then.rule and cause.lifted_by:
            words += f", unless {cause.lifted_by} comes before"
    return [words]
