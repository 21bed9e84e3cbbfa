"""The package page's description, made from README.md when the package is built.

Relative links work in the repository but not on a package page, so they become absolute: pictures point to the raw file
and everything else to the file's page, both at the tag of the version that is built. `[project.urls]` in pyproject.toml
holds the repository's address.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Sets the dynamic field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the long description to the metadata."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = metadata["urls"]["Repository"]
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": absolute_links(text, repository, f"v{metadata['version']}"),
        }


def absolute_links(text: str, repository: str, tag: str) -> str:
    """Markdown whose links relative to the repository's root are absolute.

    Args:
        text: Markdown of a file in the repository's root.
        repository: Address of the repository, without a slash at the end.
        tag: Tag or branch that the links point to.

    Returns:
        The text with its relative links replaced.
    """
    return replace_links(text, lambda target, picture: f"{repository}/{'raw' if picture else 'blob'}/{tag}/{target}")


def replace_links(text: str, replacement: Callable[[str, bool], str]) -> str:
    """Markdown with the relative links replaced. The site's builder uses it too.

    Args:
        text: Markdown.
        replacement: Maps a link's target, and whether the link shows a picture, to the new target.

    Returns:
        The text. Absolute links, links within the page and fenced code stay as they are.
    """

    def replace(link: re.Match[str]) -> str:
        target = link["target"]
        if re.match(r"[a-z]+:|#", target):
            return link[0]
        return f"{link['picture']}[{link['text']}]({replacement(target, bool(link['picture']))})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else LINK.sub(replace, part) for part in parts)
