"""The zip file for a challenge server; its contents are checked before anything is written.

DAVIS expects `<sequence>/<frame>.png` for every frame; YouTube-VOS expects `Annotations/<sequence>/<frame>.png`
for the frames that its `meta.json` lists.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

from PIL import Image

from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.datasets.youtube_meta import YouTubeMeta
from cyclevos.errors import DatasetError
from cyclevos.evaluation.mask_pairs import read_ids, read_truth
from cyclevos.evaluation.protocols import ids_in
from cyclevos.files.atomic import replacing
from cyclevos.labels import IGNORE
from cyclevos.naming import size_text
from cyclevos.pictures.images import upright_size
from cyclevos.words import counted, listed

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip can store; constant, so that equal masks give equal bytes


def write_submission(
    results_dir: str | Path, dataset: Dataset, output: str | Path, *, folder: str = "", meta: YouTubeMeta | None = None
) -> int:
    """Check a folder of results and write it as a zip, completely or not at all.

    Args:
        results_dir: holds `<sequence>/<frame>.png`.
        dataset: the split that the server scores, with its frames and the first masks of its objects.
        output: the zip.
        folder: the zip's folder that holds the sequences; "" puts them at its root.
        meta: the frames that the server scores; None takes every frame of the data set.

    Returns:
        The number of masks in the zip.

    Raises:
        DatasetError: a mask is missing, broken, not indexed, differs in size from its frame or holds an id that no
            annotation has; or `meta` does not match the data set.
        OutputError: the zip cannot be written.
    """
    results_dir = Path(results_dir)
    wanted = {sequence.name: _asked_frames(sequence, meta) for sequence in dataset}
    _check_complete(results_dir, wanted)
    for sequence in dataset:
        _check_masks(results_dir / sequence.name, sequence, wanted[sequence.name])
    files = sorted(f"{name}/{frame}.png" for name, frames in wanted.items() for frame in frames)
    with replacing(Path(output)) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
        for name in files:
            entry = zipfile.ZipInfo(f"{folder}/{name}" if folder else name, _EPOCH)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(entry, (results_dir / name).read_bytes())
    return len(files)


def _asked_frames(sequence: Sequence, meta: YouTubeMeta | None) -> list[str]:
    """Names of the frames whose masks the server scores."""
    if meta is None:
        return sequence.frame_names
    video = meta.videos.get(sequence.name)
    asked = [] if video is None else video.frames
    if not asked:
        raise DatasetError(
            f"The meta file lists no frame of sequence '{sequence.name}'.", "Give the meta.json of this split."
        )
    known = set(sequence.frame_names)
    absent = [name for name in asked if name not in known]
    if absent:
        raise DatasetError(
            f"The meta file lists frame '{absent[0]}' of sequence '{sequence.name}', but that frame does not exist.",
            "Give the meta.json of this split.",
        )
    return asked


def _check_complete(results_dir: Path, wanted: dict[str, list[str]]) -> None:
    """List the missing masks of all sequences at once."""
    missing = [
        f"{name}/{frame}.png"
        for name, frames in wanted.items()
        for frame in frames
        if not (results_dir / name / f"{frame}.png").is_file()
    ]
    if missing:
        total = sum(map(len, wanted.values()))
        raise DatasetError(
            f"{results_dir} lacks {len(missing)} of the {counted(total, 'mask')} that the server scores: "
            f"{listed(missing)}.",
            "Segment the missing sequences.",
        )


def _check_masks(results_dir: Path, sequence: Sequence, wanted: list[str]) -> None:
    """Refuse masks that the server would refuse or would score wrongly."""
    known: set[int] = set()
    for name in sequence.annotations:
        known |= ids_in(read_truth(sequence, name)) - {IGNORE}
    if not known:
        raise DatasetError(
            f"Sequence '{sequence.name}' has no annotation that shows an object, so its results cannot be checked.",
            "Complete the data set's annotations.",
        )
    frames = dict(zip(sequence.frame_names, sequence.frames, strict=True))
    for name in wanted:
        path = results_dir / f"{name}.png"
        ids = read_ids(path)
        size = upright_size(frames[name])
        with Image.open(path) as mask:
            mode = mask.mode
        if mode != "P":
            raise DatasetError(
                f"{path} has mode {mode}; expected an indexed PNG with a palette.", "Write it with cyclevos."
            )
        if ids.shape != size:
            raise DatasetError(
                f"{path} is {size_text(ids.shape)} but its frame is {size_text(size)}.",
                "Write results in the size of the frames.",
            )
        unknown = sorted(ids_in(ids) - known)
        if unknown:
            raise DatasetError(
                f"{path} holds the ids {', '.join(map(str, unknown))}, which no annotation of '{sequence.name}' has; "
                f"expected 0 and {', '.join(map(str, sorted(known)))}.",
                "Write results with the ids of the annotations.",
            )
