"""Reading YouTube-VOS's `meta.json`: each object's category, and the frames in which it is scored."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from cyclevos.errors import DatasetError


class MetaObject(BaseModel):
    """One object of a video; its other fields are ignored.

    Attributes:
        category: its class; empty in splits without categories.
        frames: names of the frames that show it, or in which it is scored.
    """

    category: str = ""
    frames: list[str] = []


class MetaVideo(BaseModel):
    """One video: its objects by their ids."""

    objects: dict[int, MetaObject] = Field(min_length=1)

    @property
    def frames(self) -> list[str]:
        """Names of the frames of all its objects, each once, sorted."""
        return sorted({frame for each in self.objects.values() for frame in each.frames})


class YouTubeMeta(BaseModel):
    """A split's `meta.json`: its videos by name."""

    videos: dict[str, MetaVideo] = Field(min_length=1)

    @property
    def categories(self) -> set[str]:
        """Categories of all objects."""
        return {each.category for video in self.videos.values() for each in video.objects.values()} - {""}


def read_meta(path: str | Path) -> YouTubeMeta:
    """Read a `meta.json`.

    Raises:
        DatasetError: the file is missing, is not JSON or has another structure; the message says where.
    """
    try:
        return YouTubeMeta.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise DatasetError(
            f"The meta file {path} cannot be read ({error.strerror or error}).", "Check the path."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DatasetError(
            f"The meta file {path} is malformed at {where}: {first['msg']}. Expected YouTube-VOS's "
            '{"videos": {name: {"objects": {id: {"category": text, "frames": [names]}}}}}.',
            "Download it again.",
        ) from error
