"""A gateway for Tollway that asks payers on their phone; an example (README.md)."""
