"""A file or folder whose format is being recognised: what the formats ask about it, each looked up once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.naming import list_files

_HEAD = 4096


class Candidate:
    """What formats are recognised by.

    Args:
        path: an existing file or folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.path.is_dir()

    @cached_property
    def files(self) -> Sequence[Path]:
        """The file itself, or the folder's files in natural order, hidden ones left out."""
        return list_files(self.path)

    def ending(self, *suffixes: str) -> Sequence[Path]:
        """Return the files that end so, in small letters with the dot."""
        return [file for file in self.files if file.suffix.lower() in suffixes]

    @cached_property
    def json(self) -> Any:
        """The content of the JSON file, or of a folder's first one; None if there is none.

        Raises:
            MaskError: it cannot be read as JSON.
        """
        files = self.ending(".json")
        return read_json_file(files[0], "Export it again.") if files else None

    @property
    def keys(self) -> Mapping[str, Any]:
        """The JSON object's members; empty if the JSON is not an object."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def first_record(self) -> Mapping[str, Any]:
        """The first element of the JSON list if it is an object; otherwise an empty one."""
        first = self.json[0] if isinstance(self.json, list) and self.json else None
        return first if isinstance(first, dict) else {}

    @cached_property
    def head(self) -> bytes:
        """The first bytes of the file, or of a folder's first one."""
        if not self.files:
            return b""
        try:
            with self.files[0].open("rb") as file:
                return file.read(_HEAD)
        except OSError:  # reading reports it
            return b""
