"""Propagation: the memory bank, the propagator and the one loop."""
