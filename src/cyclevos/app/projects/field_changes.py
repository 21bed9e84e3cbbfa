"""What a step changed in the values of project.json: of long lists only the items that differ, not the lists.

A side of a change, as JSON values: `{"by_id": {id: item}}` for the objects, None where there is none of this id;
`{"at": {position: item}}` for the palette; `{"only": items}` for what is gone where; any other value whole, as steps of
earlier versions hold lists too.
"""

from __future__ import annotations

from typing import Any

Pair = tuple[Any, Any]  # before and after
_KEYED, _PLACED, _SORTED = "objects", "palette", "absences"


def difference(name: str, was: Any, now: Any) -> Pair:
    """Return both sides of the change of a value.

    >>> difference("palette", ["#000000", "#ff0000"], ["#000000", "#00ff00"])
    ({'at': {'1': '#ff0000'}}, {'at': {'1': '#00ff00'}})
    """
    if name == _KEYED:
        old, new = ({str(item["id"]): item for item in items} for items in (was, now))
        ids = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return {"by_id": {key: old.get(key) for key in ids}}, {"by_id": {key: new.get(key) for key in ids}}
    if name == _PLACED and len(was) == len(now):
        places = [k for k, (old, new) in enumerate(zip(was, now, strict=True)) if old != new]
        return {"at": {str(k): was[k] for k in places}}, {"at": {str(k): now[k] for k in places}}
    if name == _SORTED:
        return {"only": _without(was, now)}, {"only": _without(now, was)}
    return was, now


def restored(held: Any, expected: Any, wanted: Any) -> Any:
    """Return a value in which one side of a change takes the place of the other; what is beside it stays.

    >>> restored(["#111111", "#00ff00"], {"at": {"1": "#00ff00"}}, {"at": {"1": "#ff0000"}})
    ['#111111', '#ff0000']
    """
    if not _is_part(wanted) or not _is_part(expected):
        return wanted
    if "by_id" in wanted:
        items = {str(item["id"]): item for item in held} | wanted["by_id"]
        return sorted((item for item in items.values() if item is not None), key=lambda item: int(item["id"]))
    if "at" in wanted:
        return [wanted["at"].get(str(k), item) for k, item in enumerate(held)]
    items = [*_without(held, expected["only"]), *_without(wanted["only"], held)]
    return sorted(items, key=lambda item: (item["object"], item["first"]))


def joined(first: Pair, second: Pair) -> Pair:
    """Return two changes of one value, made one after the other, as one."""
    (before, between), (since, after) = first, second
    if not all(map(_is_part, (before, between, since, after))):
        return first[0], second[1]
    if "only" in before:
        gone = [*before["only"], *_without(since["only"], between["only"])]
        new = [*_without(between["only"], since["only"]), *after["only"]]
        return {"only": _without(gone, new)}, {"only": _without(new, gone)}
    (kind,) = before
    return {kind: {**since[kind], **before[kind]}}, {kind: {**between[kind], **after[kind]}}


def can_join(first: Pair, second: Pair) -> bool:
    """Return whether `joined` can: a list that an earlier version kept whole is not joined with parts of it."""
    return len({_is_part(side) for side in (*first, *second)}) == 1


def _is_part(side: Any) -> bool:
    return isinstance(side, dict) and len(side) == 1 and next(iter(side)) in ("by_id", "at", "only")


def _without(items: list[Any], others: list[Any]) -> list[Any]:
    return [item for item in items if item not in others]
