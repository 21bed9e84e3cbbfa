"""Prompts: clicks, boxes and strokes become the mask of an object in one frame."""
