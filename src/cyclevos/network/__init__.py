"""Networks: their modules, their specifications, and reading and writing their weights."""
