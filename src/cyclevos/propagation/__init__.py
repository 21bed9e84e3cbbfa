"""Propagation: the memory bank, the propagator and the loop that all commands share."""
