"""What Stripe has published of the messages that the gateway sends and of the objects that events
hold: the parts in use of its OpenAPI document (stripe_contract.json says which and whence). What is
not in them is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

CONTRACT = json.loads(Path(__file__).with_name("stripe_contract.json").read_text(encoding="utf-8"))
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
    "number": (int, float),
}  # fmt: skip

_NEWER_SHOWN = {"allowed_payment_method_types"}


def request_problems(method: str, path: str, body: str) -> list[str]:
    """Why Stripe would refuse a request, by its description; empty: it would not. Nothing is said
    of operations that are not in the contract, and of parameters that are newer (`newer`)."""
    for name, schema in CONTRACT["operations"].items():
        verb, _, template = name.partition(" ")
        pattern = re.sub(r"\{\w+\}", r"[^/]+", template)
        if verb == method and re.fullmatch(pattern, path):
            sent = nested(body)
            for newer in CONTRACT["newer"].get(name, ()):
                sent.pop(newer, None)
            return problems(_typed(sent, schema), schema, f"{method} {path} ")
    return []


_REST: dict[str, dict[str, Any]] = {
    "checkout.session": {
        "automatic_tax": {"enabled": False}, "created": 1_774_000_000, "custom_fields": [],
        "custom_text": {}, "expires_at": 1_774_086_400, "livemode": False, "mode": "payment",
        "payment_method_types": ["card"], "shipping_options": [],
        "success_url": "https://portal.example/",
    },
    "payment_intent": {
        "capture_method": "automatic", "confirmation_method": "automatic",
        "created": 1_774_000_000, "livemode": False, "payment_method_types": ["card"],
        "status": "succeeded",
    },
    "refund": {"created": 1_774_000_000},
    "dispute": {
        "balance_transactions": [], "charge": "ch_1", "created": 1_774_000_000, "evidence": {},
        "evidence_details": {}, "is_charge_refundable": False, "livemode": False,
        "reason": "general",
    },
}  # fmt: skip


def whole(name: str, said: dict[str, Any]) -> dict[str, Any]:
    """An object with all that Stripe says is always in it."""
    return {"object": name, **_REST.get(name, {}), **said}


def object_problems(said: dict[str, Any]) -> list[str]:
    """Why an object is not as Stripe describes it, by its own name. Of those that are not in the
    contract nothing is said."""
    name = said["object"]
    if name not in CONTRACT["objects"]:
        return []
    shown = {one: value for one, value in said.items() if one not in _NEWER_SHOWN}
    found = problems(shown, CONTRACT["objects"][name], name)
    if name == "list":
        found += [problem for one in said["data"] for problem in object_problems(one)]
    if name == "event":
        found += object_problems(said["data"]["object"])
    return found


def answer_problems(status: int, body: bytes) -> list[str]:
    """Why an answer is not as Stripe describes it."""
    said = json.loads(body)
    if status >= 400:
        return problems(said, CONTRACT["objects"]["error"], "error")
    return object_problems(said) if "object" in said else [f"no object: {sorted(said)}"]


def nested(body: str) -> dict[str, Any]:
    """`a[b]=1` as {a: {b: 1}}."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(body, keep_blank_values=True):
        first, *rest = name.replace("]", "").split("[")
        place = found
        for part in (first, *rest)[:-1]:
            place = place.setdefault(part, {})
        place[(first, *rest)[-1]] = value
    return found


def problems(value: object, rule: dict[str, Any], where: str) -> list[str]:
    if value is None:
        return [] if rule.get("nullable") or not rule else [f"{where} may not be null"]
    if "anyOf" in rule:
        tried = [problems(value, one, where) for one in rule["anyOf"]]
        return min(tried, key=len)
    if "object" in rule:
        rule = CONTRACT["objects"][rule["object"]]
    kind = rule.get("type")
    if kind is None:
        return []
    if not isinstance(value, _TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
        return [f"{where} is no {kind}: {value!r}"]
    if "enum" in rule and value not in rule["enum"]:
        return [f"{where} may not be {value!r}"]
    if isinstance(value, dict):
        return _of_object(value, rule, where)
    if isinstance(value, list):
        return [one for place, item in enumerate(value)
                for one in problems(item, rule.get("items", {}), f"{where}[{place}]")]  # fmt: skip
    too_long = isinstance(value, str) and len(value) > rule.get("maxLength", len(value))
    return [f"{where} is too long"] if too_long else []


def _of_object(value: dict[str, Any], rule: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}.{name} is missing" for name in rule.get("required", ()) if name not in value]
    known = rule.get("properties")
    if known is None:
        return found
    for name, one in value.items():
        if name in known:
            found += problems(one, known[name], f"{where}.{name}")
        elif not rule.get("additionalProperties", False):
            found.append(f"{where}.{name} is not known")
    return found


def _typed(value: object, rule: dict[str, Any]) -> object:
    """What a form says, all of it text, as its schema has it."""
    if "anyOf" in rule:
        tried = [_typed(value, one) for one in rule["anyOf"]]
        good = [one for one, schema in zip(tried, rule["anyOf"], strict=True)
                if not problems(one, schema, "")]  # fmt: skip
        return good[0] if good else tried[0]
    kind = rule.get("type")
    if isinstance(value, dict) and kind == "array":
        return [_typed(one, rule.get("items", {})) for one in value.values()]
    if isinstance(value, dict):
        known = rule.get("properties", {})
        return {name: _typed(one, known.get(name, {})) for name, one in value.items()}
    if kind == "integer" and isinstance(value, str) and re.fullmatch(r"-?\d+", value):
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
