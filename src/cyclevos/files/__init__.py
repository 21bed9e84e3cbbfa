"""Files that survive a kill (written beside and renamed, appended, locked), safe names, and the host's limits."""
