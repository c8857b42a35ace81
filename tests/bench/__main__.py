"""`python -m tests.bench`, which `./run bench` calls."""

from .run import main

main()
