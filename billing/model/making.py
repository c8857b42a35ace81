"""Making frozen dataclasses for every packet, at a fraction of the cost.

Calling a frozen dataclass packs the arguments into a dictionary and sets each field by
`object.__setattr__`; a login makes a dozen such values with a hundred fields (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
Value = TypeVar("Value")


def maker(cls: Callable[P, Value]) -> Callable[P, Value]:
    """A function that does what calling *cls*, a `@dataclass(frozen=True, slots=True)`, does.

    The fields are set while the value still is of a class of the same slots that is not frozen.
    Raises TypeError for what it does not do: values without slots, `__post_init__`, default
    factories, fields that `__init__` does not take.
    """
    taken: tuple[Field[Any], ...] = fields(cls)  # type: ignore[arg-type]  # a dataclass
    name = getattr(cls, "__name__", "")
    if "__slots__" not in vars(cls) or hasattr(cls, "__post_init__"):
        raise TypeError(f"{name} needs slots and no __post_init__ to be made here")
    names: dict[str, Any] = {
        "frozen": cls,
        "unfrozen": type(name, (), {"__slots__": vars(cls)["__slots__"]}),
        "new": object.__new__,
        "turn_into": vars(object)["__class__"].__set__,
    }
    positional: list[str] = []
    by_name: list[str] = []
    for one in taken:
        if one.default_factory is not MISSING or not one.init:
            raise TypeError(f"{name}.{one.name} cannot be set here")
        default = ""
        if one.default is not MISSING:
            names[f"default_{one.name}"] = one.default
            default = f"=default_{one.name}"
        (by_name if one.kw_only else positional).append(one.name + default)
    lines = [
        f"def make({', '.join([*positional, *(['*', *by_name] if by_name else [])])}):",
        "made = new(unfrozen)",
        *(f"made.{one.name} = {one.name}" for one in taken),
        "turn_into(made, frozen)",
        "return made",
    ]
    # As dataclasses does it; the names are those of the class's own fields.
    exec("\n    ".join(lines), names)  # noqa: S102  # nosec B102
    make: Callable[P, Value] = names["make"]
    return make
