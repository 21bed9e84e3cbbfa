"""Jobs: from checked inputs to written results, one clip or thousands, resumable after a kill."""
