"""The layers of docs/architecture.md, held by parsing every import; and what every file has to be."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import cyclevos

SOURCE = Path(cyclevos.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# What a part of the package may import of the others. Errors, the package's own version and the part
# itself go without saying.
BASE = {"files", "naming", "masks", "geometry", "losses", "labels", "words"}
MEDIA = BASE | {"pictures", "media", "exchange"}
MODEL = MEDIA | {"network", "cycle", "prompts", "propagation"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "files": set(),
    "labels": set(),
    "masks": set(),
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
    "jobs": MODEL | {"datasets"},
    "analysis": MODEL | {"datasets", "training", "evaluation", "jobs"},
    "cluster": MODEL | {"datasets", "jobs"},
    "app": MODEL | {"datasets", "analysis", "jobs"},
    "cli": MODEL | {"datasets", "training", "evaluation", "jobs", "analysis", "cluster", "app"},
}
WITHOUT_TORCH = (
    "files",
    "labels",
    "naming",
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
    "bgr_frames",
    "cycle_erf",
    "load_network",
    "load_prompter",
    "segment",
}


def relative(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def part_of(file: Path) -> str:
    """`video` for video/frames.py, `masks` for masks.py."""
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    """Every module named by an import, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_imported(file: Path) -> set[str]:
    """Parts of the package that a file imports from."""
    words = [name.split(".") for name in imports(parse(file))]
    named = {name[1] for name in words if name[0] == "cyclevos" and len(name) > 1}
    return {name for name in named if (SOURCE / name).is_dir() or (SOURCE / f"{name}.py").is_file()}


def loaded_modules(file: Path, seen: set[Path]) -> set[str]:
    """Top-level packages that importing a file loads, through our own files too; lazy imports left out."""
    if file in seen:
        return set()
    seen.add(file)
    found: set[str] = set()
    tree = parse(file)
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for inner in ast.walk(node)
        if inner is not node
    }
    eager = ast.Module(
        [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom) and id(n) not in lazy], []
    )
    for name in imports(eager):
        words = name.split(".")
        found.add(words[0])
        if words[0] == "cyclevos":
            base = SOURCE.joinpath(*words[1:])
            for each in (base.with_suffix(".py"), base / "__init__.py"):
                if each.is_file() and words[1:]:
                    found |= loaded_modules(each, seen)
    return found


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_no_file_imports_from_above_its_layer(file):
    part = part_of(file)
    if part in {"__init__", "__main__"}:
        return
    assert part in ALLOWED, f"{part} is a new part: say in docs/architecture.md and here what it may import"
    too_high = parts_imported(file) - ALLOWED[part] - {part, "errors"}
    assert not too_high, f"{relative(file)} imports {sorted(too_high)}, which lie above or beside it"


FAMILIES = sorted(path.name for path in (SOURCE / "network").iterdir() if (path / "family.py").is_file())


def families_imported(file: Path) -> set[str]:
    """Families whose modules a file imports."""
    words = [name.split(".") for name in imports(parse(file))]
    return {name[2] for name in words if name[:2] == ["cyclevos", "network"] and len(name) > 2} & set(FAMILIES)


APP_ROOMS = ["projects", "work", "server"]  # each may import those before it


@pytest.mark.parametrize("file", sorted((SOURCE / "app").glob("*/**/*.py")), ids=relative)
def test_the_rooms_of_the_app_import_in_one_direction(file):
    room = file.relative_to(SOURCE).parts[1]
    words = [name.split(".") for name in imports(parse(file))]
    rooms = {name[2] for name in words if name[:2] == ["cyclevos", "app"] and len(name) > 2} & set(APP_ROOMS)
    assert rooms <= set(APP_ROOMS[: APP_ROOMS.index(room) + 1])


@pytest.mark.parametrize("file", [file for file in FILES if part_of(file) not in {"network", "__init__"}], ids=relative)
def test_families_are_named_in_the_registry_alone(file):
    """What runs networks knows the protocol alone; training is of STM, and so is the public name NetworkSpec.

    The packaged prompter has a trunk like STM's, and the prompter of a family is a file of its name.
    """
    allowed = {"training": {"stm"}, "prompts": {"stm", file.stem}}.get(part_of(file), set())
    assert not families_imported(file) - allowed


@pytest.mark.parametrize("file", [file for file in FILES if part_of(file) == "network"], ids=relative)
def test_no_family_is_imported_by_what_all_families_share(file):
    inside = file.relative_to(SOURCE).parts[1]
    assert not families_imported(file) - {inside}


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
    assert "torch" in loaded_modules(SOURCE / "masks.py", set())
    assert "torch" in loaded_modules(SOURCE / "cycle.py", set())


@pytest.mark.parametrize("name", ["masks", "geometry", "losses"])
def test_the_small_pure_files_need_only_torch_and_numpy(name):
    tops = {module.split(".")[0] for module in imports(parse(SOURCE / f"{name}.py"))}
    assert tops <= {"__future__", "collections", "typing", "math", "numpy", "torch", "cyclevos"}
    assert parts_imported(SOURCE / f"{name}.py") <= {"errors", "labels"}


@pytest.mark.parametrize("file", [file for file in FILES if relative(file).startswith(WITHOUT_TORCH)], ids=relative)
def test_reading_writing_and_scoring_do_without_torch(file):
    assert "torch" not in loaded_modules(file, set())


@pytest.mark.parametrize("file", [file for file in FILES if part_of(file) in {"cli", "__init__"}], ids=relative)
def test_the_command_line_loads_nothing_heavy_before_it_is_asked_to_work(file):
    heavy = {"torch", "numpy", "av", "PIL", "scipy", "timm", "torchvision", "pydantic"}
    assert not loaded_modules(file, set()) & heavy


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


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_every_file_says_what_it_owns_and_prints_nothing(file):
    tree = parse(file)
    docstring = ast.get_docstring(tree)
    assert docstring, "no module docstring"
    assert len(docstring.splitlines()[0]) <= 120
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    assert "print" not in {node.func.id for node in calls}


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_files_and_functions_stay_short(file):
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300
    for node in ast.walk(parse(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 80, f"{node.name} has {length} lines"
