"""The only caller of SQL."""
