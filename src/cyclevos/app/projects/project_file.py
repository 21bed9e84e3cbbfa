"""What project.json holds: the video, its objects and the settings, checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from packaging.version import InvalidVersion, Version
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from cyclevos import __version__
from cyclevos.app.errors import ConflictError, NewerProjectError, NotFoundError
from cyclevos.app.projects.absences import MOST_ABSENCES, Absence, FrameNumber
from cyclevos.app.projects.absences import ObjectId as ObjectId
from cyclevos.app.projects.durable_files import check_there, write_durably
from cyclevos.errors import ConfigError
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.correction import USUAL, Correction
from cyclevos.propagation.settings import Direction, SegmentationSettings

PROJECT_FILE = "project.json"
FORMAT: Final = 1
"""Raised when an older version of the program would misunderstand a project."""

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]

# Thirty colours that are far from each other in OKLab, the first of them farthest; from there on, the DAVIS palette.
_COLOURS = (
    *("#000000", "#f4511e", "#0f2dff", "#00ff00", "#007800", "#ffd2ff", "#d200ff", "#784b78", "#3cd2c3", "#0096ff"),
    *("#ffc34b", "#a5960f", "#8700d2", "#b487ff", "#b4000f", "#ff0fb4", "#875a00", "#b40096", "#1e5ab4", "#87ffd2"),
    *("#1ea500", "#d2f000", "#d26996", "#78d24b", "#ff96e1", "#007878", "#f09678", "#695aff", "#7878b4", "#96c3ff"),
    "#00a5b4",
)


def default_palette() -> list[str]:
    """Return 256 colours by object id.

    >>> default_palette()[:2], len(default_palette())
    (['#000000', '#f4511e'], 256)
    """
    rest = [f"#{DAVIS_PALETTE[3 * k : 3 * k + 3].hex()}" for k in range(len(_COLOURS), 256)]
    return [*_COLOURS, *rest]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Settings(_Strict):
    """How tracking works, as the page sends it; the names are those of the command line's options."""

    size: Literal["auto", "none"] | Annotated[int, Field(strict=True, ge=64, le=2160)] = "auto"
    memory_every: Literal["auto"] | Annotated[int, Field(strict=True, ge=1, le=1000)] = "auto"
    max_memory_frames: Literal["auto"] | Annotated[int, Field(strict=True, ge=2, le=1000)] = "auto"
    correction: Literal["off", "prune", "default", "paper"] = USUAL

    def segmentation(self, direction: Direction) -> SegmentationSettings:
        """Return the settings that Python, commands and app share."""
        return SegmentationSettings(
            None if self.size == "none" else self.size,
            self.memory_every,
            self.max_memory_frames,
            direction,
            None if self.correction == "off" else Correction.preset(self.correction),
        )


class FrameRange(_Strict):
    """The frames that tracking is for, both ends included; None is the video's own end."""

    first: FrameNumber | None = None
    last: FrameNumber | None = None

    @model_validator(mode="after")
    def _in_order(self) -> FrameRange:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"expected first <= last, got {self.first} and {self.last}")
        return self


class ObjectInfo(_Strict):
    """One object in the list."""

    id: ObjectId
    name: Name
    hidden: bool = False
    locked: bool = False


class ProjectFile(_Strict):
    """The whole file.

    A field that is not listed here is refused: a newer version of the program wrote it for a reason, and whoever
    passes over it either loses it or tracks as if it were not there.

    Attributes:
        version: of the program that wrote the file last; empty before there was this field.
        source: the video's path, absolute, or in the project's folder.
        adapted: whether the network that was adapted to the video tracks it.
    """

    format: Literal[1] = FORMAT
    version: str = ""
    name: Name
    source: str
    deinterlace: bool = False
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)] | None = None
    palette: Annotated[list[Colour], Field(min_length=256, max_length=256)] = Field(default_factory=default_palette)
    objects: list[ObjectInfo] = Field(default_factory=list)
    settings: Settings = Field(default_factory=Settings)
    adapted: bool = False
    range: FrameRange = Field(default_factory=FrameRange)
    absences: Annotated[list[Absence], Field(max_length=MOST_ABSENCES)] = Field(default_factory=list)

    def video(self, folder: Path) -> Path:
        """Return where the video of the project in this folder lies."""
        return (folder / self.source).resolve()

    @property
    def palette_bytes(self) -> bytes:
        """The palette as 768 bytes of RGB."""
        return b"".join(bytes.fromhex(colour[1:]) for colour in self.palette)

    def object(self, object_id: int) -> ObjectInfo:
        """Return an object of the list.

        Raises:
            NotFoundError: no object has this id.
        """
        for info in self.objects:
            if info.id == object_id:
                return info
        raise NotFoundError(f"There is no object {object_id}.", "Reload the page to see the current objects.")

    def unlisted(self, object_ids: Iterable[int]) -> list[int]:
        """Return those of some ids that no object of the list has, in order."""
        return sorted(set(object_ids) - {info.id for info in self.objects})

    def add_objects(self, infos: Iterable[ObjectInfo]) -> None:
        """Add objects to the list, which is kept in the order of the ids."""
        self.objects = sorted([*self.objects, *infos], key=lambda info: info.id)

    def free_id(self) -> int:
        """Return the smallest id that no object has.

        Raises:
            ConflictError: all are taken.
        """
        free = self.unlisted(range(1, 256))
        if not free:
            raise ConflictError("The project has 255 objects, the most that a mask can hold.", "Delete one first.")
        return free[0]

    def save(self, folder: Path) -> None:
        """Write the file so that it survives a power cut.

        Raises:
            UnsavedError: it cannot be written.
        """
        check_there(folder)
        text = json.dumps({**self.model_dump(), "version": __version__}, indent=1, ensure_ascii=False)
        write_durably(folder / PROJECT_FILE, text.encode() + b"\n")


def set_values(file: ProjectFile, values: Mapping[str, Any]) -> None:
    """Set values that were kept as JSON values."""
    for name, value in values.items():
        setattr(file, name, ProjectFile.model_validate({**file.model_dump(), name: value}).__dict__[name])


def load_project_file(folder: Path) -> ProjectFile:
    """Read a project's file.

    Raises:
        NotFoundError: the folder is not a project.
        NewerProjectError: a newer version of the program wrote it.
        ConfigError: the file is damaged.
    """
    path = folder / PROJECT_FILE
    if not path.is_file():
        raise NotFoundError(f"{folder} is not a project: it has no {PROJECT_FILE}.", "Choose another folder.")
    data = b""
    try:
        data = path.read_bytes()
        return ProjectFile.model_validate_json(data)
    except ValidationError as error:
        _check_not_newer(path, data)
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _unreadable(path, f"{where}: {first['msg']}" if where else first["msg"]) from error
    except OSError as error:
        raise _unreadable(path, str(error)) from error


def stored_text(folder: Path, field: str) -> str:
    """Return a text of a project's file even if this version cannot use the file; empty where it does not tell."""
    value = _raw(folder / PROJECT_FILE).get(field)
    return value if isinstance(value, str) else ""


def _unreadable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} cannot be read as a project ({why}).",
        "Restore the file as cyclevos wrote it, or open its video again.",
    )


def _check_not_newer(path: Path, data: bytes) -> None:
    """Refuse a file that this version cannot read because a newer one wrote it."""
    raw = _raw(path, data)
    maker = raw.get("version")
    try:
        newer = Version(str(maker)) > Version(__version__)
    except InvalidVersion:
        newer, maker = False, None
    known = raw.get("format", FORMAT)
    if newer or (isinstance(known, int) and known > FORMAT):
        raise NewerProjectError(path.parent.name, str(maker) if newer else None)


def _raw(path: Path, data: bytes | None = None) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_bytes() if data is None else data)
    except (OSError, ValueError):
        return {}
    return raw if isinstance(raw, dict) else {}
