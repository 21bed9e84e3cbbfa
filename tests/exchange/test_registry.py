"""Every door offers the formats of the registry, the document lists them, and a new one is one file and one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cyclevos
from cyclevos.exchange.format import Format
from cyclevos.exchange.formats import APP, RUN, all_formats, find, offered, read_track, register, write_track
from cyclevos.exchange.track import MaskFrame, MaskTrack

SOURCE = Path(cyclevos.__file__).parent
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
BOXES = Path(__file__).parent / "boxes.py"

# Run in a process of its own, against a package with one more file and one more line.
ASK_ALL = """
import json, sys
from cyclevos.cli.options import parse_save
saved = parse_save("masks,boxes")
heavy = sorted({"torch", "numpy", "av", "PIL", "pydantic"} & set(sys.modules))
from cyclevos.app.server.bodies import ExportBody
from cyclevos.app.server.server import AppOptions, create_app
from pathlib import Path
from starlette.testclient import TestClient
with TestClient(create_app(AppOptions(Path(sys.argv[1]))), base_url="http://127.0.0.1:8420") as client:
    page = client.get("/api/server").json()["exports"]
print(json.dumps({"saved": saved, "heavy": heavy, "page": page, "kinds": ExportBody(kinds=["boxes"]).kinds}))
"""


def one_file_and_one_line(folder: Path) -> Path:
    """Make a copy of the package, of links, that has the format `boxes` too."""
    package = folder / "cyclevos"
    registered = package / "exchange" / "registered"
    registered.mkdir(parents=True)
    for here, there in ((SOURCE, package), (SOURCE / "exchange", package / "exchange")):
        for each in here.iterdir():
            if each.name not in ("exchange", "registered", "formats.py", "__pycache__"):
                (there / each.name).symlink_to(each)
    for each in (SOURCE / "exchange" / "registered").glob("*.py"):
        (registered / each.name).symlink_to(each)
    (registered / "boxes.py").symlink_to(BOXES)  # one file
    lines = (SOURCE / "exchange" / "formats.py").read_text(encoding="utf-8")
    assert lines.count('    "mots",\n') == 1
    lines = lines.replace('    "mots",\n', '    "mots",\n    "boxes",\n')  # one line
    (package / "exchange" / "formats.py").write_text(lines, encoding="utf-8")
    return folder


def python(path: Path, *arguments: object) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path), "NO_COLOR": "1", "COLUMNS": "300", "TERM": "dumb"}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_new_format_is_one_file_and_one_line(tmp_path):
    path = one_file_and_one_line(tmp_path / "source")
    for command in ("segment", "segment-dataset", "convert"):
        assert "boxes" in python(path, "-m", "cyclevos", command, "--help"), command
    ids = np.zeros((8, 9), np.uint8)
    ids[2:5, 3:7] = 4
    write_track(MaskTrack("clip", lambda: iter([MaskFrame(0, "a", ids)])), "masks", tmp_path / "masks")
    python(path, "-m", "cyclevos", "convert", tmp_path / "masks", "--to", "boxes", "--output", tmp_path / "b.boxes")
    assert (tmp_path / "b.boxes").read_text() == "a 8 9 4 3 2 7 5\n"
    back = ("convert", tmp_path / "b.boxes", "--to", "coco", "--output", tmp_path / "c.json")
    assert "1 frame. " in python(path, "-m", "cyclevos", *back), "recognised without --from"
    answer = json.loads(python(path, "-c", ASK_ALL, tmp_path / "projects"))
    assert answer["saved"] == ["masks", "boxes"]
    assert answer["heavy"] == []
    assert {
        "name": "boxes",
        "label": "Boxes",
        "summary": "one box per object and frame",
        "preselected": False,
        "purpose": "annotation",
    } in answer["page"]
    assert answer["kinds"] == ["boxes"]
    assert find("boxes") is None, "of the copy alone"


def test_the_document_is_the_registry():
    def door(there: bool) -> str:
        return "yes" if there else ""

    def place(each) -> str:
        if not each.is_written:
            return ""
        return f"`{each.file}`" if each.file else "the folder itself"

    rows = [
        f"| `{each.name}` | {each.summary} | {place(each)} "
        f"| {door(each in offered(RUN))} | {door(each.read is not None)} "
        f"| {door(each in offered(APP))} |"
        for each in all_formats()
    ]
    text = DOCUMENT.read_text(encoding="utf-8")
    assert "|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n\n" in text
    rooms = [f"| `{f.name}` | {' | '.join(f.room.cells())} |" for f in all_formats() if f.room is not None]
    assert "|---|---|---|---|---|\n" + "\n".join(rooms) + "\n\n" in text
    for each in all_formats():
        assert all(f"`{alias}` is another name for `{each.name}`" in text for alias in each.aliases)


def test_every_door_offers_all_that_can_be_made():
    written = {each.name for each in all_formats() if each.is_written}
    assert {each.name for each in offered(RUN)} == written - {"reliability", "marks"}
    assert {"probabilities", "mattes", "exr"}.isdisjoint(each.name for each in offered(APP))
    assert {"objects", "youtube-vis", "mots", "marks", "reliability"} <= {each.name for each in offered(APP)}


@pytest.mark.parametrize("kind", [each for each in all_formats() if each.room is not None], ids=lambda each: each.name)
def test_a_format_holds_what_it_says(kind, tmp_path):
    from cyclevos.media.appearance import Appearance

    ids = np.zeros((5, 6), np.uint8)
    ids[1:3, 2:4] = 9
    blank = np.zeros_like(ids)
    frames = [MaskFrame(k, name, mask) for k, (name, mask) in enumerate(zip("xyz", (blank, ids, blank), strict=True))]
    palette = bytes(range(256)) * 3
    track = MaskTrack("clip", lambda: iter(frames), Appearance(palette, {9: "dog"}))
    path = tmp_path / (kind.file or "masks")
    write_track(track, kind.name, path)
    back = read_track(path, kind.name)
    read = list(back.frames())
    assert (read[1].name == "y") == kind.room.frame_names
    assert (back.object_names == {9: "dog"}) == kind.room.object_names
    assert (back.palette == palette) == kind.room.colours
    assert (len(read) == 3) == (kind.room.empty_frames != "not last")
    np.testing.assert_array_equal(read[1].ids, ids)


@pytest.mark.parametrize("taken", [{"name": "coco"}, {"name": "indexed"}, {"name": "new", "file": "mots.txt"}])
def test_two_formats_of_one_name_or_file_are_refused(taken):
    with pytest.raises(ValueError, match="has the name or the file of"):
        register(Format(**{"label": "x", "summary": "x", "file": "x", **taken}))
