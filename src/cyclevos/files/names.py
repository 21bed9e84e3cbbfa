"""Names of files and folders from a user's text: valid and distinct on Linux, macOS and Windows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
# Names of devices on Windows, with any ending.
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)


def encodable(text: str) -> str:
    r"""Return a text with question marks for lone surrogates, which JSON can hold and UTF-8 cannot.

    >>> encodable("Käse"), encodable("a\ud800")
    ('Käse', 'a?')
    """
    return text.encode(errors="replace").decode()


def safe_name(text: str, fallback: str = "unnamed", *, longest: int = 120) -> str:
    """Turn any text into the name of a file or folder.

    Args:
        text: any text, such as the name of an object.
        fallback: the name if no character of the text can be used.
        longest: most bytes in UTF-8; file systems allow 255, and endings are added to a name.

    Returns:
        The text itself if it is valid everywhere, else a changed one.

    Example:
        >>> safe_name("Käse 1"), safe_name("a/b: c?"), safe_name("con.txt"), safe_name("..")
        ('Käse 1', 'a_b_ c_', 'con_.txt', 'unnamed')
    """
    # Normalise now, because some file systems would, and the name would then differ from the one written.
    plain = unicodedata.normalize("NFC", encodable(text))
    name = _trimmed(_FORBIDDEN.sub("_", plain), longest)
    stem, dot, rest = name.partition(".")
    if _RESERVED.fullmatch(stem.rstrip(" ")):
        name = _trimmed(f"{stem.rstrip(' ')}_{dot}{rest}", longest)
    return name or fallback


def distinct_names(texts: Iterable[str], fallback: str = "unnamed", *, longest: int = 120) -> list[str]:
    """Turn texts into names that are distinct even on a file system that ignores case.

    Args:
        texts: any texts.
        fallback: as in `safe_name`.
        longest: as in `safe_name`.

    Example:
        >>> distinct_names(["Dog", "dog", "cat"])
        ['Dog', 'dog-2', 'cat']
    """
    names: list[str] = []
    taken: set[str] = set()
    for text in texts:
        name, number = safe_name(text, fallback, longest=longest), 1
        while _folded(name) in taken:
            number += 1
            mark = f"-{number}"
            name = f"{safe_name(text, fallback, longest=longest - len(mark))}{mark}"
        taken.add(_folded(name))
        names.append(name)
    return names


def _trimmed(name: str, longest: int) -> str:
    """Cut a name to `longest` bytes and trim it: Windows drops final full stops and spaces; leading ones confuse."""
    name = name.lstrip(" .")
    return name.encode()[:longest].decode(errors="ignore").rstrip(" .")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
