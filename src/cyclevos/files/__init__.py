"""Files that survive a kill: written beside and renamed, appended line by line, locked while in use."""
