"""Makes the animation of the README: the demo clips with the masks of the packaged weights, as an animated WebP.

python scripts/readme_animation.py
python scripts/readme_animation.py --clips car-shadow --output car-shadow.webp

Every frame of a clip is segmented from the mask of its first frame; every second one is drawn. Nothing is retouched.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

import cyclevos
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import blend
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.pictures.mask_files import read_mask

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "src" / "cyclevos" / "demo"
CLIPS = ("bmx-trees", "car-shadow")
STRIDE = 2
FRAME_MS = 1000 * STRIDE // 24  # the clips have 24 frames per second


def main() -> None:
    """Read the arguments, segment the clips and write the animation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="+", choices=CLIPS, default=list(CLIPS), help="demo clips, in this order")
    parser.add_argument("--width", type=int, default=640, help="width of the animation in pixels")
    parser.add_argument("--quality", type=int, default=70, help="quality of the WebP frames, 0 to 100")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "demo.webp")
    arguments = parser.parse_args()
    network = cyclevos.load_network("default")
    pictures = [picture for name in arguments.clips for picture in draw(network, name, arguments.width)]
    pictures[0].save(
        arguments.output,
        save_all=True,
        append_images=pictures[1:],
        duration=FRAME_MS,
        loop=0,
        quality=arguments.quality,
        method=6,
    )
    width, height = pictures[0].size
    megabytes = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: {len(pictures)} frames of {width}x{height} pixels, {megabytes:.2f} MB")


def draw(network: SpaceTimeMemoryNetwork, name: str, width: int) -> Iterator[Image.Image]:
    """Segment a demo clip and yield every second frame with its masks, scaled to a width in pixels."""
    mask = read_mask(DEMO / f"{name}.png").ids
    source = open_source(DEMO / f"{name}.mp4")
    images = (frame.image for frame in source)
    for frame, prediction in zip(source, cyclevos.segment(network, images, {0: mask}), strict=True):
        if prediction.index % STRIDE == 0:
            picture = Image.fromarray(blend(frame.image, prediction.ids))
            height = round(width * picture.height / picture.width)
            yield picture.resize((width, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
