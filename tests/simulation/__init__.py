"""A seeded simulation of many NAS against the meter, checked by a model written from the rules."""
