"""What ``make demo`` runs: segments the bundled clips from their first masks and makes a contact sheet of each."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.errors import CycleVOSError
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.contact_sheet import contact_sheet
from cyclevos.media.open_source import open_source
from cyclevos.media.overlay import blend
from cyclevos.pictures.mask_files import read_ground_truth

DEMO = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo"
PICTURES = 12


def main() -> None:
    """Segment every clip and say where the results are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    arguments = parser.parse_args()
    for clip in sorted(DEMO.glob("*.mp4")):
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
    """Picture of frames spread over the clip with their masks."""
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
