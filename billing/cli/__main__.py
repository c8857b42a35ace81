"""`python -m billing.cli` is `tollway`."""

from billing.cli import main

main()
