"""Readers and writers: a file or a few for each tool or layout. `registered` tells the registry about them."""
