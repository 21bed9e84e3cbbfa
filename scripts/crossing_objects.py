"""Makes a data set of objects that cross: cut-outs of DAVIS-2016 sequences, moved over frames of another one.

Each clip shows the object of its background sequence, large as it is, and up to four others: the objects of three other
sequences, and a mirrored twin of one of them. They start on two sides of a point and hide one another as they pass it;
with --over-object, that point moves with the object of the background, which they hide as well. How far they go is a
multiple of their own length, so that clips of one kind differ in the size of their objects alone.

Small ones (docs/results/size.md), then pairs and triples (docs/results/levers.md):

python scripts/crossing_objects.py data/DAVIS-2016 --output data/small-objects
python scripts/crossing_objects.py data/DAVIS-2016 --travellers 1 --over-object --lengths 90,130 --frames 30 \
    --backgrounds 4 --output data/pairs
python scripts/crossing_objects.py data/DAVIS-2016 --travellers 2 --over-object --lengths 90 --frames 30 \
    --backgrounds 4 --output data/triples
cyclevos benchmark data/small-objects --corrections off --sizes 544,auto --output runs/small-objects

The default sequences are those that the packaged network has not been trained on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyclevos.media.writers import write_mask
from cyclevos.pictures.mask_files import read_mask

HELD_BACK = ("car-turn", "dance-jump", "mallard-fly", "scooter-gray")
LENGTHS = (12, 17, 24, 34, 48)  # square roots of the areas in the first frame, in pixels of 512x288
_STARTS = (-0.9, 0.9, -2.0, 2.0)  # lengths from the point that all pass, of each object in turn
_TRAVEL = 2.5  # lengths that each goes, towards that point and past it
_SPREAD = 0.3  # lengths by which a path may begin or end elsewhere

# Shapes: H W pixels of a frame, h w pixels of a cut-out.


@dataclass(frozen=True)
class Sequence:
    """The frames of a sequence with the masks of its only object, in order."""

    frames: list[Path]
    masks: list[Path]

    @classmethod
    def find(cls, davis: Path, name: str) -> Sequence:
        """List a sequence of a DAVIS folder."""
        folders = [(davis / kind / "480p" / name, end) for kind, end in (("JPEGImages", "jpg"), ("Annotations", "png"))]
        return cls(*(sorted(folder.glob(f"*.{end}")) for folder, end in folders))

    def read(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return a frame uint8 (H,W,3) and the object's pixels (H,W)."""
        with Image.open(self.frames[index]) as image:
            return np.array(image.convert("RGB")), read_mask(self.masks[index]).ids == 1


@dataclass(frozen=True)
class Traveller:
    """A small object on its way: the cut-outs of a sequence along a straight line.

    Attributes:
        sequence: that it is cut out of.
        start: index of its first frame there.
        scale: of its pixels.
        mirrored: left and right are swapped.
        path: (x, y) of the object's centre in each frame of the clip, (N,2).
    """

    sequence: Sequence
    start: int
    scale: float
    mirrored: bool
    path: NDArray[np.float64]

    def paint(self, index: int, frame: NDArray[np.uint8], ids: NDArray[np.uint8], object_id: int) -> None:
        """Paint the object over frame `index` (H,W,3) of the clip and its ids (H,W), in place."""
        image, mask = self.sequence.read(self.start + index)
        if not mask.any():
            return
        rows, columns = np.nonzero(mask)
        box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        size = tuple(max(1, round(self.scale * side)) for side in (box[2] - box[0], box[3] - box[1]))
        cut = np.array(Image.fromarray(image).crop(box).resize(size, Image.Resampling.LANCZOS))
        cover = Image.fromarray(np.uint8(mask) * 255).crop(box).resize(size, Image.Resampling.BOX)
        alpha = np.array(cover, np.float32)[..., None] / 255  # (h,w,1)
        if self.mirrored:
            cut, alpha = cut[:, ::-1], alpha[:, ::-1]
        left, top = (round(at - side / 2) for at, side in zip(self.path[index], size, strict=True))
        down, right = ids.shape
        there = np.s_[max(top, 0) : min(top + size[1], down), max(left, 0) : min(left + size[0], right)]
        here = np.s_[there[0].start - top : there[0].stop - top, there[1].start - left : there[1].stop - left]
        if there[0].start >= there[0].stop or there[1].start >= there[1].stop:
            return
        frame[there] = np.rint(alpha[here] * cut[here] + (1 - alpha[here]) * frame[there])
        ids[there][alpha[here][..., 0] > 0.5] = object_id


@dataclass(frozen=True)
class Kind:
    """What the clips of a data set have in common.

    Attributes:
        travellers: how many objects move over the background.
        over_object: they pass the object of the background, not a point.
        frames: of each clip.
    """

    travellers: int
    over_object: bool
    frames: int


def make_clip(
    sequences: dict[str, Sequence], background: str, length: int, kind: Kind, rng: np.random.Generator, output: Path
) -> str:
    """Write one clip in DAVIS's layout and return its name."""
    name, frames = f"{background}-{length:02d}", kind.frames
    ground = sequences[background]
    first = int(rng.integers(0, len(ground.frames) - frames + 1))
    height, width = read_mask(ground.masks[0]).ids.shape
    others = [each for other, each in sequences.items() if other != background]
    rng.shuffle(others)
    middle = _middle(ground, first, (width, height), length, kind, rng)
    travellers = _travellers(others, middle, length, kind, rng)
    pictures, masks = (output / folder / "480p" / name for folder in ("JPEGImages", "Annotations"))
    for folder in (pictures, masks):
        folder.mkdir(parents=True, exist_ok=True)
    for index in range(frames):
        frame, mask = ground.read(first + index)
        ids = mask.astype(np.uint8)
        for object_id, traveller in enumerate(travellers, start=2):
            traveller.paint(index, frame, ids, object_id)
        Image.fromarray(frame).save(pictures / f"{index:05d}.jpg", quality=90)
        write_mask(masks / f"{index:05d}.png", ids)
    return name


def _middle(
    ground: Sequence, first: int, size: tuple[int, int], length: int, kind: Kind, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return the point (x, y) that all pass, in each frame of size (W, H) of a clip: (N,2)."""
    if not kind.over_object:
        reach = np.array((max(_STARTS) + 1, 1.5)) * length  # what the paths take on either side, (x, y)
        return np.tile(rng.uniform(reach, size - reach), (kind.frames, 1))
    centres = []
    for index in range(kind.frames):
        rows, columns = np.nonzero(ground.read(first + index)[1])
        if not len(rows) and not centres:
            raise SystemExit(f"The background shows no object in its frame {first}, which --over-object follows.")
        centres.append((columns.mean(), rows.mean()) if len(rows) else centres[-1])
    return np.array(centres)


def _travellers(
    sequences: list[Sequence], middle: NDArray[np.float64], length: int, kind: Kind, rng: np.random.Generator
) -> list[Traveller]:
    """Send the objects of up to three sequences, and a twin of the first, on their ways past a point (N,2)."""
    found = []
    for number, sequence in enumerate([*sequences, sequences[0]][: kind.travellers]):
        start = int(rng.integers(0, len(sequence.frames) - kind.frames + 1))
        area = max(1, np.count_nonzero(sequence.read(start)[1]))
        begin = _STARTS[number]
        ends = length * np.array([(begin, 0), (begin - np.sign(begin) * _TRAVEL, 0)])
        ends += rng.uniform(-_SPREAD, _SPREAD, (2, 2)) * length
        path = middle + np.linspace(*ends, kind.frames)
        found.append(Traveller(sequence, start, length / np.sqrt(area), number == len(sequences), path))
    return found


def main() -> None:
    """Read the arguments and write the data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("davis", type=Path, help="folder that holds JPEGImages and Annotations")
    parser.add_argument("--output", type=Path, required=True, help="folder of the new data set")
    parser.add_argument("--sequences", default=",".join(HELD_BACK), help="two to four, separated by commas")
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)), help="of the objects, in pixels")
    parser.add_argument("--travellers", type=int, choices=(1, 2, 3, 4), default=4, help="objects beside its own")
    parser.add_argument("--over-object", action="store_true", help="they pass the object of the background")
    parser.add_argument("--frames", type=int, default=10, help="of each clip")
    parser.add_argument("--backgrounds", type=int, default=2, help="clips for each length")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sequences = {name: Sequence.find(arguments.davis, name) for name in arguments.sequences.split(",")}
    kind = Kind(arguments.travellers, arguments.over_object, arguments.frames)
    names = []
    for number, length in enumerate(int(text) for text in arguments.lengths.split(",")):
        for turn in range(arguments.backgrounds):
            background = list(sequences)[(number * arguments.backgrounds + turn) % len(sequences)]
            rng = np.random.default_rng((arguments.seed, length, turn))
            names.append(make_clip(sequences, background, length, kind, rng, arguments.output))
    listed = arguments.output / "ImageSets" / "2017" / "val.txt"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.write_text("\n".join(names) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
