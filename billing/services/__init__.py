"""One transaction each: load, apply the rule, post."""
