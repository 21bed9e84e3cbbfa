"""What project.json holds: the video, its objects and the settings, checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.durable_files import write_durably
from cyclevos.errors import ConfigError
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.settings import Direction, SegmentationSettings

PROJECT_FILE = "project.json"

ObjectId = Annotated[int, Field(strict=True, ge=1, le=255)]
Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-f]{6}$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]

# Easy to tell apart on most footage; from the tenth object on, the colours are those of the DAVIS palette.
_COLOURS = (
    *("#000000", "#f4511e", "#1e88e5", "#43a047", "#fdd835"),
    *("#8e24aa", "#00acc1", "#ec407a", "#9ccc65", "#6d4c41"),
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
    correction: Literal["off", "default", "paper"] = "off"

    def segmentation(self, direction: Direction) -> SegmentationSettings:
        """Return the settings that Python, commands and app share."""
        return SegmentationSettings(
            None if self.size == "none" else self.size,
            self.memory_every,
            self.max_memory_frames,
            direction,
            None if self.correction == "off" else Correction.preset(self.correction),
        )


class ObjectInfo(_Strict):
    """One object in the list."""

    id: ObjectId
    name: Name
    hidden: bool = False
    locked: bool = False


class ProjectFile(_Strict):
    """The whole file."""

    format: Literal[1] = 1
    name: Name
    source: str
    deinterlace: bool = False
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    frames: Annotated[int, Field(ge=1)] | None = None
    palette: Annotated[list[Colour], Field(min_length=256, max_length=256)] = Field(default_factory=default_palette)
    objects: list[ObjectInfo] = Field(default_factory=list)
    settings: Settings = Field(default_factory=Settings)

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

    def save(self, folder: Path) -> None:
        """Write the file so that it survives a power cut."""
        text = json.dumps(self.model_dump(), indent=1, ensure_ascii=False)
        write_durably(folder / PROJECT_FILE, text.encode() + b"\n")


def load_project_file(folder: Path) -> ProjectFile:
    """Read a project's file.

    Raises:
        NotFoundError: the folder is not a project.
        ConfigError: the file is damaged or was written by another version.
    """
    path = folder / PROJECT_FILE
    if not path.is_file():
        raise NotFoundError(f"{folder} is not a project: it has no {PROJECT_FILE}.", "Choose another folder.")
    try:
        return ProjectFile.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise ConfigError(
            f"{path} cannot be read as a project ({problem}).",
            "Restore the file as cyclevos wrote it, or open its video again.",
        ) from error
