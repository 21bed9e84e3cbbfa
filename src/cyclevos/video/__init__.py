"""Frames in and results out."""

from cyclevos.video.frames import Frame, frames_from_arrays
from cyclevos.video.read_ahead import read_ahead
from cyclevos.video.sources import FrameSource, open_source

__all__ = ["Frame", "FrameSource", "frames_from_arrays", "open_source", "read_ahead"]
