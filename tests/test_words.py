"""Numbers agree with their nouns wherever a text is made of both."""

from __future__ import annotations

import ast
import re

from source_files import FILES, held_by_reading, nodes, relative

pytestmark = held_by_reading
# Texts in which the number is never 1, or that must not change, by how they go on after the number.
NEVER_ONE = (
    " folders of PNGs; expected 1 to 255",
    " objects; expected 255 or fewer",
    " classes; a mask can hold 255",
    " objects, but a mask can hold 255",
    " frames, --rows allows",
    " runs",
    " objects, ",
    " frames, ",
    " frames with ",
)


def plural_after_a_count(text: ast.JoinedStr) -> str | None:
    """Return what follows a `len(...)` in an f-string if it is a plural."""
    for value, after in zip(text.values, text.values[1:], strict=False):
        if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
            continue
        call = value.value
        is_count = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "len"
        if is_count and re.match(r" (?!is\b|was\b|has\b|as\b)[a-z]+s\b", after.value):
            return str(after.value)
    return None


def test_counts_in_texts_are_written_by_counted():
    texts = [(relative(file), node) for file in FILES for node in nodes(file) if isinstance(node, ast.JoinedStr)]
    found = [(file, plural) for file, text in texts if (plural := plural_after_a_count(text)) is not None]
    assert found, "the check finds nothing at all, not even what is allowed"
    assert [(file, plural) for file, plural in found if not plural.startswith(NEVER_ONE)] == []
