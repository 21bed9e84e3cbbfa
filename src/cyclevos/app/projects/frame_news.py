"""What the pages are told of a frame whose mask or reliability has changed: as an event, and as an answer."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import Any

from cyclevos.app.projects.frame_mask import FrameMask, describe_mask
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.pictures.packing import packed


def frame_news(
    index: int, shown: FrameMask, known: FrameResult, *, corrected: bool, with_mask: bool = False
) -> dict[str, Any]:
    """Describe a frame as JSON values.

    Args:
        index: of the frame.
        shown: its mask, with the order of this news.
        known: its reliability and islands; the areas are those of the mask.
        corrected: whether there is a mask before correction.
        with_mask: add the pixels: base64 of zlib, one byte per pixel, row by row.
    """
    news = {"frame": index, **asdict(known), **describe_mask(shown), "corrected": corrected}
    return {**news, "mask": b64encode(packed(shown.ids)).decode()} if with_mask else news
