"""The page where a payer pays: three buttons."""

from __future__ import annotations

PAGES = "/checkout/"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Payment page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<h1>Payment page</h1>
<form method="post" action="{path}/pay"><button>Pay</button></form>
<form method="post" action="{path}/decline"><button>Pay with a stolen card</button></form>
<form method="post" action="{path}/leave"><button>Back without paying</button></form></html>"""


def page(path: str) -> bytes:
    """Of the payment or method that the path names."""
    return _PAGE.format(path=path).encode()
