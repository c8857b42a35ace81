"""What a maker makes is the same frozen dataclass."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from billing.model.making import maker


@dataclass(frozen=True, slots=True)
class Plain:
    first: int
    second: str = "two"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    first: int
    second: str = "two"
    third: str | None = field(default=None, repr=False)


make_plain = maker(Plain)
make_named = maker(Named)


def test_it_makes_what_the_class_makes() -> None:
    assert make_plain(1) == make_plain(1, "two") == make_plain(first=1, second="two") == Plain(1)
    assert make_named(first=1, third="x") == Named(first=1, third="x")
    assert type(make_plain(1)) is Plain
    assert repr(make_named(first=1, third="x")) == "Named(first=1, second='two')"
    assert hash(make_plain(1)) == hash(Plain(1))


def test_what_it_makes_is_frozen_and_can_be_copied() -> None:
    value = make_plain(1)
    with pytest.raises(FrozenInstanceError):
        value.first = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del value.second  # type: ignore[misc]
    assert replace(value, second="three") == Plain(1, "three")
    assert copy.copy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 (our own)


def test_it_takes_the_same_arguments() -> None:
    for make, cls in ((make_plain, Plain), (make_named, Named)):
        wanted = inspect.signature(cls).parameters.values()
        taken = inspect.signature(make).parameters.values()
        assert [(p.name, p.kind, p.default) for p in taken] == [
            (p.name, p.kind, p.default) for p in wanted
        ]
    with pytest.raises(TypeError):
        make_plain()  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        make_named(1)  # type: ignore[call-arg, arg-type]


def test_what_it_cannot_make_is_said() -> None:
    @dataclass(frozen=True)
    class Slotless:
        first: int

    @dataclass(frozen=True, slots=True)
    class Checked:
        first: int

        def __post_init__(self) -> None:
            raise ValueError

    @dataclass(frozen=True, slots=True)
    class Fresh:
        first: list[int] = field(default_factory=list)

    for cls in (Slotless, Checked, Fresh):
        with pytest.raises(TypeError, match="here"):
            maker(cls)
