"""The clip that the benchmarks of the app work on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from cyclevos.app.projects.demos import DEMO
from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_mask


def write_clip(path: Path, height: int, frames: int) -> tuple[Path, np.ndarray[Any, Any]]:
    """Write the bundled clip at a height, to and fro until it has enough frames; return it and the first mask."""
    source = open_source(DEMO / "car-shadow.mp4")
    width = round(height * source.size[1] / source.size[0] / 2) * 2
    pictures = []
    for frame in source:
        if frame.index == frames:
            break
        pictures.append(Image.fromarray(frame.image).resize((width, height), Image.Resampling.BICUBIC))
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            picture = there_and_back[index % len(there_and_back)]
            file.mux(stream.encode(av.VideoFrame.from_image(picture)))
        file.mux(stream.encode())
    ids = Image.fromarray(read_mask(DEMO / "car-shadow.png").ids)
    return path, np.array(ids.resize((width, height), Image.Resampling.NEAREST))
