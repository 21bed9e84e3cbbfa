"""Makes the demo clips from DAVIS frames: an H.264 video and the mask of the first frame of each sequence.

python scripts/make_demo_clips.py data/DAVIS-2016 blackswan
python scripts/make_demo_clips.py data/DAVIS-2016 bmx-trees --annotations data/DAVIS-2017/Annotations
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import av
from PIL import Image

DEMO = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo"


def main() -> None:
    """Read the arguments and write the clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path, help="folder that holds JPEGImages and Annotations")
    parser.add_argument("sequence")
    parser.add_argument("--annotations", type=Path, help="another folder of masks that contains 480p/SEQUENCE")
    parser.add_argument("--output", type=Path, default=DEMO)
    arguments = parser.parse_args()
    masks = (arguments.annotations or arguments.davis / "Annotations") / "480p" / arguments.sequence
    frames = sorted((arguments.davis / "JPEGImages" / "480p" / arguments.sequence).glob("*.jpg"))
    arguments.output.mkdir(parents=True, exist_ok=True)
    encode(frames, arguments.output / f"{arguments.sequence}.mp4")
    shutil.copyfile(masks / f"{frames[0].stem}.png", arguments.output / f"{arguments.sequence}.png")


def encode(frames: list[Path], path: Path, rate: int = 24) -> None:
    """Write frames as an H.264 video that common players can show."""
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "24", "preset": "slow"})
        with Image.open(frames[0]) as first:
            stream.width, stream.height = first.width // 2 * 2, first.height // 2 * 2
        stream.pix_fmt = "yuv420p"
        for file in frames:
            with Image.open(file) as image:
                container.mux(stream.encode(av.VideoFrame.from_image(image.convert("RGB"))))
        container.mux(stream.encode())


if __name__ == "__main__":
    main()
