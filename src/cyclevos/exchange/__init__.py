"""Masks of a whole video in the formats of other tools: read any, write any, frame by frame."""
