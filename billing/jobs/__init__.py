"""Periodic and queued work, run by `tollway worker`."""
