"""Cluster: the same clips on many machines, by Ray."""
