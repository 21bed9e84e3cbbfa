"""What first-frame and first-mask share: whether the mask is a file of its own, and the command that uses it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from cyclevos.errors import MaskError
from cyclevos.naming import is_mask_file


def is_file_of_its_own(output: Path, index: int) -> bool:
    """Return whether ``--output`` names the mask's file, rather than a folder.

    Raises:
        MaskError: it does, but the mask is not that of the first frame.
    """
    single = is_mask_file(output) and not output.is_dir()
    if single and index:
        raise MaskError(
            f"{output} would be used for the first frame, as every mask in a file of its own is, and not for frame "
            f"{index}.",
            "Give a folder as --output.",
        )
    return single


def segment_command(
    source: str | Path, start: Sequence[str | Path], output: str, index: int, *, deinterlace: bool
) -> str:
    """Return the command that segments a video from one of its frames.

    Args:
        source: as the user gave it.
        start: the options that say where the objects are.
        output: folder of the results.
        index: of the frame.
        deinterlace: as for the frame.
    """
    options = [*(["--direction", "both"] if index else []), *(["--deinterlace"] if deinterlace else [])]
    return shlex.join(map(str, ["cyclevos", "segment", source, *start, "--output", output, *options]))
