"""Reading XML that somebody else wrote: streamed, bounded, without entities or external references."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.text_files import check_bytes


def children(path: Path, root: str, remedy: str, wanted: Sequence[str]) -> Iterator[Element]:
    """Yield the elements directly below an XML file's root, each whole, and forget each when the next one is asked for.

    Args:
        path: the file.
        root: name that the root must have.
        remedy: what to give instead, for the error.
        wanted: names of the elements to yield.

    Raises:
        MaskError: the file is too large, cannot be read, is not XML, declares a document type, or has another root.
    """
    check_bytes(path)
    depth, top = 0, None
    for event, element in _events(path, remedy):
        if event == "start":
            depth += 1
            if top is None:
                top = element
                if element.tag != root:
                    raise MaskError(f"{path} holds <{str(element.tag)[:40]}>; expected <{root}>.", remedy)
            continue
        depth -= 1
        if depth == 1 and top is not None:
            if element.tag in wanted:
                yield element
            top.clear()


def _events(path: Path, remedy: str) -> Iterator[tuple[str, Element]]:
    from defusedxml.ElementTree import iterparse

    try:
        with path.open("rb") as file:
            # A document type is what entities are declared in; no annotation tool writes one.
            events: Any = iterparse(file, events=("start", "end"), forbid_dtd=True)
            yield from events
    except (OSError, SyntaxError, ValueError, LookupError, RecursionError) as error:
        raise MaskError(f"{path} cannot be read as XML ({str(error) or type(error).__name__}).", remedy) from error
