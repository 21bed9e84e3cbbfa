"""What was known of frames before and after a step, packed: the history holds hundreds of steps over long videos."""

from __future__ import annotations

import json
import zlib
from collections.abc import ItemsView, Iterator, Mapping

from cyclevos.app.projects.field_changes import Pair


class PackedRows:
    """Results of frames before and after, as JSON values by frame index; each loop over them unpacks them once.

    Args:
        rows: the results.

    Example:
        >>> rows = PackedRows({7: ({"areas": {}}, {"areas": {"1": 12}})})
        >>> len(rows), list(rows), list(rows.items())
        (1, [7], [(7, ({'areas': {}}, {'areas': {'1': 12}}))])
    """

    def __init__(self, rows: Mapping[int, Pair]) -> None:
        self._count = len(rows)
        self._data = zlib.compress(json.dumps(dict(rows)).encode(), 1) if rows else b""

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        return iter(self._unpacked())

    def items(self) -> ItemsView[int, Pair]:
        """Return the frames with their results."""
        return self._unpacked().items()

    def _unpacked(self) -> dict[int, Pair]:
        rows = json.loads(zlib.decompress(self._data)) if self._count else {}
        return {int(index): (before, after) for index, (before, after) in rows.items()}
