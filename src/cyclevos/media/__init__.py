"""Media: frames in, results out."""
