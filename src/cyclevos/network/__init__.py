"""Networks: their parts, what they are made of, and how their weights are read."""
