"""What the demo prints: chapters, facts, bars, and checks that end it when they fail."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

_BAR_CELLS = 30
_INDENT = 4


class Deviation(Exception):
    """The story met something else than it should have."""

    def __init__(self, what: str, expected: object, came: object) -> None:
        super().__init__(f"{what}: expected {expected}, but {came} came")


@dataclass(frozen=True)
class Screen:
    """A terminal, or a file: then without colours. Nothing in the texts is markup."""

    console: Console

    def chapter(self, title: str) -> None:
        """Begin one of the story's parts."""
        self.console.print()
        self.console.rule(f"[bold cyan]{title}", align="left")

    def step(self, text: str) -> None:
        """Somebody does something."""
        self.console.print(f"\n  ▸ {text}", style="bold", markup=False)

    def note(self, text: str) -> None:
        """A remark that needs no check."""
        self._line(text, "dim")

    def lines(self, texts: tuple[str, ...]) -> None:
        """Text of the product itself, as it is."""
        for text in texts:
            self._line(text, "yellow" if "HOLDS" in text or text.startswith("⇒") else "dim")

    def packet(self, name: str, attributes: dict[str, object], *, good: bool = True) -> None:
        """A RADIUS packet as it came over the wire."""
        colour = "green" if good else "red"
        table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
        for attribute, value in attributes.items():
            table.add_row(f"[{colour}]│[/] {attribute}", f"[bold]{_words(value)}")
        self.console.print(Padding(f"[{colour}]┌ {name}", (0, 0, 0, _INDENT)))
        self.console.print(Padding(table, (0, 0, 0, _INDENT)))

    def left(self, label: str, left: int, total: int, unit: str, scale: int) -> None:
        """A bar of what is left of `total`; both are divided by `scale` to be shown in `unit`."""
        cells = -(-left * _BAR_CELLS // total)
        share = left / total
        colour = "green" if share > 0.5 else "yellow" if share > 0.2 else "red"
        bar = f"[{colour}]{'█' * cells}[/][dim]{'░' * (_BAR_CELLS - cells)}[/]"
        amount = f"{left / scale:>7.1f} of {total / scale:.0f} {unit}"
        self.console.print(f"{' ' * _INDENT}{label:<6}{bar} {amount}", highlight=False)

    def expect(self, what: str, came: object, expected: object) -> None:
        """Show that `came` is what was expected. Raises Deviation when it is not."""
        if came != expected:
            raise Deviation(what, repr(expected), repr(came))
        self._line(f"✓ {what}: {_words(came)}", "green")

    def require(self, what: str, holds: bool, came: object) -> None:
        """Show that something holds that is not one value. Raises Deviation when it does not."""
        if not holds:
            raise Deviation(what, "it to hold", repr(came))
        self._line(f"✓ {what}", "green")

    def failure(self, error: Exception) -> None:
        """Why the story ended early."""
        self.console.print()
        self.console.print(f"✗ {error}", style="bold red", markup=False, soft_wrap=True)

    def success(self, text: str) -> None:
        """The story's end."""
        self.console.print(f"\n✓ {text}", style="bold green", markup=False)

    def farewell(self, url: str, email: str, password: str) -> None:
        """Where to look now."""
        body = (
            f"address   [bold]{url}[/]\nemail     [bold]{email}[/]\npassword  [bold]{password}[/]"
        )
        self.console.print()
        self.console.print(Panel.fit(body, title="The panel", border_style="cyan", padding=(1, 3)))

    def _line(self, text: str, style: str) -> None:
        self.console.print(
            f"{' ' * _INDENT}{text}", style=style, markup=False, highlight=False, soft_wrap=True
        )


def _words(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
