"""Every error that a user can cause is raised with a problem and a remedy."""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterable, Iterator
from functools import cache

import pytest
from source_files import FILES, held_by_reading, nodes, relative

from cyclevos.errors import MaskError, MissingExtraError, OutputError

pytestmark = held_by_reading


def name_of(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


@cache
def error_names() -> set[str]:
    """Names of CycleVOSError and of every class in the source that derives from it."""
    bases = {
        node.name: {name_of(base) for base in node.bases}
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.ClassDef)
    }
    found = {"CycleVOSError"}
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def one_sided(found: Iterable[ast.AST], names: set[str]) -> Iterator[ast.Call]:
    """Calls that make such an error of fewer than two arguments, or of a remedy that is empty."""
    for node in found:
        if isinstance(node, ast.Call) and name_of(node.func) in names:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            empty = any(isinstance(each, ast.Constant) and not each.value for each in given)
            starred = any(isinstance(each, ast.Starred) for each in given)
            if len(given) != 2 or empty or starred:
                yield node


def test_the_errors_of_every_room_are_found():
    assert {
        "MaskError",
        "OutputError",
        "AppError",
        "UnsupportedError",
        "_UnauthorisedError",
        "OtherRunError",
    } <= error_names()
    assert not error_names() & {"ValueError", "CancelledError"}


@pytest.mark.parametrize(
    ("call", "right"),
    [
        ("MaskError(a, b)", True),
        ("errors.MaskError(a, remedy=b)", True),
        ("MaskError(a)", False),
        ("MaskError(a, '')", False),
        ("MaskError(*both)", False),
        ("ValueError(a)", True),
    ],
)
def test_the_check_finds_what_it_is_for(call, right):
    assert (not [*one_sided(ast.walk(ast.parse(f"raise {call}")), error_names())]) is right


def test_errors_have_a_problem_and_a_remedy():
    found = [(file, call) for file in FILES for call in one_sided(nodes(file), error_names())]
    assert [f"{relative(file)}, line {call.lineno}: {ast.unparse(call)}" for file, call in found] == []


@pytest.mark.parametrize("kind", [MaskError, OutputError, MissingExtraError])
def test_an_error_survives_the_way_between_processes(kind):
    """OSError and ImportError have ideas of their own about two arguments."""
    again = pickle.loads(pickle.dumps(kind("A problem.", "A remedy.")))
    assert (type(again), again.problem, again.remedy) == (kind, "A problem.", "A remedy.")
    assert str(again) == "A problem. A remedy."
