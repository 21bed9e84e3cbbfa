"""Where the frames, masks and split lists of a data set are: DAVIS, YouTube-VOS and plain folders.

There are three layouts, each with `JPEGImages` next to `Annotations`:
    davis        JPEGImages/<resolution>/<sequence>/*.jpg, ImageSets/<year>/<split>.txt
    youtube-vos  <split>/JPEGImages/<sequence>/*.jpg
    plain        JPEGImages/<sequence>/*.jpg
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path, PurePosixPath

from cyclevos.errors import DatasetError
from cyclevos.naming import IMAGE_SUFFIXES, by_frame_name, list_frames, list_masks
from cyclevos.pictures.sequence_masks import SequenceMasks

LAYOUTS = ("auto", "davis", "youtube-vos", "plain")
FRAMES_FOLDER = "JPEGImages"
LISTS_FOLDER = "ImageSets"
PREFERRED_RESOLUTION = "480p"


@dataclass(frozen=True)
class Sequence:
    """One video of a data set: its frames in time order, and the masks of its annotated frames.

    Attributes:
        name: the sequence folder's name.
        frames: image files in time order; empty if the data set was opened without frames.
        annotations: mask file of each annotated frame by the frame's name, in time order.
    """

    name: str
    frames: list[Path]
    annotations: dict[str, Path]

    @property
    def frame_names(self) -> list[str]:
        """Names of the frames in time order: their file names without the ending."""
        return [frame.stem for frame in self.frames]

    @cached_property
    def masks(self) -> SequenceMasks:
        """Reader of the masks, which decides once what 255 means in this sequence."""
        return SequenceMasks(self.annotations.values())

    @property
    def first_annotated(self) -> str:
        """Name of the first frame that has a mask.

        Raises:
            DatasetError: no frame of the sequence has one.
        """
        if not self.annotations:
            raise DatasetError(
                f"Sequence '{self.name}' has no mask for any of its frames; expected at least one.",
                "Check the annotations folder, or leave the sequence out.",
            )
        return next(iter(self.annotations))


@dataclass(frozen=True)
class Dataset:
    """A data set's sequences, as found on disk.

    Attributes:
        name: the names of the root folder and the split, for reports.
        sequences: in the order of the split list, or sorted by name without a list.
    """

    name: str
    sequences: list[Sequence]

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    def select(self, names: Iterable[str]) -> Dataset:
        """Return the data set with the named sequences only, in its own order.

        Raises:
            DatasetError: a name is not in the data set; the message lists the nearest ones.
        """
        wanted = list(names)
        known = [sequence.name for sequence in self.sequences]
        for name in wanted:
            if name not in known:
                raise DatasetError(f"There is no sequence '{name}' in {self.name}.", _nearest(name, known))
        if not wanted:
            raise DatasetError(
                "No sequence was requested; expected at least one.", f"{self.name} has {_listing(known)}."
            )
        return replace(self, sequences=[each for each in self.sequences if each.name in wanted])


def open_dataset(
    root: str | Path,
    split: str | None = None,
    *,
    layout: str = "auto",
    year: int | None = None,
    annotations: str = "Annotations",
    annotation_root: str | Path | None = None,
    resolution: str | None = None,
    sequences: Iterable[str] | None = None,
    need_frames: bool = True,
) -> Dataset:
    """Find the sequences of a data set.

    Args:
        root: the folder that holds `JPEGImages` (YouTube-VOS: the one that holds the splits).
        split: a list in `ImageSets` (DAVIS) or a subfolder (YouTube-VOS); None, "all" or "none" takes
            every sequence.
        layout: one of `LAYOUTS`; "auto" looks at the folders.
        year: 2016 or 2017; None takes the newest that has the split.
        annotations: name of the folder with the masks.
        annotation_root: folder that holds it; None takes the folder that holds `JPEGImages`.
        resolution: DAVIS's folder below `JPEGImages`; None takes 480p, or the only one.
        sequences: keep only these.
        need_frames: False accepts a data set of masks alone, which is enough for scoring.

    Returns:
        The data set. An annotated frame is one whose mask file exists; sequences may have none.

    Raises:
        DatasetError: a folder, split, sequence or frame is missing or ambiguous.
    """
    root = Path(root)
    split = None if split in (None, "all", "none") else split
    contents = [FRAMES_FOLDER] if need_frames else [FRAMES_FOLDER, annotations]
    layout = _resolve_layout(root, layout, contents)
    base = _split_folder(root, split, contents) if layout == "youtube-vos" else root
    mask_base = base
    if annotation_root is not None:
        mask_base = Path(annotation_root)
        if layout == "youtube-vos" and (mask_base / base.name / annotations).is_dir():
            mask_base /= base.name
    mask_folder = _resolution_folder(mask_base / annotations, resolution)
    frame_folder = None
    if need_frames or (base / FRAMES_FOLDER).is_dir():
        frame_folder = _resolution_folder(base / FRAMES_FOLDER, resolution)
    listed_folder = frame_folder or mask_folder
    if split is None or layout == "youtube-vos":
        names = [folder.name for folder in _subfolders(listed_folder)]
    elif layout == "davis":
        names = _read_split(root, split, year, listed_folder.name)
    else:
        raise DatasetError(
            f"Split '{split}' was requested, but {root} has no {LISTS_FOLDER} lists and no split folders.",
            "Use split 'all' to take every sequence.",
        )
    dataset = Dataset(
        name=f"{root.name}/{split}" if split else root.name,
        sequences=[_read_sequence(name, frame_folder, mask_folder) for name in names],
    )
    if not dataset.sequences:
        raise DatasetError(
            f"{listed_folder} holds no sequence; expected a folder of frames for each.", "Check the data set's root."
        )
    return dataset if sequences is None else dataset.select(sequences)


def _resolve_layout(root: Path, layout: str, contents: list[str]) -> str:
    """Decide which layout a root has; in every layout, one of the folders `contents` exists."""
    if layout not in LAYOUTS:
        raise DatasetError(f"The layout '{layout}' is unknown.", f"Use one of {', '.join(LAYOUTS)}.")
    if not root.is_dir():
        raise DatasetError(
            f"The data set folder {root} does not exist.",
            "Check the path.",
        )
    if layout != "auto":
        return layout
    if present := _present(root, contents):
        nested = _resolution_folders(present[0])
        return "davis" if nested or (root / LISTS_FOLDER).is_dir() else "plain"
    if any(_present(folder, contents) for folder in _subfolders(root)):
        return "youtube-vos"
    wanted = " or ".join(contents)
    raise DatasetError(
        f"{root} is not a data set: expected {wanted} in it (DAVIS or plain folders) or in its split folders "
        f"(YouTube-VOS), found {_listing([folder.name + '/' for folder in _subfolders(root)])}.",
        "Give the folder that holds them.",
    )


def _present(folder: Path, contents: list[str]) -> list[Path]:
    """Return those of the named subfolders that exist."""
    return [folder / name for name in contents if (folder / name).is_dir()]


def _split_folder(root: Path, split: str | None, contents: list[str]) -> Path:
    """Find the folder of a YouTube-VOS split; without a name, there must be only one."""
    found = [folder for folder in _subfolders(root) if _present(folder, contents)]
    names = [folder.name for folder in found]
    if split is None and len(found) == 1:
        return found[0]
    if split is None:
        raise DatasetError(f"{root} has the splits {_listing(names)}.", "Name one of them.")
    if split not in names:
        raise DatasetError(f"There is no split '{split}' in {root}.", _nearest(split, names))
    return root / split


def _resolution_folders(folder: Path) -> list[Path]:
    """List the subfolders that hold folders, not images: DAVIS's resolutions."""
    return [child for child in _subfolders(folder) if _subfolders(child)]


def _resolution_folder(folder: Path, resolution: str | None) -> Path:
    """Return the resolution folder if the layout has one, else the folder itself."""
    if not folder.is_dir():
        raise DatasetError(f"The folder {folder} does not exist.", "Check the data set's root and folder names.")
    found = {child.name: child for child in _resolution_folders(folder)}
    if not found:
        return folder
    if resolution is not None and resolution not in found:
        raise DatasetError(f"There is no resolution '{resolution}' in {folder}.", f"It has {_listing(list(found))}.")
    chosen = resolution or (PREFERRED_RESOLUTION if PREFERRED_RESOLUTION in found else None)
    if chosen is None and len(found) > 1:
        raise DatasetError(f"{folder} has the resolutions {_listing(list(found))}.", "Name one of them.")
    return found[chosen] if chosen else next(iter(found.values()))


def _read_split(root: Path, split: str, year: int | None, resolution: str) -> list[str]:
    """Read a split list: a sequence per line, or DAVIS-2016's pairs of image and mask paths."""
    if year not in (None, 2016, 2017):
        raise DatasetError(f"The DAVIS year {year} is unknown; expected 2016 or 2017.", "Use one of these.")
    # DAVIS-2016 as first published files its lists under the resolution.
    folders = ["2017"] if year == 2017 else ["2016", resolution]
    if year is None:
        folders = ["2017", "2016", resolution, "."]
    for folder in folders:
        path = root / LISTS_FOLDER / folder / f"{split}.txt"
        if path.is_file():
            return _parse_split(path)
    found = [f"{p.parent.name}/{p.stem}" for p in sorted((root / LISTS_FOLDER).glob("**/*.txt"))]
    asked = f"'{split}'" if year is None else f"'{split}' of {year}"
    raise DatasetError(
        f"There is no split {asked} in {root / LISTS_FOLDER}; it has {_listing(found)}.",
        "Use one of these, or split 'all' to take every sequence.",
    )


def _parse_split(path: Path) -> list[str]:
    """Sequence names of a list file, each once, in the file's order."""
    names: dict[str, None] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words:
            names[PurePosixPath(words[0]).parent.name if "/" in words[0] else words[0]] = None
    return list(names)


def _read_sequence(name: str, frame_folder: Path | None, mask_folder: Path) -> Sequence:
    """List one sequence's files and match its masks to its frames."""
    frames = {} if frame_folder is None else _files(frame_folder / name, partial(list_frames, error=DatasetError))
    if frame_folder is not None and not frames:
        raise DatasetError(
            f"Sequence '{name}' has no frames: {frame_folder / name} is missing or holds no "
            f"{', '.join(sorted(IMAGE_SUFFIXES))} file.",
            "Complete the data set, or leave the sequence out.",
        )
    masks = _files(mask_folder / name, partial(list_masks, error=DatasetError))
    stray = [stem for stem in masks if stem not in frames]
    if frames and stray:
        raise DatasetError(
            f"Sequence '{name}' has a mask for frame '{stray[0]}' ({masks[stray[0]]}), but that frame does not exist; "
            f"its frames are '{next(iter(frames))}' to '{next(reversed(frames))}'.",
            "Add the frame, or remove the mask.",
        )
    return Sequence(name=name, frames=list(frames.values()), annotations=masks)


def _files(folder: Path, listed: Callable[[Path], list[Path]]) -> dict[str, Path]:
    """Return files of one kind by frame name, in natural order; none if the folder does not exist."""
    return by_frame_name(listed(folder), DatasetError) if folder.is_dir() else {}


def _subfolders(folder: Path) -> list[Path]:
    """Visible subfolders by name."""
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _listing(names: list[str], limit: int = 12) -> str:
    """List names in a message, at most `limit` of them."""
    shown = ", ".join(names[:limit]) or "nothing"
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def _nearest(name: str, known: list[str]) -> str:
    """Suggest the known names nearest to a misspelt one, or list them, as a sentence."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"Did you mean {', '.join(close)}?" if close else f"It has {_listing(known)}."
