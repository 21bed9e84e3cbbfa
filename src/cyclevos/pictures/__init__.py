"""Pictures: reading frames and masks from image files, and the colours of object ids."""
