"""Pure functions: the state and the time are arguments, nothing is read or written."""
