"""What PayPal has published of the messages that the gateway and its test server exchange: the
parts in use of its OpenAPI documents, by name (paypal_contract.json says of which). What is not in
them is refused, so that neither side says what the other could only guess."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CONTRACT = json.loads(Path(__file__).with_name("paypal_contract.json").read_text(encoding="utf-8"))
_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


def problems(value: object, schema: str | dict[str, Any], where: str = "") -> list[str]:
    """Why a value is not of a schema, given itself or by name; empty: it is."""
    rule = CONTRACT["schemas"][schema] if isinstance(schema, str) else schema
    if "$ref" in rule:
        return problems(value, rule["$ref"], where)
    if type(value) is not _TYPES[rule["type"]]:
        return [f"{where or 'it'} is no {rule['type']}: {value!r}"]
    if isinstance(value, dict):
        return _object(value, rule, where)
    if isinstance(value, list):
        is_good = rule.get("minItems", 0) <= len(value) <= rule.get("maxItems", 10**6)
        found = [] if is_good else [f"{where} has {len(value)}"]
        for place, one in enumerate(value):
            found += problems(one, rule["items"], f"{where}[{place}]")
        return found
    return _text(value, rule, where) if isinstance(value, str) else []


def _object(value: dict[str, Any], rule: dict[str, Any], where: str) -> list[str]:
    found = [f"{where}.{name} is missing" for name in rule.get("required", ()) if name not in value]
    for name, one in value.items() if "properties" in rule else ():
        if name not in rule["properties"]:
            found.append(f"{where}.{name} is not known")
        else:
            found += problems(one, rule["properties"][name], f"{where}.{name}")
    return found


def _text(value: str, rule: dict[str, Any], where: str) -> list[str]:
    is_good = (
        rule.get("minLength", 0) <= len(value) <= rule.get("maxLength", 10**6)
        and re.search(rule.get("pattern", ""), value)
        and value in rule.get("enum", (value,))
        and (rule.get("format") != "uri" or urlsplit(value).scheme)
    )
    return [] if is_good else [f"{where} may not be {value!r}"]
