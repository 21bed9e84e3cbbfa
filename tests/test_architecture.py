"""The layers of docs/architecture.md, held by parsing every import; and what every file has to be."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from source_files import FILES, SOURCE, held_by_reading, nodes, parse, relative, text_of

import cyclevos

pytestmark = held_by_reading

# What a part of the package may import of the others. Errors, the package's own version and the part
# itself go without saying.
BASE = {"files", "naming", "masks", "pieces", "geometry", "losses", "labels", "words"}
MEDIA = BASE | {"pictures", "media", "exchange"}
MODEL = MEDIA | {"network", "cycle", "prompts", "propagation"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "labels": set(),
    "masks": set(),
    "pieces": set(),
    "geometry": set(),
    "losses": {"labels"},
    "naming": set(),
    "words": set(),
    "pictures": {"labels", "naming", "words"},
    "media": {"files", "labels", "naming", "pictures", "words"},
    "exchange": {"files", "labels", "naming", "pictures", "media", "words"},
    "network": BASE,
    "cycle": BASE | {"network"},
    "prompts": MEDIA | {"network"},
    "propagation": MEDIA | {"network", "cycle", "prompts"},
    "datasets": MEDIA | {"prompts"},
    "training": MODEL | {"datasets"},
    "evaluation": MODEL | {"datasets"},
    "adaptation": MODEL | {"evaluation"},
    "jobs": MODEL | {"adaptation", "datasets"},
    "analysis": MODEL | {"datasets", "training", "evaluation", "jobs"},
    "cluster": MODEL | {"datasets", "jobs"},
    "app": MODEL | {"adaptation", "datasets", "evaluation", "analysis", "jobs"},
    "cli": MODEL | {"adaptation", "datasets", "training", "evaluation", "jobs", "analysis", "cluster", "app"},
}
WITHOUT_TORCH = (
    "files",
    "labels",
    "naming",
    "pieces.py",
    "words",
    "pictures",
    "media",
    "exchange",
    "evaluation",
    "analysis/report/",
    "datasets/layouts.py",
    "errors.py",
    "network/registry.py",
    "network/named_weights.py",
    "network/locating.py",
    "network/downloads.py",
    "network/hub.py",
    "network/settings.py",
    "prompts/prompts.py",
    "prompts/prompter.py",
    "prompts/boxes.py",
    "prompts/family.py",
    "prompts/next_click.py",
    *(f"network/{name}/family.py" for name in ("stm", "cutie", "sam2")),
)

PUBLIC = {
    "Adaptation",
    "ConfigError",
    "Correction",
    "CycleVOSError",
    "DatasetError",
    "FailedClipsError",
    "MaskError",
    "MissingExtraError",
    "NetworkSpec",
    "OutputError",
    "Prediction",
    "PromptError",
    "Propagator",
    "TrainingError",
    "VideoError",
    "WeightsError",
    "Writer",
    "__version__",
    "adapt",
    "adapt_to_clips",
    "bgr_frames",
    "cycle_erf",
    "load_network",
    "load_prompter",
    "review",
    "segment",
}


def part_of(file: Path) -> str:
    """`video` for video/frames.py, `masks` for masks.py."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def named_by(node: ast.AST) -> Iterator[str]:
    """Every module that an import names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written in full"
        assert node.module is not None
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(file: Path) -> list[list[str]]:
    """The parts of every module named by an import, those inside functions and under TYPE_CHECKING too."""
    return [name.split(".") for node in nodes(file) for name in named_by(node)]


def parts_imported(file: Path) -> set[str]:
    """Parts of the package that a file imports from."""
    named = {name[1] for name in imports(file) if name[0] == "cyclevos" and len(name) > 1}
    return {name for name in named if (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()}


@cache
def eager_imports(file: Path) -> list[list[str]]:
    """What importing a file imports at once: nothing that stands in a function or under TYPE_CHECKING."""
    lazy = {
        id(inner)
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
        if inner is not node
    }
    return [name.split(".") for node in nodes(file) if id(node) not in lazy for name in named_by(node)]


@cache
def next_files(file: Path) -> list[Path]:
    """Our own files that importing a file imports at once."""
    bases = [SOURCE.joinpath(*words[1:]) for words in eager_imports(file) if words[0] == "cyclevos" and words[1:]]
    return [each for base in bases for each in (base.with_suffix(".py"), base / "__init__.py") if each.is_file()]


def loaded_modules(file: Path) -> set[str]:
    """Top-level packages that importing a file loads, through our own files too; lazy imports left out."""
    seen, waiting = {file}, [file]
    while waiting:
        fresh = set(next_files(waiting.pop())) - seen
        seen |= fresh
        waiting += fresh
    return {words[0] for each in seen for words in eager_imports(each)}


def test_no_file_imports_from_above_its_layer():
    files = {file: part_of(file) for file in FILES if part_of(file) not in {"__init__", "__main__"}}
    new = set(files.values()) - set(ALLOWED)
    assert not new, f"{sorted(new)} are new parts: say in docs/architecture.md and here what they may import"
    too_high = {relative(file): parts_imported(file) - ALLOWED[part] - {part, "errors"} for file, part in files.items()}
    assert {file: parts for file, parts in too_high.items() if parts} == {}, "these parts lie above or beside the file"


FAMILIES = sorted(path.name for path in (SOURCE / "network").iterdir() if (path / "family.py").is_file())


def families_imported(file: Path) -> set[str]:
    """Families whose modules a file imports."""
    named = {name[2] for name in imports(file) if name[:2] == ["cyclevos", "network"] and len(name) > 2}
    return named & set(FAMILIES)


APP_ROOMS = ["projects", "work", "server"]  # each may import those before it


def test_the_rooms_of_the_app_import_in_one_direction():
    backwards = {}
    for file in sorted((SOURCE / "app").glob("*/**/*.py")):
        room = file.relative_to(SOURCE).parts[1]
        named = {name[2] for name in imports(file) if name[:2] == ["cyclevos", "app"] and len(name) > 2}
        backwards[relative(file)] = named & set(APP_ROOMS[APP_ROOMS.index(room) + 1 :])
    assert {file.split("/")[1] for file in backwards} == set(APP_ROOMS)
    assert {file: rooms for file, rooms in backwards.items() if rooms} == {}


def test_families_are_named_in_the_registry_alone():
    """What runs networks knows the protocol alone; training is of STM, and so is the public name NetworkSpec.

    The packaged prompter has a trunk like STM's, and the prompter of a family is a file of its name.
    """
    found = {}
    for file in FILES:
        if part_of(file) not in {"network", "__init__"}:
            allowed = {"training": {"stm"}, "prompts": {"stm", file.stem}}.get(part_of(file), set())
            found[relative(file)] = families_imported(file) - allowed
    assert {file: families for file, families in found.items() if families} == {}


def test_no_family_is_imported_by_what_all_families_share():
    files = {file: file.relative_to(SOURCE).parts[1] for file in FILES if part_of(file) == "network"}
    found = {relative(file): families_imported(file) - {inside} for file, inside in files.items()}
    assert {file: families for file, families in found.items() if families} == {}


def test_the_registry_lists_the_families_that_there_are():
    text = (SOURCE / "network" / "registry.py").read_text(encoding="utf-8")
    assert (
        sorted(re.findall(r'"cyclevos\.network\.(\w+)\.family:FAMILY"', text)) == FAMILIES == ["cutie", "sam2", "stm"]
    )


def test_the_document_has_all_parts_in_their_order():
    text = (Path(__file__).resolve().parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    named = [name for line in table for name in re.findall(r"`([a-z]+)`", line.split("|")[1])]
    assert named == list(ALLOWED)


def test_the_rules_above_know_what_they_are_talking_about():
    assert parts_imported(SOURCE / "propagation" / "frame_propagator.py") >= {"masks", "geometry", "network"}
    assert families_imported(SOURCE / "training" / "setup.py") == {"stm"}
    assert "torch" in loaded_modules(SOURCE / "masks.py")
    assert "torch" in loaded_modules(SOURCE / "cycle.py")


@pytest.mark.parametrize("name", ["masks", "geometry", "losses"])
def test_the_small_pure_files_need_only_torch_and_numpy(name):
    tops = {words[0] for words in imports(SOURCE / f"{name}.py")}
    assert tops <= {"__future__", "collections", "typing", "math", "numpy", "torch", "cyclevos"}
    assert parts_imported(SOURCE / f"{name}.py") <= {"errors", "labels"}


def test_reading_writing_and_scoring_do_without_torch():
    files = [file for file in FILES if relative(file).startswith(WITHOUT_TORCH)]
    assert len(files) > 100
    assert [relative(file) for file in files if "torch" in loaded_modules(file)] == []


def test_the_command_line_loads_nothing_heavy_before_it_is_asked_to_work():
    heavy = {"torch", "numpy", "av", "PIL", "scipy", "timm", "torchvision", "pydantic"}
    loaded = {relative(file): loaded_modules(file) & heavy for file in FILES if part_of(file) in {"cli", "__init__"}}
    assert loaded
    assert {file: modules for file, modules in loaded.items() if modules} == {}


def test_the_public_names_are_the_documented_ones_and_resolve():
    assert set(cyclevos.__all__) == PUBLIC
    assert list(cyclevos.__all__) == sorted(cyclevos.__all__)
    for name in cyclevos.__all__:
        assert getattr(cyclevos, name) is not None
    assert set(dir(cyclevos)) == PUBLIC
    with pytest.raises(AttributeError, match="no attribute 'sgment'"):
        _ = cyclevos.sgment


def test_every_error_has_an_exit_code_of_its_own():
    errors = importlib.import_module("cyclevos.errors")
    tree = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.CycleVOSError)]
    codes = [each.exit_code for each in tree]
    assert len(set(codes)) == len(codes)
    assert 0 not in codes
    assert 2 not in codes, "2 is what the command line answers to a wrong usage"
    assert {each.__name__ for each in tree} == {name for name in PUBLIC if name.endswith("Error")}


def test_every_file_says_what_it_owns():
    first_lines = {relative(file): (ast.get_docstring(parse(file)) or "").partition("\n")[0] for file in FILES}
    assert [file for file, line in first_lines.items() if not 0 < len(line) <= 120] == []


def test_no_file_prints():
    calls = [(file, node.func) for file in FILES for node in nodes(file) if isinstance(node, ast.Call)]
    prints = [relative(file) for file, name in calls if isinstance(name, ast.Name) and name.id == "print"]
    assert prints == []


def test_files_and_functions_stay_short():
    assert {relative(file): n for file in FILES if (n := len(text_of(file).splitlines())) > 300} == {}
    functions = [
        (relative(file), node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for file in FILES
        for node in nodes(file)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [(file, name, lines) for file, name, lines in functions if lines > 80] == []
