"""Turning an SVG file into an element of an HTML page, without namespaces, and with separate styles and ids."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree


def inlined(svg: str, description: str, prefix: str, colours: Mapping[str, str]) -> str:
    """Convert an SVG file to an element of an HTML page.

    Args:
        svg: a whole file, as matplotlib writes it.
        description: read aloud by screen readers instead of the picture.
        prefix: prepended to ids, so that pictures on one page do not share any.
        colours: replacement for each colour, for example a variable of the page.

    Returns:
        An svg element that fills the available width.

    >>> inlined('<svg xmlns="x" viewBox="0 0 1 1" width="9pt"><g id="a"/><g style="fill: #010101"/></svg>',
    ...         "Dots", "p", {"#010101": "var(--ink)"})
    '<svg viewBox="0 0 1 1" role="img" aria-label="Dots"><g /><g style="fill: var(--ink)" /></svg>'
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in [each for each in parent if _local(each.tag) in ("metadata", "style")]:
            parent.remove(child)
    values = [value for node in root.iter() for value in node.attrib.values()]
    references = {name for value in values for name in re.findall(r"#([\w-]+)", value)}
    ids = {node.attrib["id"] for node in root.iter() if node.attrib.get("id") in references}

    def replaced(found: re.Match[str]) -> str:
        return f"#{prefix}-{found[1]}" if found[1] in ids else colours.get(found[0], found[0])

    for node in root.iter():
        own = {_local(key): re.sub(r"#([\w-]+)", replaced, value) for key, value in node.attrib.items()}
        identity = own.pop("id", None)
        if identity in ids:
            own["id"] = f"{prefix}-{identity}"
        if "d" in own:
            own["d"] = re.sub(r"(\.\d\d)\d+", r"\1", own["d"])  # a hundredth of a point is precise enough
        node.tag, node.attrib = _local(node.tag), own
    root.attrib = {"viewBox": root.attrib["viewBox"], "role": "img", "aria-label": description}
    return ElementTree.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    """Remove the namespace, which an svg element within HTML does not need."""
    return name.rpartition("}")[2]
