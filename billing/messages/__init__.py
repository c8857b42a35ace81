"""How messages look and how they travel; no database (docs/adr/0017)."""
