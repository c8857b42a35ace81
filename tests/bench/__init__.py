"""The bench: Tollway beside stock FreeRADIUS SQL, on the same machine, with the same load."""
