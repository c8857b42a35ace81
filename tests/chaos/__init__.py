"""Parts of an installation are killed at random moments under load, and nothing is lost."""
