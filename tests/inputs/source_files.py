"""The package's own source files, each parsed once for all the rules that are held by reading them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import cyclevos

SOURCE = Path(cyclevos.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
# Rules are held by one process, so that no other has to parse the files again.
held_by_reading = pytest.mark.xdist_group("rules")


def relative(file: Path) -> str:
    """`media/frames.py`."""
    return file.relative_to(SOURCE).as_posix()


@cache
def text_of(file: Path) -> str:
    return file.read_text(encoding="utf-8")


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(text_of(file))


@cache
def nodes(file: Path) -> tuple[ast.AST, ...]:
    """Every node of a file, in the order of `ast.walk`."""
    return tuple(ast.walk(parse(file)))
