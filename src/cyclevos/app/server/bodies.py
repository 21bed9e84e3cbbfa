"""What a page may send: the validated bodies of requests."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from cyclevos.app.projects.absences import FrameNumber
from cyclevos.app.projects.project_file import Colour, Name, ObjectId, Settings
from cyclevos.exchange.formats import APP, find, names, offered
from cyclevos.prompts.prompts import MOST_CLICKS
from cyclevos.propagation.settings import Direction

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Pixel = Annotated[int, Field(strict=True, ge=0, le=2**31)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-(2**31), le=2**31)]


def _check_format(name: str) -> str:
    if find(name, offered(APP)) is None:
        raise ValueError(f"expected one of {names(offered(APP))}, got {name!r}")
    return name


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionBody(_Body):
    """The token, once."""

    token: Annotated[str, StringConstraints(max_length=200)]


class OpenBody(_Body):
    """Which video: a path in one of the folders, or the name of a demo clip."""

    path: PathText | None = None
    demo: PathText | None = None
    name: Name | None = None


class ChangeBody(_Body):
    """Changes of a project."""

    name: Name | None = None
    settings: Settings | None = None
    adapted: bool | None = None


class BatchBody(_Body):
    """Projects to track one after another, and which way."""

    projects: Annotated[list[Annotated[str, StringConstraints(max_length=80)]], Field(min_length=1, max_length=1000)]
    direction: Direction = "forward"


class ObjectBody(_Body):
    """A new object, or changes of one."""

    name: Name | None = None
    colour: Colour | None = None
    hidden: bool | None = None
    locked: bool | None = None


class AcceptBody(_Body):
    """Whether the frame is finished."""

    accepted: bool


class PieceBody(_Body):
    """A rectangle of a mask; `data` is base64 of zlib, one byte for each of its pixels, 0 or 1."""

    left: Pixel
    top: Pixel
    width: Annotated[int, Field(strict=True, ge=1, le=2**16)]
    height: Annotated[int, Field(strict=True, ge=1, le=2**16)]
    data: Annotated[str, StringConstraints(max_length=48 * 2**20)]


class PointBody(_Body):
    """What a person points at in a frame, in pixels: clicks, 1 on the object and 0 beside it (all on it
    without labels); a box by its edges.

    `mask` is the object's mask before these clicks, which they repair; `candidate` counts what they may mean.
    """

    points: Annotated[list[tuple[Coordinate, Coordinate]], Field(max_length=MOST_CLICKS)] = []
    labels: Annotated[list[Literal[0, 1]], Field(max_length=MOST_CLICKS)] | None = None
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    mask: PieceBody | None = None
    candidate: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0


class StepBody(_Body):
    """The step of the history that is to be the last one done; 0 = none of them."""

    step: Annotated[int, Field(strict=True, ge=0, le=2**53)]


class TrackBody(_Body):
    """Which way to track, which frames and which object, and when to stop and ask.

    `doubtful`: only frames whose reliability is below it. `until`: stop when it is below this for `patience` frames.
    """

    direction: Direction = "forward"
    first: FrameNumber | None = None
    last: FrameNumber | None = None
    object: ObjectId | None = None
    doubtful: Share | None = None
    until: Share | None = None
    patience: Annotated[int, Field(strict=True, ge=1, le=1000)] = 3
    continued: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> TrackBody:
        if self.first is not None and self.last is not None and self.first > self.last:
            raise ValueError(f"expected first <= last, got {self.first} and {self.last}")
        return self


class AbsenceBody(_Body):
    """Whether an object is gone in a range of frames, both ends included."""

    gone: bool
    first: FrameNumber
    last: FrameNumber


class ResultBody(_Body):
    """Masks of all frames: a path in one of the folders, and whether to resize them."""

    path: PathText
    fit: bool = False


class HeatBody(_Body):
    """Frame and object of a heat map."""

    frame: Pixel
    object: ObjectId


class ExportBody(_Body):
    """What to export, and into which folder; without a folder it is packed as a zip."""

    kinds: Annotated[list[Annotated[str, AfterValidator(_check_format)]], Field(min_length=1, max_length=100)]
    folder: PathText | None = None
