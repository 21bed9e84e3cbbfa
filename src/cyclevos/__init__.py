"""Semi-supervised video object segmentation that checks and repairs itself with the cycle."""
