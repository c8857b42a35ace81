"""Reading FreeRADIUS's dictionaries: of their syntax what attributes and named values need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from billing.errors import InvalidInput
from billing.model.dictionary import DictionaryAttribute

ROOT = "dictionary"
DEPTH_LIMIT = 8


class Dictionary:
    """All attributes below a directory's file `dictionary`. Names are found in any case."""

    def __init__(self, directory: Path) -> None:
        """Raises InvalidInput when the files cannot be read."""
        self._attributes: dict[str, DictionaryAttribute] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._vendors: set[str] = set()
        try:
            self._read(directory / ROOT, 0)
        except OSError as error:
            raise InvalidInput(
                f"FreeRADIUS's dictionaries cannot be read ({error}); install freeradius-common, "
                "or set TOLLWAY_DICTIONARY_DIR to where they are",
                field="dictionary_dir",
            ) from None

    def find(self, name: str) -> DictionaryAttribute | None:
        """An attribute by its name, without a tag."""
        found = self._attributes.get(name.lower())
        if found is None:
            return None
        return replace(found, names=self._names.get(found.name.lower(), {}))

    def _read(self, path: Path, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            raise OSError(f"{path} is included by itself")
        vendor = ""
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.partition("#")[0].split()
            if len(words) < 2:
                continue
            match words[0].upper():
                case "$INCLUDE":
                    self._read(path.parent / words[1], depth + 1)
                case "$INCLUDE-" if (path.parent / words[1]).exists():
                    self._read(path.parent / words[1], depth + 1)
                case "VENDOR":
                    self._vendors.add(words[1])
                case "BEGIN-VENDOR":
                    vendor = words[1]
                case "END-VENDOR":
                    vendor = ""
                case "ATTRIBUTE" if len(words) >= 4:
                    self._add(words, vendor)
                case "VALUE" if len(words) >= 4:
                    self._names.setdefault(words[1].lower(), {})[words[2].lower()] = words[2]

    def _add(self, words: list[str], vendor: str) -> None:
        _, name, number, kind, *rest = words
        flags = {flag for word in rest for flag in word.split(",")}
        named = flags & self._vendors  # the old way to write the vendor
        self._attributes[name.lower()] = DictionaryAttribute(
            name=name,
            number=number,
            type=kind.lower(),
            vendor=vendor or next(iter(named), ""),
            flags=frozenset(flags - named),
        )
