"""What the JSON formats of other tools have in common: lenient records, and COCO's run-length codes inside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.shapes import RunLength
from cyclevos.words import counted

Record = TypeVar("Record", bound="JsonRecord")


class JsonRecord(BaseModel):
    """An object of somebody else's JSON: members that we do not know are left out, and no number is infinite."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class CodeRecord(JsonRecord):
    """A mask as a run-length code.

    Attributes:
        size: (H, W) in pixels.
        counts: COCO's text, or the runs themselves.
    """

    size: tuple[int, int]
    counts: str | list[int]

    def shape(self) -> RunLength:
        """Return its pixels, not decoded yet."""
        return RunLength(self.size, self.counts)


def validated(kind: type[Record], content: Any, path: Path) -> Record:
    """Return content of a JSON file as a record.

    Args:
        kind: the record's class.
        content: what was parsed.
        path: the file, for the error.

    Raises:
        MaskError: it is something else.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first, places = error.errors()[0], counted(error.error_count(), "such place")
        raise MaskError(
            f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']} ({places}).",
            "Correct the file or export it again.",
        ) from error
