"""The documentation site: built as `make docs` builds it, where every warning is an error."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import cyclevos

pytest.importorskip("mkdocs", reason="mkdocs is not installed")
pytest.importorskip("mkdocstrings", reason="mkdocstrings is not installed")

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "build_site.py"
pytestmark = pytest.mark.slow


def call(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    done = call(sys.executable, SCRIPT, "--output", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_document_has_a_page(site):
    for document in (ROOT / "docs").rglob("*.md"):
        page = site / document.relative_to(ROOT / "docs").with_suffix("") / "index.html"
        title = re.search(r"^# (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)[1]
        assert re.search(rf"<h1[^>]*>{re.escape(title)}", page.read_text(encoding="utf-8")), document.name
    for page in ("index.html", "project/changelog/index.html", "project/model-card/index.html"):
        assert (site / page).is_file()


def test_the_pages_link_each_other_and_load_nothing_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    checked = 0
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert not re.search(r"<(?:script|img|iframe)[^>]+src=[\"']?https?:", html)
        assert not re.search(r"<link[^>]+rel=[\"']?stylesheet[\"']?[^>]+href=[\"']?https?:", html)
        if page.name == "404.html":  # its links start at the server's root
            continue
        for target in re.findall(r"<(?:a|img)\b[^>]*? (?:href|src)=[\"']([^\"'#?]+)", html):
            if not re.match("[a-z]+:", target):
                file = (page.parent / target).resolve()
                assert file.is_file() or (file / "index.html").is_file(), f"{page.relative_to(site)}: {target}"
                checked += 1
    assert checked > len(pages)


def test_public_names_are_documented(site):
    html = (site / "api" / "index.html").read_text(encoding="utf-8")
    for name in cyclevos.__all__:
        if not name.startswith("_"):
            found = getattr(cyclevos, name)
            assert f'id="{found.__module__}.{name}"' in html, name


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[lost](nowhere.md) [lost](#nowhere)", ("nowhere.md", "#nowhere")),
        ("::: cyclevos.nowhere", ("nowhere",)),
    ],
)
def test_a_warning_stops_the_build(tmp_path, text, problems):
    configuration = runpy.run_path(str(SCRIPT))["write_sources"](tmp_path)
    settings = yaml.safe_load(configuration.read_text(encoding="utf-8"))
    del settings["nav"]  # one page: all of them take long to typeset
    configuration.write_text(yaml.safe_dump(settings), encoding="utf-8")
    shutil.rmtree(tmp_path / "docs")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"# Home\n\n{text}\n", encoding="utf-8")
    done = call(sys.executable, "-m", "mkdocs", "build", "--strict", "-f", configuration, "-d", tmp_path / "site")
    told = done.stdout + done.stderr
    assert done.returncode != 0, told
    assert all(problem in told for problem in problems)
