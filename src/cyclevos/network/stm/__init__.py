"""Space-time memory networks: modules, specification, and reading and writing their weights."""
