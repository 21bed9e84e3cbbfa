"""Pictures: frames and masks as they are read from image files, and the colours of object ids."""
