"""Where in an archive or a folder the masks are that a user gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.archives import is_archive, unpacked
from cyclevos.exchange.formats import detect
from cyclevos.naming import is_frame_file, list_files, list_folders
from cyclevos.words import listed

_DEPTH = 4  # folders below the given one
_FOLDERS = 300  # that are looked into
_FILES = 30  # of a folder that are looked at
# Pictures may be masks or frames; so a folder of them counts only where nothing says more.
_PICTURES = frozenset({"masks", "objects"})
_NAMES_OF_FRAMES = frozenset({"images", "imgs", "img", "frames", "jpegimages", "data", "rgb", "obj_train_data"})


@dataclass(frozen=True)
class Place:
    """Where the masks are.

    Attributes:
        path: the file or folder to read.
        kind: its format, as the user named it or as it was recognised; None = not yet.
        note: what was read, if it is not what the user gave; else None.
        given: what the user gave.
        root: the folder into which it was unpacked; None if it is no archive.
    """

    path: Path
    kind: str | None
    note: str | None
    given: Path
    root: Path | None = None

    def shown(self, text: str) -> str:
        """Return a text with the archive's name in place of the folder that it was unpacked into."""
        return text if self.root is None else text.replace(str(self.root), str(self.given))


@contextmanager
def find_masks(given: Path, kind: str | None = None) -> Iterator[Place]:
    """Find the masks in what a user gives: there, in an archive, or in a folder within a folder.

    Archives are unpacked into a folder that is removed when the block ends, so masks must have been read by then.
    Within the block, errors name the archive and not that folder.

    Args:
        given: a file or folder.
        kind: name of the masks' format; None = recognise it.

    Raises:
        MaskError: the archive cannot be read, or it holds no masks or several.
    """
    if not is_archive(given):
        yield _in_folder(given, kind) if kind is None and given.is_dir() else Place(given, kind, None, given)
        return
    with unpacked(given) as root:
        try:
            yield _in_archive(root, given, kind)
        except MaskError as error:
            place = Place(root, kind, None, given, root)
            raise MaskError(place.shown(error.problem), place.shown(error.remedy)) from error


def _in_folder(given: Path, kind: str | None) -> Place:
    """Return the folder itself if it is recognised, else the one thing in it that is."""
    whole = _kind(given)
    if whole is not None and not (whole == "objects" and _holds_frames(given)):
        return Place(given, whole, None, given)
    found = _found(given, kind)
    if len(found) != 1:
        return Place(given, None, None, given)  # reading it says what is wrong
    path, recognised = found[0]
    note = f"{given}: the masks were read from {path.relative_to(given).as_posix()} ({recognised})."
    return Place(path, recognised, note, given)


def _in_archive(root: Path, given: Path, kind: str | None) -> Place:
    found = _found(root, kind)
    if not found:
        as_what = "a known format" if kind is None else f"the format {kind}"
        raise MaskError(f"{root} holds no masks in {as_what}.", "Unpack it and give the file or folder of the masks.")
    if len(found) > 1:
        things = [f"{path.relative_to(root).as_posix()} ({each})" for path, each in found]
        raise MaskError(
            f"{root} holds several things that could be the masks: {listed(things, most=5)}.",
            "Unpack it and give the right one.",
        )
    path, recognised = found[0]
    inside = path.relative_to(root).as_posix()
    what = "its files" if inside == "." else inside
    return Place(path, recognised, f"{root}: read {what} as {recognised}.", given, root)


def _found(root: Path, kind: str | None) -> list[tuple[Path, str]]:
    """Return the nearest things with masks; pictures only if there is nothing else."""
    certain: list[tuple[int, Path, str]] = []
    pictures: list[tuple[int, Path, str]] = []
    queue, seen = [(0, root, False)], 0
    while queue and seen < _FOLDERS:
        depth, folder, is_object = queue.pop(0)
        seen += 1
        whole = _kind(folder)
        if whole == "objects" and _holds_frames(folder):
            whole = None
        if whole is not None and whole not in _PICTURES:
            certain.append((depth, folder, whole))
            continue
        if whole is not None and not is_object:
            pictures.append((depth, folder, whole))
        certain += [(depth, file, each) for file, each in _recognised_files(folder)]
        if depth < _DEPTH:
            queue += [(depth + 1, below, whole == "objects") for below in list_folders(folder)]
    masks = [each for each in pictures if each[1].name.lower() not in _NAMES_OF_FRAMES]
    for choice in (certain, masks, pictures):
        wanted = [each for each in choice if kind in (None, each[2])]
        if wanted:
            nearest = min(depth for depth, _, _ in wanted)
            return [(path, each) for depth, path, each in wanted if depth == nearest]
    return []


def _recognised_files(folder: Path) -> Iterator[tuple[Path, str]]:
    for file in [each for each in list_files(folder) if not is_frame_file(each)][:_FILES]:
        kind = _kind(file)
        if kind is not None:
            yield file, kind


def _holds_frames(folder: Path) -> bool:
    return any(each.name.lower() in _NAMES_OF_FRAMES for each in list_folders(folder))


def _kind(path: Path) -> str | None:
    try:
        return detect(path)
    except (MaskError, OSError):
        return None
