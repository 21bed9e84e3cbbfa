"""The family of SAM 2, SAM 2.1 and EdgeTAM, whose modules come from transformers."""
