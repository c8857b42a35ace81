"""Reading and checking a CSV file of subscribers; nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from billing.errors import InvalidInput
from billing.model.money import Money
from billing.model.plan import PlanTerms
from billing.model.quantities import read_instant, read_octets, read_seconds
from billing.model.views import PlanView, ProfileView
from billing.rules.plans import sale_problem
from billing.services.csv_file import csv_lines
from billing.services.identity import (
    checked_address,
    checked_mac,
    checked_name,
    checked_optional,
    checked_password,
    checked_username,
)

REQUIRED = ("username", "password", "profile")
OPTIONAL = ("name", "plan", "email", "phone", "framed_ip", "mac", "valid_until", "time_left",
            "data_left", "balance")  # fmt: skip
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One subscriber of the file, checked. `entitled`: it brings something it has left."""

    line: int
    username: str
    password: str = field(repr=False)
    name: str
    email: str | None
    phone: str | None
    profile: ProfileView
    plan: PlanTerms | None
    framed_ip: str | None
    macs: list[str] | None
    valid_until: datetime | None
    seconds_left: int | None
    octets_left: int | None
    balance_micros: int | None

    @property
    def entitled(self) -> bool:
        left = (self.valid_until, self.seconds_left, self.octets_left)
        return any(value is not None for value in left)


@dataclass
class ImportFile:
    """The rows of a file and what is wrong with it: (line, field, reason)."""

    rows: list[ImportRow] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)


class _Reader:
    def __init__(
        self,
        profiles: Mapping[str, ProfileView],
        plans: Mapping[str, PlanView],
        currency: str,
        now: datetime,
    ) -> None:
        self._profiles, self._plans = profiles, plans
        self._currency, self._now = currency, now
        self._lines_of: dict[str, int] = {}
        self._fits: dict[tuple[int, int], str | None] = {}
        self._problems: list[tuple[str, str]] = []

    def row(self, line: int, values: dict[str, str]) -> ImportRow | list[tuple[str, str]]:
        """The checked row, or what is wrong with it as (field, reason)."""
        self._problems = []
        username = self._read("username", values, checked_username, "")
        earlier = self._lines_of.setdefault(username, line) if username else line
        if earlier != line:
            self._problems.append(("username", f"{username!r} is on line {earlier}, too"))
        profile = self._profiles.get(values["profile"])
        if profile is None:
            self._problems.append(("profile", _unknown("billing profile", values["profile"])))
        plan = self._plan(values.get("plan", ""), profile)
        valid_until, seconds_left, octets_left = self._left(values, plan)
        name_text = values.get("name") or (values["username"] if username else "-")
        password = self._read("password", values, checked_password, "")
        name = self._read("name", {"name": name_text}, checked_name, "")
        email = self._optional("email", values, lambda text: checked_optional(text, "email"))
        phone = self._optional("phone", values, lambda text: checked_optional(text, "phone"))
        framed_ip = self._optional("framed_ip", values, checked_address)
        macs = self._optional("mac", values, lambda text: [checked_mac(m) for m in text.split()])
        balance_micros = self._optional("balance", values, self._balance) or None
        if profile is None or self._problems:
            return self._problems
        return ImportRow(
            line=line,
            username=username,
            password=password,
            name=name,
            email=email,
            phone=phone,
            profile=profile,
            plan=plan,
            framed_ip=framed_ip,
            macs=macs,
            valid_until=valid_until,
            seconds_left=seconds_left,
            octets_left=octets_left,
            balance_micros=balance_micros,
        )

    def _left(
        self, values: dict[str, str], plan: PlanTerms | None
    ) -> tuple[datetime | None, int | None, int | None]:
        """Until when, how many seconds and octets are left of what was bought before."""
        valid_until = self._optional("valid_until", values, read_instant)
        seconds_left = self._optional("time_left", values, read_seconds)
        octets_left = self._optional("data_left", values, read_octets)
        if valid_until is not None and valid_until <= self._now:
            self._problems.append(
                ("valid_until", "lies in the past; leave it and what is left out")
            )
        for name, left in (("time_left", seconds_left), ("data_left", octets_left)):
            if left == 0:
                self._problems.append((name, "nothing is left; leave it empty"))
        if plan is None and (valid_until or seconds_left or octets_left):
            self._problems.append(("plan", "what is left needs the plan it was bought with"))
        return valid_until, seconds_left, octets_left

    def _plan(self, name: str, profile: ProfileView | None) -> PlanTerms | None:
        if not name:
            return None
        plan = self._plans.get(name)
        if plan is None:
            self._problems.append(("plan", _unknown("plan", name)))
            return None
        if profile is not None:
            key = (profile.profile_id, plan.plan_id)
            if key not in self._fits:
                self._fits[key] = sale_problem(plan.terms, profile.profile.kind)
            if problem := self._fits[key]:
                self._problems.append(("plan", problem))
        return plan.terms

    def _balance(self, text: str) -> int:
        amount = Money.parse(text, self._currency)
        if amount.rounded() != amount:
            raise ValueError(f"finer than the smallest unit of {self._currency}")
        return amount.amount_micros

    def _read(
        self, name: str, values: Mapping[str, str], check: Callable[[str], _Value], default: _Value
    ) -> _Value:
        try:
            return check(values[name])
        except InvalidInput as error:
            self._problems.append((name, error.message))
        except (ValueError, OverflowError) as error:
            self._problems.append((name, str(error)))
        return default

    def _optional(
        self, name: str, values: Mapping[str, str], check: Callable[[str], _Value | None]
    ) -> _Value | None:
        return self._read(name, values, check, None) if values.get(name) else None


def read_file(
    path: Path,
    *,
    profiles: Mapping[str, ProfileView],
    plans: Mapping[str, PlanView],
    currency: str,
    now: datetime,
    progress: Callable[[int], None],
) -> ImportFile:
    """Every line checked; `progress` gets the number of lines read. Raises InvalidInput when the
    file cannot be read or its header is wrong."""
    result = ImportFile()
    reader = _Reader(profiles, plans, currency, now)
    for line, found in csv_lines(path, REQUIRED, OPTIONAL, verbatim=("password",)):
        if isinstance(found, str):
            result.problems.append((line, "line", found))
            continue
        checked = reader.row(line, found)
        if isinstance(checked, ImportRow):
            result.rows.append(checked)
        else:
            result.problems += [(line, name, reason) for name, reason in checked]
        progress(line)
    if not result.rows and not result.problems:
        raise InvalidInput("holds no subscriber", field="file")
    return result


def _unknown(what: str, name: str) -> str:
    return f"no {what} is named {name!r}" if name else f"a {what} is needed"
