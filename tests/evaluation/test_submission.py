"""The zip for a challenge's server: its layout, its bytes, and what is refused before it is written."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cyclevos.cli.main import app
from cyclevos.errors import DatasetError, OutputError


@pytest.fixture
def youtube(tmp_path, write_mask, draw_objects):
    """YouTube-VOS's valid split: object 1 from frame 0 in `a`, object 3 from frame 5; `b` begins at frame 5."""
    root, results = tmp_path / "YT", tmp_path / "results"
    given = {"a": {0: [1], 5: [1, 3]}, "b": {5: [2]}}
    for name, masks in given.items():
        for index in range(0, 15):
            frame = root / "valid" / "JPEGImages" / name / f"{index:05d}.jpg"
            frame.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (60, 40)).save(frame)
            ids = [1, 3] if name == "a" else [2]
            write_mask(results / name / f"{index:05d}.png", draw_objects(ids))
        for index, ids in masks.items():
            write_mask(root / "valid" / "Annotations" / name / f"{index:05d}.png", draw_objects(ids))
    frames = {"a": {"1": (0, 5, 10), "3": (5, 10)}, "b": {"2": (5, 10)}}
    videos = {
        name: {"objects": {key: {"frames": [f"{i:05d}" for i in each]} for key, each in objects.items()}}
        for name, objects in frames.items()
    }
    (root / "valid" / "meta.json").write_text(json.dumps({"videos": videos}))
    return root, results


@pytest.fixture
def pack(youtube, tmp_path):
    root, results = youtube

    def run(*options):
        base = ["submission", results, "--dataset", root, "--split", "valid", "--output", tmp_path / "out" / "s.zip"]
        outcome = CliRunner().invoke(app, [str(word) for word in [*base, *options]])
        if outcome.exception is not None:
            raise outcome.exception
        return tmp_path / "out" / "s.zip"

    return run


def test_youtube_vos_holds_the_frames_that_are_asked_for(pack, youtube):
    root, results = youtube
    path = pack("--challenge", "youtube-vos", "--meta", root / "valid" / "meta.json")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert names == [f"Annotations/{name}.png" for name in ("a/00000", "a/00005", "a/00010", "b/00005", "b/00010")]
        assert archive.read("Annotations/a/00005.png") == (results / "a" / "00005.png").read_bytes()
        assert archive.testzip() is None
    assert [each.name for each in path.parent.iterdir()] == ["s.zip"]


def test_davis_holds_every_frame_at_the_root(pack):
    with zipfile.ZipFile(pack("--sequences", "b")) as archive:
        assert archive.namelist() == [f"b/{index:05d}.png" for index in range(15)]


def test_the_same_masks_give_the_same_bytes(pack, youtube):
    first = pack().read_bytes()
    for path in youtube[1].rglob("*.png"):
        path.write_bytes(path.read_bytes())  # a later time
    assert pack().read_bytes() == first


def test_what_the_server_would_refuse_is_named_and_an_earlier_zip_stays(pack, youtube, write_mask, draw_objects):
    _, results = youtube
    before = pack().read_bytes()
    path = results / "b" / "00007.png"
    whole = path.read_bytes()
    wrong = [
        (path.unlink, r"lacks 1 of the 30 masks that the server scores: b/00007\.png"),
        (lambda: path.write_bytes(whole[:60]), r"00007\.png cannot be read"),
        (lambda: write_mask(path, draw_objects([2]), "L"), "has mode L; expected an indexed PNG"),
        (lambda: write_mask(path, np.zeros((20, 30))), "is 30x20 but its frame is 60x40"),
        (lambda: write_mask(path, draw_objects([2, 5])), "holds the ids 5, which no annotation of 'b' has"),
    ]
    for spoil, message in wrong:
        spoil()
        with pytest.raises(DatasetError, match=message):
            pack()
        path.write_bytes(whole)
    assert pack().read_bytes() == before


def test_a_meta_file_of_another_split_is_refused(pack, tmp_path):
    path = tmp_path / "meta.json"
    for frame, message in (("00099", "lists frame '00099' of sequence 'a'"), (None, "lists no frame")):
        objects = {"1": {"frames": [frame] if frame else []}}
        path.write_text(json.dumps({"videos": {"a": {"objects": objects}}}))
        with pytest.raises(DatasetError, match=message):
            pack("--meta", path)


def test_a_sequence_without_given_masks(pack, youtube):
    root, _ = youtube
    for path in (root / "valid" / "Annotations" / "b").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="'b' has no annotation"):
        pack()


def test_a_zip_that_cannot_be_written(pack, tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        pack()
