"""Which frame of a source each given mask belongs to, by its name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from cyclevos.errors import MaskError
from cyclevos.naming import LAST_NUMBER, index_name
from cyclevos.words import counted

# What stands before the number in names that mean frames, whatever the source's own frames are called.
_FRAME_WORDS = re.compile(
    r"(frames?|img|images?|masks?|seg(mentation)?|labels?|annotations?|gt|alpha|matte|pred)", re.I
)
# Those of them after which the number may also be that of an object.
_OTHER_WORDS = re.compile(r"(masks?|seg(mentation)?|labels?|annotations?|gt|alpha|matte|pred)", re.I)
_ROBOFLOW = re.compile(r"_(jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9A-Za-z]+$", re.I)
_JOINTS = " _-."


class Matched(NamedTuple):
    """Masks and their frames.

    Attributes:
        names: the masks' own names by frame index.
        note: by which rule they were matched, if not simply by their names; else None.
    """

    names: Mapping[int, str]
    note: str | None = None


@dataclass(frozen=True)
class FrameNames:
    """The names that the masks of a source may have.

    Attributes:
        names: names of all frames in order; None for a video, whose frames are named by their index.
        count: number of frames of such a video; None if unknown.
        source: name of the source.
        is_settled: the masks are of one frame, which the user has said, whatever they are called.
    """

    names: Sequence[str] | None
    count: int | None = None
    source: str = ""
    is_settled: bool = False

    @property
    def length(self) -> int | None:
        """Number of frames; None if unknown."""
        return self.count if self.names is None else len(self.names)

    def index(self, name: str) -> int | None:
        """Return the index of the frame that a mask name (without its ending) refers to; None if there is no match.

        >>> FrameNames(None, 20).index("12"), FrameNames(None, 20).index("00020"), FrameNames(["a", "b"]).index("b")
        (12, None, 1)
        """
        if self.names is not None:
            return self._positions.get(name, self._positions.get(_before_roboflow(name)))
        name = _before_roboflow(name)
        if not (name.isascii() and name.isdigit()):
            return None
        return self._within(int(name))

    def match(self, given: Mapping[str, str], where: Path, *, alone: bool = False) -> Matched:
        """Match masks to frames: by their names, or, where no name is a frame's, by the number at their ends.

        Numbers count if all names have the same text before and after them, and that text is the frames' own, the
        source's name, or a word for a frame ("frame_", "mask-").

        Args:
            given: frame name of each mask by the mask's own name.
            where: the folder or file that holds the masks.
            alone: a single mask that matches no frame is used for the first one, unless its name is the number of a
                later frame.

        Raises:
            MaskError: a mask belongs to no frame, or two belong to the same.
        """
        if self.is_settled and len(given) == 1:
            return Matched({0: next(iter(given))})
        by_name = {own: self.index(name) for own, name in given.items()}
        if any(index is not None for index in by_name.values()):
            return Matched(self._each_once(by_name, where))
        by_number = self._by_number(given)
        if by_number is not None:
            own, index = next(iter(by_number.items()))
            note = (
                f"{where}: no mask is named after a frame, so they were matched by the numbers in their names: "
                f"{own} is {self._called(index)}."
            )
            return Matched(self._each_once(by_number, where), note)
        if alone and len(given) == 1 and not _means_later_frame(*given.values()):
            (own,) = given
            first = self._called(0)
            return Matched({0: own}, f"{where}: {own} is named after none of the frames, so it is used for {first}.")
        return Matched(self._each_once(by_name, where))

    def may_be_numbers(self, names: Sequence[str]) -> bool:
        """Return whether the numbers in the names of masks can be those of frames, or of something else.

        After words such as "frame", or after no word, they can only be those of frames.
        """
        found = self._by_number({name: name for name in names})
        match = LAST_NUMBER.fullmatch(next(iter(names), ""))
        return found is not None and match is not None and _OTHER_WORDS.fullmatch(match[1].strip(_JOINTS)) is not None

    def match_positions(self, given: Mapping[str, int], where: Path) -> Matched:
        """Match masks to frames by their places in the video, in formats without names of frames.

        Args:
            given: place of each mask, counted from 0, by the mask's own name.
            where: the file that holds the masks.

        Raises:
            MaskError: the video has no such frame.
        """
        count = self.length
        last = max(given.values(), default=0)
        if count is not None and last >= count:
            raise MaskError(
                f"{where} holds a mask for frame {last}, counted from 0, but the video has {counted(count, 'frame')}.",
                "Check that these are the masks of this video.",
            )
        return Matched({index: own for own, index in given.items()})

    def expected(self) -> str:
        """Return a sentence that describes the expected names of masks."""
        if self.names is None:
            last = f" up to {index_name(self.count - 1)}" if self.count else ""
            return (
                f"A video's masks are named by frame index, counted from 0, e.g. 00000.png or 12.png{last}; ffmpeg "
                "counts from 1."
            )
        shown = [*self.names[:3], "...", self.names[-1]] if len(self.names) > 4 else self.names
        return f"The frames are named {', '.join(shown)}."

    def _each_once(self, found: Mapping[str, int | None], where: Path) -> dict[int, str]:
        matched: dict[int, str] = {}
        for own, index in found.items():
            if index is None:
                raise MaskError(
                    f"{where / own} belongs to no frame. {self.expected()}",
                    "Name the mask after its frame, or leave it out; check that these are the masks of this video.",
                )
            other = matched.setdefault(index, own)
            if other != own:
                raise MaskError(
                    f"There are two masks for frame {index}: {where / other} and {own}.", "Keep one of the two masks."
                )
        return matched

    def _by_number(self, given: Mapping[str, str]) -> dict[str, int] | None:
        """Return the frame of each mask by the number in its name; None if that says nothing certain."""
        found = {own: LAST_NUMBER.fullmatch(_before_roboflow(name)) for own, name in given.items()}
        parts = [match.groups() for match in found.values() if match is not None]
        if len(parts) < len(given) or len({(before, after) for before, _, after in parts}) != 1:
            return None
        before, _, after = parts[0]
        if not (self._means_frames(before) and (after.strip(_JOINTS) == "" or _is_word(after))):
            return None
        numbered = ((own, self._of_number(int(digits))) for own, (_, digits, _) in zip(found, parts, strict=True))
        known = {own: index for own, index in numbered if index is not None}
        return known if len(known) == len(given) else None

    def _means_frames(self, before: str) -> bool:
        word = before.strip(_JOINTS)
        own = {match[1] for match in map(LAST_NUMBER.fullmatch, self.names or ()) if match is not None}
        return _is_word_or_nothing(before) or before in own or word == self.source

    def _of_number(self, number: int) -> int | None:
        return self._within(number) if self.names is None else self._numbers.get(number)

    def _within(self, index: int) -> int | None:
        return index if self.count is None or index < self.count else None

    def _called(self, index: int) -> str:
        return f"frame {index}, counted from 0" if self.names is None else f"frame {self.names[index]}"

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.names or ())}

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """Frame index by the number in the frame's name; empty if two frames have the same number, or one has none."""
        found = [LAST_NUMBER.fullmatch(name) for name in self.names or ()]
        numbers = {int(match[2]): index for index, match in enumerate(found) if match is not None}
        return numbers if len(numbers) == len(found) else {}


def _before_roboflow(name: str) -> str:
    """Return the name that a picture had before Roboflow appended its ending and a code.

    >>> _before_roboflow("IMG_0001_jpg.rf.2f6ba3"), _before_roboflow("IMG_0001")
    ('IMG_0001', 'IMG_0001')
    """
    return _ROBOFLOW.sub("", name)


def mean_frames(names: Sequence[str]) -> bool:
    """Return whether names of masks mean frames in any video: numbers, or numbers after a word such as "frame".

    >>> mean_frames(["00000", "00007"]), mean_frames(["frame_1", "frame_2"]), mean_frames(["object_1", "object_2"])
    (True, True, False)
    """
    found = [LAST_NUMBER.fullmatch(name) for name in names]
    return all(match is not None and _is_word_or_nothing(match[1]) for match in found)


def _means_later_frame(name: str) -> bool:
    """Return whether a name is a number from 2 on, or one after a word for frames; the first frame may be 0 or 1."""
    match = LAST_NUMBER.fullmatch(name)
    return match is not None and _is_word_or_nothing(match[1]) and int(match[2]) > 1


def _is_word_or_nothing(text: str) -> bool:
    return not text.strip(_JOINTS) or _is_word(text)


def _is_word(text: str) -> bool:
    return _FRAME_WORDS.fullmatch(text.strip(_JOINTS)) is not None
