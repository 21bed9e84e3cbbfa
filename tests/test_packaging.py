"""The built distributions: complete, installable on their own, and described well on a package page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from email.message import Message
from itertools import islice
from pathlib import Path, PurePosixPath

import pytest
from clips import write_video

import cyclevos
from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_ground_truth

try:  # Python 3.11
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "cyclevos"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = PROJECT["urls"]["Repository"]

pytestmark = pytest.mark.slow


def run(*command: str | Path, **options) -> str:
    """Output of a command that must succeed, in a process that does not see this repository."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def distributions(tmp_path_factory) -> tuple[Path, Path]:
    """The wheel, built from the sdist, and the sdist, as `make wheel` makes them: without network."""
    pytest.importorskip("build", reason="build is not installed")
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module")
def metadata(distributions) -> Message:
    with zipfile.ZipFile(distributions[0]) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(wheel.read(name))


@pytest.fixture(scope="module")
def installed(distributions, tmp_path_factory) -> Path:
    """Folder of a fresh environment's programs: the wheel is installed, its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    install = ("-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--no-compile")
    run(sys.executable, *install, distributions[0])
    packages = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # Python does not read the .pth files of a folder that a .pth file names, so an editable cyclevos stays unseen.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs


def test_the_wheel_holds_every_file_of_the_package(distributions):
    expected = {
        f"cyclevos/{file.relative_to(PACKAGE).as_posix()}": file.read_bytes()
        for file in PACKAGE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    with zipfile.ZipFile(distributions[0]) as wheel:
        packed = {name: wheel.read(name) for name in wheel.namelist() if name.startswith("cyclevos/")}
        licences = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]
        assert [wheel.read(name) for name in licences] == [(ROOT / "LICENSE").read_bytes()]
    assert packed == expected
    kinds = {PurePosixPath(name).suffix for name in packed}
    assert {".safetensors", ".mp4", ".png", ".yaml", ".j2", ".css", ".js", ".html", ".typed", ".md"} <= kinds


def test_the_sdist_holds_what_a_packager_needs(distributions):
    with tarfile.open(distributions[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    tracked = {
        f"{part}/{file.relative_to(ROOT / part).as_posix()}" for part in ("src", "tests") for file in sources(part)
    }
    assert tracked <= names
    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"} <= names


def sources(part: str) -> list[Path]:
    return [file for file in (ROOT / part).rglob("*.py") if "__pycache__" not in file.parts]


def test_the_package_page_shows_pictures_and_links(metadata):
    """Relative links lead nowhere there; what they became must name files of the repository at the version's tag."""
    page = metadata.get_payload()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata["Description-Content-Type"] == "text/markdown"
    shown, written = (re.findall(r"(!?)\[[^\[\]]*\]\(([^)\s]+)\)", text) for text in (page, readme))
    assert len(shown) == len(written)
    pictures = 0
    for (mark, address), (_, target) in zip(shown, written, strict=True):
        if re.match("[a-z]+:|#", target):
            assert address == target
            continue
        kind = "raw" if mark else "blob"
        assert address == f"{REPOSITORY}/{kind}/v{cyclevos.__version__}/{target}"
        assert (ROOT / target.partition("#")[0]).exists(), target
        pictures += bool(mark)
    assert pictures
    assert not re.search(r"""(src|href)=["'](?!https?:|#)""", page)


def test_the_metadata_is_complete(metadata):
    assert metadata["Version"] == cyclevos.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert all("::" in classifier for classifier in metadata.get_all("Classifier"))
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL"))
    assert urls == PROJECT["urls"]
    assert all(url.startswith(REPOSITORY) for url in urls.values())


def test_the_installed_wheel_runs_the_demo(installed, tmp_path):
    python = installed / "python"
    origin = Path(run(python, "-c", "import cyclevos; print(cyclevos.__file__)", cwd=tmp_path).strip())
    assert installed.parent.resolve() in origin.resolve().parents
    assert run(installed / "cyclevos", "--version", cwd=tmp_path).strip() == f"cyclevos {cyclevos.__version__}"
    clip = origin.parent / "demo" / "car-shadow.mp4"
    write_video(clip, [frame.image for frame in islice(open_source(clip), 3)])  # 40 take a minute
    output = tmp_path / "demo"
    told = run(python, ROOT / "scripts" / "demo.py", "--clip", "car-shadow", "--output", output, cwd=tmp_path)
    assert "car-shadow: 3 frames, objects 1" in told
    masks = sorted((output / "car-shadow").glob("*.png"))
    assert len(masks) == 3
    shares = [(read_ground_truth(mask).ids == 1).mean() for mask in masks]
    given = read_ground_truth(origin.parent / "demo" / "car-shadow.png").ids
    assert shares[0] == (given == 1).mean()
    assert min(shares) > 0.5 * shares[0]  # the car drives away, but not that fast
    assert (output / "car-shadow" / "overlay.mp4").stat().st_size > 0
    assert (output / "car-shadow-contact-sheet.png").is_file()
