"""A whole box under random faults, and whether its books balance afterwards: `make soak`."""
