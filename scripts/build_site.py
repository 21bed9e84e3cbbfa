"""What ``make docs`` runs: builds the documentation site, where every warning is an error. It needs no network.

python scripts/build_site.py --output site

The site consists of README.md as its home page, all of docs/, the project's other documents, and API pages made from
the docstrings. Links between these files are rewritten to the pages; links to other files of the repository become
links to the repository.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import cyclevos

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "cyclevos"
# Documents outside docs/, and the pages that they become.
ELSEWHERE = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "src/cyclevos/weights/MODEL_CARD.md": "project/model-card.md",
    "src/cyclevos/demo/ATTRIBUTION.md": "project/demo-clips.md",
}
WITHOUT_API = {"__init__", "__main__", "app", "cli"}  # driven by a browser or a shell, not imported
replace_links = runpy.run_path(str(ROOT / "hatch_build.py"))["replace_links"]


def main() -> None:
    """Read the arguments and build."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("site"), help="folder of the site; it is replaced")
    output = parser.parse_args().output.resolve()
    with tempfile.TemporaryDirectory() as folder:
        configuration = write_sources(Path(folder))
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(output)]
        # The variable silences an announcement of mkdocs-material's successor.
        environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
        done = subprocess.run([*command, "--config-file", str(configuration)], env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(f"site: {output / 'index.html'}")


def write_sources(folder: Path) -> Path:
    """Write the site's pages and configuration, and return the configuration's path."""
    pages = folder / "docs"
    shutil.copytree(DOCS, pages)
    repository = project_address()
    documents = site_pages()
    for source, page in documents.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        (pages / page).parent.mkdir(parents=True, exist_ok=True)
        (pages / page).write_text(rewrite_links(text, source, documents, repository), encoding="utf-8")
    api = write_api(pages / "api")
    configuration: dict[str, Any] = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    [python] = [plugin["mkdocstrings"] for plugin in configuration["plugins"] if "mkdocstrings" in plugin]
    python["handlers"]["python"]["paths"] = [str(PACKAGE.parent)]
    configuration |= {"docs_dir": str(pages), "repo_url": repository, "nav": navigation(documents, api)}
    path = folder / "mkdocs.yml"
    path.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    return path


def project_address() -> str:
    """Address of the repository as pyproject.toml states it."""
    urls: dict[str, str] = ProjectMetadata(str(ROOT), PluginManager()).config["project"]["urls"]
    return urls["Repository"]


def site_pages() -> dict[str, str]:
    """Page of each document, by the document's path in the repository."""
    inside = {f"docs/{path.relative_to(DOCS).as_posix()}": path for path in sorted(DOCS.rglob("*.md"))}
    return {**ELSEWHERE, **{source: path.relative_to(DOCS).as_posix() for source, path in inside.items()}}


def rewrite_links(text: str, source: str, documents: dict[str, str], repository: str) -> str:
    """Markdown of a document with the links that its page needs.

    Args:
        text: Markdown of the document.
        source: The document's path in the repository.
        documents: Page of each document.
        repository: Address of the repository.

    Returns:
        Markdown with links relative to the page; links to files that are not on the site are absolute.
    """
    here = os.path.dirname(documents[source])  # noqa: PTH120 - relpath below works on strings

    def replacement(target: str, picture: bool) -> str:
        path, mark, anchor = target.partition("#")
        file = os.path.normpath(Path(source).parent / path).replace(os.sep, "/")
        page = documents.get(file)
        if page is None and file.startswith("docs/") and (ROOT / file).is_file():
            page = file.removeprefix("docs/")  # a picture
        if page is not None:
            return os.path.relpath(page, here or ".").replace(os.sep, "/") + mark + anchor
        kind = "raw" if picture else "tree" if (ROOT / file).is_dir() else "blob"
        return f"{repository}/{kind}/main/{file}{mark}{anchor}"

    rewritten: str = replace_links(text, replacement)
    return rewritten


def write_api(folder: Path) -> list[str]:
    """Write the pages of the public names and of each part of the package, and return their paths in the site."""
    folder.mkdir()
    names = [name for name in cyclevos.__all__ if not name.startswith("_")]
    parts = sorted({path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")})
    parts = [part for part in parts if part not in WITHOUT_API]
    public = [f"{getattr(cyclevos, name).__module__}.{name}" for name in names]
    _write_page(folder / "index.md", "Public names", "What `import cyclevos` offers.", public)
    for part in parts:
        files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").is_file() else (PACKAGE / part).rglob("*.py")
        modules = [".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts) for file in sorted(files)]
        modules = [name.removesuffix(".__init__") for name in modules]
        _write_page(folder / f"{part}.md", part, f"The modules of `cyclevos.{part}`.", modules)
    return ["api/index.md", *(f"api/{part}.md" for part in parts)]


def _write_page(path: Path, title: str, text: str, identifiers: list[str]) -> None:
    """Write a page that documents modules, classes or functions."""
    blocks = "\n\n".join(f"::: {identifier}" for identifier in identifiers)
    path.write_text(f"# {title}\n\n{text}\n\n{blocks}\n", encoding="utf-8")


def navigation(documents: dict[str, str], api: list[str]) -> list[Any]:
    """Navigation of the site: the guide's pages stand in the order in which README.md links them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    linked = [documents.get(target, "") for target in re.findall(r"\]\(([^)#\s]+)", readme)]
    pages = [page for source, page in documents.items() if source not in ELSEWHERE]
    guide = [page for page in pages if "/" not in page]
    guide.sort(key=lambda page: (linked.index(page) if page in linked else len(linked), page))
    return [
        {"Home": "index.md"},
        {"Guide": guide},
        {"Results": [page for page in pages if "/" in page]},
        {"API": [{"Public names": api[0]}, *api[1:]]},
        {"Project": [page for page in ELSEWHERE.values() if page != "index.md"]},
    ]


if __name__ == "__main__":
    main()
