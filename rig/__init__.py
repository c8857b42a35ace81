"""Development and operations rig: starts the processes of one Tollway installation.

Nothing of the product imports this package; only ``./run`` and the tests do.
"""
