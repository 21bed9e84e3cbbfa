"""Data sets: where their frames and masks lie, and what training draws from them."""
