"""Everything that speaks RADIUS: the hooks that FreeRADIUS calls, and CoA."""
