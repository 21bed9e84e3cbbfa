"""What the documents say is so: their Python runs, their commands exist, their links lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

import cyclevos
from cyclevos.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PROJECT = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS = [*PROJECT, *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "src").rglob("*.md"))]
COMMAND = re.compile(r"^ *(?:.*[ /])?cyclevos ((?:-v )?[a-z-]+)((?: .*)?)$", re.MULTILINE)


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and code of each fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def python(path: Path) -> list[str]:
    return [code for language, code in blocks(path.read_text(encoding="utf-8")) if language == "python"]


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Commands of the program in a document's code: name and options."""
    fenced = [code for language, code in blocks(text) if language != "python"]
    indented = re.findall(r"(?<=\n\n)((?:    .*\n)+)", text)
    found = []
    for code in [*fenced, *indented]:
        for name, rest in COMMAND.findall(re.sub(r"\\\n *", "", code)):
            words = shlex.split(rest, comments=True)
            found.append((name.removeprefix("-v "), [word.partition("=")[0] for word in words if word.startswith("-")]))
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))]
    missing = [t for t in targets if t and not t.startswith(("http", "mailto:")) and not (path.parent / t).exists()]
    assert not missing


def test_the_version_stands_in_one_place():
    """Only `cyclevos/__init__.py` states it; the changelog names each version that it describes."""
    pattern = re.compile(r"^\W*version\W*[:=]\s*[\"']?\d", re.MULTILINE | re.IGNORECASE)
    files = [ROOT / name for name in ("pyproject.toml", "mkdocs.yml", "CITATION.cff", "Makefile")]
    files += [path for path in (ROOT / "src").rglob("*.py") if path != Path(cyclevos.__file__).resolve()]
    assert [path.name for path in files if pattern.search(path.read_text(encoding="utf-8"))] == []
    quoted = re.compile(rf"[\"']{re.escape(cyclevos.__version__)}[\"']")
    assert [path.name for path in files if quoted.search(path.read_text(encoding="utf-8"))] == []
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_makefile_has_the_targets_that_the_documents_name():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        name
        for path in PROJECT
        for name in re.findall(r"(?:`|^    )make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "quick", "docs", "wheel", "oldest"} <= named <= targets


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    paper = citation["preferred-citation"]
    assert citation["license"] == "Apache-2.0"
    assert f"title     = {{{paper['title']}}}" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert [author["family-names"] for author in paper["authors"]] == ["Li", "Xu", "Peng", "See", "Lin"]


def test_commands_and_their_options_exist():
    known = typer.main.get_command(app).commands
    seen = []
    for path in DOCUMENTS:
        for name, options in commands(path.read_text(encoding="utf-8")):
            assert name in known, f"{path.name}: cyclevos {name}"
            allowed = {"--help", *(opt for p in known[name].params for opt in (*p.opts, *p.secondary_opts))}
            unknown = [option for option in options if option not in allowed]
            assert not unknown, f"{path.name}: cyclevos {name} {' '.join(unknown)}"
            seen.append(name)
    assert set(known) <= set(seen), f"no document shows {set(known) - set(seen)}"


@pytest.mark.slow
def test_the_python_of_the_documents_runs(capsys):
    names: dict[str, object] = {}
    first, *others = python(ROOT / "docs" / "python.md")
    whole = "segment(network, clip, {0: mask}), 6)"  # the one that runs at the network's own size
    assert whole in first
    for code in (first.replace(whole, "segment(network, clip, {0: mask}, size=240), 2)"), *others):
        smaller = code.replace("size=240", "size=160")  # half the time
        exec(compile(smaller, "docs/python.md", "exec"), names)  # each block goes on from the one before
    out = capsys.readouterr().out
    score, wrong = (
        float(re.search(rf"^{name} ([0-9.]+)$", out, re.MULTILINE)[1]) for name in ("its mask", "a wrong one")
    )
    assert score > 0.8 > 0.5 > wrong
    assert "No mask shows an object" in out
    [readme] = python(ROOT / "README.md")
    names["holiday"] = str(names["clip"])
    code = readme.replace('"holiday.mp4"', "holiday") + "    break\n"  # its last lines stand in the loop over frames
    exec(compile(code, "README.md", "exec"), names)
    assert names["p"].index == 0
