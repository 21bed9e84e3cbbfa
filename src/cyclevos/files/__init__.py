"""Files that survive a kill (replaced, appended to or locked), safe names, and the limits of the host."""
