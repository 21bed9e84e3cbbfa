"""Segments the bundled clips from the masks of their first frames and makes a contact sheet of each (``make demo``).

The clips are those of the installed package, so ``python scripts/demo.py`` also demonstrates an installed wheel.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import cyclevos
from cyclevos.errors import CycleVOSError
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.contact_sheet import contact_sheet
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import blend
from cyclevos.pictures.mask_files import read_ground_truth

DEMO = Path(cyclevos.__file__).parent / "demo"
PICTURES = 12


def main() -> None:
    """Segment every clip and print where its results are."""
    clips = {clip.stem: clip for clip in sorted(DEMO.glob("*.mp4"))}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="folder of the results")
    parser.add_argument("--clip", choices=list(clips), help="segment this clip only")
    arguments = parser.parse_args()
    for clip in [clips[arguments.clip]] if arguments.clip else clips.values():
        folder = arguments.output / clip.stem
        job = SegmentJob(
            clip, clip.with_suffix(".png"), folder, results=OutputSettings(overwrite=True), title=clip.stem
        )
        try:
            result = run_job(job)
        except CycleVOSError as error:
            sys.exit(f"error: {error}")
        sheet = write_contact_sheet(clip, folder, result.frames)
        print(f"{clip.stem}: {result.frames} frames, objects {', '.join(map(str, result.object_ids))}")
        print(f"  masks          {folder}/00000.png ... (indexed PNGs)")
        print(f"  overlay video  {folder / 'overlay.mp4'}")
        print(f"  contact sheet  {sheet}")


def write_contact_sheet(clip: Path, folder: Path, frames: int) -> Path:
    """Write a picture of frames with their masks, spread evenly over the clip, and return its path."""
    wanted = set(np.linspace(0, frames - 1, PICTURES).round().astype(int).tolist())
    pictures, labels = [], []
    for frame in open_source(clip):
        if frame.index in wanted:
            pictures.append(blend(frame.image, read_ground_truth(folder / f"{frame.name}.png").ids))
            labels.append(f"frame {frame.index}")
    path = folder.parent / f"{clip.stem}-contact-sheet.png"
    Image.fromarray(contact_sheet(pictures, labels)).save(path)
    return path


if __name__ == "__main__":
    main()
