"""The masks that a user gives for a video: found, read, matched to its frames, checked and brought to their size."""
