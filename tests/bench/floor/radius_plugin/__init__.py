"""Stands where the product stands, to measure what the server costs without it."""
