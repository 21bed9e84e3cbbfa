"""The masks drawn over the video: blending, and an H.264 file that plays in browsers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.playback import Playback
from cyclevos.media.video_encoding import H264, VideoEncoder
from cyclevos.media.writers import ResultWriter
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours


def blend(image: UInt8Array, ids: UInt8Array, palette: bytes | None = None, alpha: float = 0.5) -> UInt8Array:
    """Blend the objects' colours into an image and draw a contour one pixel wide along their inner edge.

    Args:
        image: uint8 RGB (H, W, 3); not changed.
        ids: object ids, uint8 (H, W); background (0) is not coloured.
        palette: 768 bytes of RGB; None for the DAVIS palette.
        alpha: weight of the colour, 0..1; the contour is always opaque.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        ValueError: alpha is out of range.

    >>> blend(np.full((1, 1, 3), 100, np.uint8), np.array([[1]], np.uint8), alpha=0.25)[0, 0].tolist()
    [107, 75, 75]
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha in 0..1, got {alpha}")
    result: UInt8Array = image.copy()
    covered = ids > 0
    colours = palette_colours(palette)[ids[covered]]  # (pixels, 3)
    result[covered] = (image[covered] * (1 - alpha) + colours * alpha).astype(np.uint8)
    edge = inner_contour(ids)
    result[edge] = palette_colours(palette)[ids[edge]]
    return result


class OverlayWriter(ResultWriter):
    """An MP4 of the blended frames, in the order in which they arrive, each at its time.

    Args:
        path: the MP4.
        frame_rate: frames per second; None for 24.
        appearance: its palette colours the objects.
        alpha: see :func:`blend`.
        playback: how the source of the frames is played: its clock, pixel aspect and sound are kept.

    Raises:
        OutputError: this build of PyAV has no H.264 encoder.
    """

    def __init__(
        self,
        path: str | Path,
        frame_rate: Fraction | float | None = None,
        appearance: Appearance = PLAIN,
        alpha: float = 0.5,
        playback: Playback | None = None,
    ) -> None:
        self.path = Path(path)
        self._palette, self._alpha = appearance.palette, alpha
        self._encoder = VideoEncoder(path, H264, frame_rate, playback)

    def write(self, result: FrameResult) -> None:
        """Encode one frame.

        Raises:
            ValueError: the ids or the frame have another size than the first frame.
            OutputError: the system refuses to write, or the encoder refuses the size.
        """
        result.check_ids()
        image = blend(result.frame.image, result.ids, self._palette, self._alpha)
        self._encoder.write(image, result.frame.time)

    def close(self) -> None:
        """Complete the file and give it its final name; without frames, no file is written."""
        self._encoder.close()

    def abort(self) -> None:
        """Delete what was encoded so far."""
        self._encoder.abort()


def inner_contour(ids: UInt8Array) -> npt.NDArray[np.bool_]:
    """Mark the object pixels whose neighbour above, below, left or right has another id, bool (H, W)."""
    edge = np.zeros(ids.shape, np.bool_)
    below = ids[1:] != ids[:-1]
    differs = ids[:, 1:] != ids[:, :-1]
    edge[1:] |= below
    edge[:-1] |= below
    edge[:, 1:] |= differs
    edge[:, :-1] |= differs
    return edge & (ids > 0)
