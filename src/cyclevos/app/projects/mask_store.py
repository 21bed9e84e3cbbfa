"""The masks of a project, a PNG per frame: marks of a person, and masks made by tracking.

    marks/00012.png    frames that a person painted or accepted; its text says which objects were marked there
    masks/00012.png    what tracking made of the frame
    before/00012.png   the same before its correction, where that changed it

A frame's mask is its mark if it has one, else what tracking made, else background. Shapes: H height, W width.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, PngImagePlugin

from cyclevos.app.projects.durable_files import write_durably
from cyclevos.errors import MaskError
from cyclevos.naming import index_name, size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.palette import DAVIS_PALETTE

Status = Literal["empty", "tracked", "marked", "accepted"]


@dataclass(frozen=True)
class Mark:
    """A person's annotation of a frame.

    Attributes:
        objects: ids whose pixels, or absence, were given by hand.
        accepted: the frame is finished with all objects as they are; tracking does not change it.
    """

    objects: frozenset[int]
    accepted: bool = False


@dataclass(frozen=True, eq=False)
class FrameMask:
    """The mask of one frame.

    Attributes:
        ids: uint8 (H,W).
        mark: the person's annotation; None = none.
        tracked: whether there is a tracked mask.
        order: of two states of one frame, the one with the larger number is the later one.
    """

    ids: UInt8Array
    mark: Mark | None
    tracked: bool
    order: int = 0

    @property
    def status(self) -> Status:
        """The state as one word."""
        if self.mark is not None:
            return "accepted" if self.mark.accepted else "marked"
        return "tracked" if self.tracked else "empty"

    @cached_property
    def tag(self) -> str:
        """Hash of the mask and its mark; the same after a restart."""
        digest = hashlib.sha1(self.ids.tobytes(), usedforsecurity=False)
        objects = [] if self.mark is None else sorted(self.mark.objects)
        digest.update(f"{self.status} {objects}".encode())
        return digest.hexdigest()[:18]

    @cached_property
    def areas(self) -> dict[int, int]:
        """Pixels of each object that is there."""
        return areas(self.ids)


class MaskStore:
    """Reads and writes a project's masks; one thread at a time.

    Args:
        folder: the project's.
        size: (H, W) of every mask.

    Raises:
        MaskError: a mark on disk is broken.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._marks_folder, self._masks_folder = folder / "marks", folder / "masks"
        self._before_folder = folder / "before"
        self.size = size
        self._marks = {index: _read_mark(path) for index, path in _indexed(self._marks_folder)}
        self._tracked = {index for index, _ in _indexed(self._masks_folder)}
        self._before = {index for index, _ in _indexed(self._before_folder)}

    @property
    def marks(self) -> dict[int, Mark]:
        """Marks by frame index, in order."""
        return dict(sorted(self._marks.items()))

    @property
    def tracked(self) -> frozenset[int]:
        """Indices of the frames with a tracked mask."""
        return frozenset(self._tracked)

    @property
    def corrected(self) -> frozenset[int]:
        """Indices of the frames whose mask a correction changed."""
        return frozenset(self._before)

    def read(self, index: int) -> FrameMask:
        """Return a frame's mask.

        Raises:
            MaskError: the file is broken.
        """
        mark = self._marks.get(index)
        if mark is not None:
            return FrameMask(self._read(self._marks_folder, index), mark, index in self._tracked)
        if index in self._tracked:
            return FrameMask(self._read(self._masks_folder, index), None, True)
        return FrameMask(np.zeros(self.size, np.uint8), None, False)

    def read_before(self, index: int) -> UInt8Array | None:
        """Return a frame's mask before its correction; None if it was not corrected."""
        return self._read(self._before_folder, index) if index in self._before else None

    def given(self) -> dict[int, UInt8Array]:
        """Return the annotations for tracking: accepted frames, and the marked objects of marked frames."""
        masks = {}
        for index, mark in self.marks.items():
            ids = self._read(self._marks_folder, index)
            masks[index] = ids if mark.accepted else np.where(np.isin(ids, [*mark.objects]), ids, 0).astype(np.uint8)
        return masks

    def write_mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        """Store a person's annotation of a frame; a power cut cannot lose it once this returns."""
        info = PngImagePlugin.PngInfo()
        info.add_text("marked", ",".join(map(str, sorted(mark.objects))))
        info.add_text("accepted", "1" if mark.accepted else "0")
        write_durably(_path(self._marks_folder, index), _encode(ids, info))
        self._marks[index] = mark
        return FrameMask(ids, mark, index in self._tracked)

    def with_tracked(self, index: int, ids: UInt8Array) -> FrameMask:
        """Return what a frame shows once tracking has made this of it.

        An accepted mark is unchanged; another one keeps its objects and takes the others from here.
        """
        mark = self._marks.get(index)
        if mark is None:
            return FrameMask(ids, None, True)
        own = self._read(self._marks_folder, index)
        if mark.accepted:
            return FrameMask(own, mark, True)
        by_hand = np.isin(own, [*mark.objects]) & (own > 0)
        others = np.where(np.isin(ids, [*mark.objects]), 0, ids)
        return FrameMask(np.where(by_hand, own, others).astype(np.uint8), mark, True)

    def write_tracked(self, index: int, ids: UInt8Array, before: UInt8Array | None, shown: FrameMask) -> None:
        """Store the tracked mask of a frame.

        Args:
            index: of the frame.
            ids: what tracking made, uint8 (H,W).
            before: the same before its correction, where that changed it.
            shown: what `with_tracked` made of it.
        """
        write_durably(_path(self._masks_folder, index), _encode(ids))
        self._tracked.add(index)
        if before is not None:
            write_durably(_path(self._before_folder, index), _encode(before))
            self._before.add(index)
        elif index in self._before:
            _path(self._before_folder, index).unlink(missing_ok=True)
            self._before.discard(index)
        if shown.mark is not None and not shown.mark.accepted:
            self.write_mark(index, shown.ids, shown.mark)

    def read_tracked(self, index: int) -> UInt8Array | None:
        """Return the tracked mask of a frame, even if it was marked later; None without one."""
        return self._read(self._masks_folder, index) if index in self._tracked else None

    def forget_mark(self, index: int) -> None:
        """Discard a frame's mark."""
        if self._marks.pop(index, None) is not None:
            _path(self._marks_folder, index).unlink(missing_ok=True)

    def remove_object(self, object_id: int) -> None:
        """Remove an object from every frame."""
        for index, mark in self.marks.items():
            ids = self._read(self._marks_folder, index)
            rest = mark.objects - {object_id}
            if rest == mark.objects and not (ids == object_id).any():
                continue
            if rest or mark.accepted:
                self.write_mark(index, np.where(ids == object_id, 0, ids).astype(np.uint8), Mark(rest, mark.accepted))
            else:
                self.forget_mark(index)
        for folder, held in ((self._masks_folder, self._tracked), (self._before_folder, self._before)):
            for index in held:
                ids = self._read(folder, index)
                if (ids == object_id).any():
                    ids[ids == object_id] = 0
                    write_durably(_path(folder, index), _encode(ids))

    def _read(self, folder: Path, index: int) -> UInt8Array:
        path = _path(folder, index)
        try:
            with open_picture(path) as image:
                size = image.size[::-1]
                ids = np.array(image, dtype=np.uint8) if size == self.size else None
        except Exception as error:  # Pillow's decoders raise nearly everything on broken data
            raise _broken(path, error) from error
        if ids is None or ids.shape != self.size:
            came = size_text(size) if ids is None else "x".join(map(str, ids.shape[::-1]))
            raise MaskError(
                f"{path} is {came} but the video is {size_text(self.size)} (width x height).",
                "Move this file out of the project; its frame then counts as unmarked.",
            )
        return ids


def painted_objects(before: UInt8Array, after: UInt8Array) -> frozenset[int]:
    """Objects that a stroke speaks about: those that gained pixels, and those that lost some to the background.

    An object that another one was painted over was not meant.

    >>> sorted(painted_objects(np.array([[1, 1, 2]], np.uint8), np.array([[3, 1, 0]], np.uint8)))
    [2, 3]
    """
    changed = before != after
    gained = after[changed]
    erased = before[changed & (after == 0)]
    return frozenset(int(i) for i in np.unique(np.concatenate([gained, erased])) if i)


def areas(ids: UInt8Array) -> dict[int, int]:
    """Pixels of each object that is there.

    >>> areas(np.array([[0, 3, 3]], np.uint8))
    {3: 2}
    """
    counts = Image.fromarray(ids).histogram()  # a third of numpy's time
    return {i: count for i, count in enumerate(counts) if i and count}


def describe_mask(mask: FrameMask) -> dict[str, Any]:
    """Describe a frame's mask, without its pixels, as JSON values."""
    objects = [] if mask.mark is None else sorted(mask.mark.objects)
    status = {"status": mask.status, "tracked": mask.tracked, "objects": objects}
    return {"tag": mask.tag, "order": mask.order, **status, "areas": mask.areas}


def _path(folder: Path, index: int) -> Path:
    return folder / f"{index_name(index)}.png"


def _indexed(folder: Path) -> Iterable[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    return [(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal() and path.stem.isascii()]


def _encode(ids: UInt8Array, info: PngImagePlugin.PngInfo | None = None) -> bytes:
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE)
    data = io.BytesIO()
    image.save(data, format="PNG", pnginfo=info, compress_level=1)
    return data.getvalue()


def _read_mark(path: Path) -> Mark:
    try:
        with Image.open(path) as image:
            texts = dict(image.info)
        objects = frozenset(int(part) for part in str(texts["marked"]).split(",") if part)
        return Mark(objects, texts.get("accepted") == "1")
    except Exception as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> MaskError:
    return MaskError(
        f"{path} cannot be read ({type(error).__name__}). Another program has changed this file of the project.",
        "Move this file out of the project; its frame then counts as unmarked.",
    )
