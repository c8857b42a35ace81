"""Gateways: how providers of payments are spoken to. No database."""
