"""How an organisation's bills look (rule I3)."""

from __future__ import annotations

import html
from dataclasses import dataclass
from enum import StrEnum


class Block(StrEnum):
    """Parts of an A4 bill, in the order of the built-in layout."""

    LETTERHEAD = "letterhead"
    HEADING = "heading"
    LINES = "lines"
    TOTALS = "totals"
    DUE = "due"
    FOOTER = "footer"


OF_TEMPLATES = frozenset("{}<>")
NEEDED_BLOCKS = (Block.HEADING, Block.LINES, Block.TOTALS)
"""Without these it would be no bill (rule I1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDesign:
    """`logo`: a picture as a `data:` address. `footer` and `template` may hold expressions like
    `{{ bill.number }}`; a template takes the place of the blocks. Blocks, CSS and template are for
    A4; the logo and the footer are on receipts, too."""

    accent: str = "#206bc4"
    blocks: tuple[Block, ...] = tuple(Block)
    logo: str | None = None
    footer: str | None = None
    css: str | None = None
    template: str | None = None

    @property
    def has_own_words(self) -> bool:
        """Whether somebody wrote a part of it, which may take long to set."""
        return any(part is not None for part in (self.footer, self.css, self.template))

    @property
    def contact(self) -> str | None:
        """The footer as plain text, where it holds neither expressions nor markup."""
        if self.footer is None or OF_TEMPLATES & set(self.footer):
            return None
        return html.unescape(self.footer)


class CardBlock(StrEnum):
    """What may be on a voucher's card beside its code, which always is."""

    LOGO = "logo"
    NAME = "name"
    WORTH = "worth"
    QR = "qr"
    TEXT = "text"
    SERIAL = "serial"
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDesign:
    """How an organisation's voucher cards look (rule R3). `accent` is the colour of what it is good
    for, `paper` of the card; `text`: plain, where to log in, whom to call."""

    accent: str = "#206bc4"
    paper: str = "#ffffff"
    blocks: tuple[CardBlock, ...] = tuple(CardBlock)
    width_mm: int = 63
    height_mm: int = 34
    logo: str | None = None
    text: str | None = None
    css: str | None = None
