"""Training: the cyclic objective and the engine that minimises it."""
