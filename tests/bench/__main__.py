"""`python -m tests.bench`, which `./run bench` calls."""

from .command import main

main()
