"""Frames in and results out."""

from cyclevos.video.coco import CocoWriter
from cyclevos.video.contact_sheet import contact_sheet
from cyclevos.video.frames import Frame, frames_from_arrays
from cyclevos.video.heat_map import heat_map
from cyclevos.video.mask_files import MaskImage, read_ground_truth, read_mask, read_masks, read_source_masks
from cyclevos.video.output_folder import check_output, prepare_output
from cyclevos.video.overlay import OverlayWriter, blend
from cyclevos.video.palette import DAVIS_PALETTE
from cyclevos.video.read_ahead import read_ahead
from cyclevos.video.reliability_files import RELIABILITY_FILE, ReliabilityWriter
from cyclevos.video.sources import FrameSource, open_source
from cyclevos.video.write_behind import write_behind
from cyclevos.video.writers import MaskWriter, ProbabilityWriter, ResultWriter

__all__ = [
    "DAVIS_PALETTE",
    "RELIABILITY_FILE",
    "CocoWriter",
    "Frame",
    "FrameSource",
    "MaskImage",
    "MaskWriter",
    "OverlayWriter",
    "ProbabilityWriter",
    "ReliabilityWriter",
    "ResultWriter",
    "blend",
    "check_output",
    "contact_sheet",
    "frames_from_arrays",
    "heat_map",
    "open_source",
    "prepare_output",
    "read_ahead",
    "read_ground_truth",
    "read_mask",
    "read_masks",
    "read_source_masks",
    "write_behind",
]
