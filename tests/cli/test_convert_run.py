"""`cyclevos convert RUN --to FORMAT`: every format of a finished run, later and without the network."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from cli_inputs import PALETTE, save_frames
from clips import closeness, images_of, read_with_alpha, write_video
from PIL import Image

from cyclevos.exchange.formats import RUN, offered, read_track
from cyclevos.files.atomic import temporary_path
from cyclevos.media.open_source import open_source

SOFT = ("prores", "prores-objects", "webm", "webm-objects", "cutouts")


@pytest.fixture
def run(segment, tmp_path):
    """A run that kept masks and probabilities."""
    answer = segment("--save", "masks,probabilities")
    assert answer.code == 0, answer.err
    return tmp_path / "out"


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("convert needs no network")

    monkeypatch.setattr("cyclevos.network.settings.NetworkSettings.load", refuse)


def files_of(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_later_gives_what_save_would_have_given(segment, call, run, tmp_path, no_network, monkeypatch):
    kinds = [each.name for each in offered(RUN) if each.name not in ("masks", "probabilities")]
    for kind in kinds:
        answer = call("convert", run, "--to", kind)
        assert answer.code == 0, (kind, answer.err)
        assert "hard" not in answer.err
        assert "6 frames. Results: " in answer.out
    monkeypatch.undo()
    monkeypatch.setenv("COLUMNS", "200")
    again = tmp_path / "again" / "out"
    assert segment("--save", ",".join(["masks", "probabilities", *kinds]), output=again).code == 0
    later, at_once = files_of(run), files_of(again)
    assert set(later) == set(at_once)
    for name in set(later) - {"run.json", ".cyclevos.lock", "review/timeline.png"}:
        if later[name].suffix in (".mov", ".webm"):  # encoders give other bits when the machine is busy
            (one, times), (other, times_at_once) = read_with_alpha(later[name]), read_with_alpha(at_once[name])
            assert times == times_at_once
            assert np.abs(np.subtract(one, other, dtype=int)[..., 3]).max() <= 24, name
        elif later[name].suffix == ".mp4":
            assert closeness(*(np.stack(images_of(open_source(file[name]))) for file in (later, at_once))) < 1
        else:
            assert later[name].read_bytes() == at_once[name].read_bytes(), name
    outputs = {
        name: set(json.loads((folder / "run.json").read_text())["outputs"])
        for name, folder in (("later", run), ("at once", again))
    }
    assert outputs["later"] == outputs["at once"], "so that --overwrite removes them"


def test_what_is_there_already_is_named(call, run):
    assert call("convert", run, "--to", "gif").code == 0
    again = call("convert", run, "--to", "gif")
    assert again.code == 7
    assert f"{run / 'overlay.gif'} is there already" in again.err
    assert call("convert", run, "--to", "masks").code == 7


def test_without_probabilities_edges_are_hard_and_soft_mattes_refused(segment, call, tmp_path, ids, images):
    assert segment("--save", "masks").code == 0
    out = tmp_path / "out"
    for kind in ("mattes", "exr", "probabilities"):
        answer = call("convert", out, "--to", kind)
        assert answer.code == 6
        assert "none were kept" in answer.err
        assert "--save masks,probabilities" in answer.err
    answer = call("convert", out, "--to", "cutouts")
    assert answer.code == 0
    assert "holds no probabilities, so the edges are hard" in answer.err
    for frame in read_track(out, "masks").frames():
        rgba = np.asarray(Image.open(out / "cutouts" / f"{frame.name}.png"))
        np.testing.assert_array_equal(rgba[..., 3], np.where(frame.ids > 0, 255, 0))
        np.testing.assert_array_equal(rgba[..., :3][frame.ids > 0], images[frame.index][frame.ids > 0])


def test_probabilities_are_the_alpha(call, run, tmp_path):
    assert call("convert", run, "--to", "cutouts", "--output", tmp_path / "c").code == 0
    with np.load(run / "probabilities" / "shot_003.npz") as content:
        expected = np.rint((1 - content["probabilities"][0].astype(np.float32)) * 255)
    alpha = np.asarray(Image.open(tmp_path / "c" / "shot_003.png"))[..., 3]
    assert np.abs(alpha - expected).max() <= 1
    assert len(np.unique(alpha)) > 2


def test_frames_that_changed_are_refused_and_those_that_moved_are_named(call, run, clip, tmp_path, images):
    moved = tmp_path / "elsewhere"
    clip.rename(moved)
    gone = call("convert", run, "--to", "overlay")
    assert gone.code == 3
    assert f"{clip}, from which the run in {run} was made, cannot be read any more" in gone.err
    assert "--frames" in gone.err
    found = call("convert", run, "--to", "overlay", "--frames", moved)
    assert (found.code, found.err) == (0, "")
    assert (run / "overlay.mp4").is_file()

    save_frames(clip, [255 - image for image in images])
    changed = call("convert", run, "--to", "gif")
    assert changed.code == 3
    assert f"{clip} has changed since the run in {run} was made from it" in changed.err
    other = call("convert", run, "--to", "gif", "--frames", clip)
    assert other.code == 0
    assert f"{clip} is not what the run was made from" in other.err


@pytest.mark.parametrize(
    ("count", "size", "text"),
    [
        (5, None, "has no frame for mask shot_005"),
        (7, None, "Frame shot_006 of"),
        (6, (20, 24), "is 40x24, but frame shot_000 of"),
    ],
)
def test_frames_that_do_not_fit_the_masks_are_refused_and_leave_nothing(call, run, tmp_path, images, count, size, text):
    shown = [np.asarray(Image.fromarray(image).resize(size) if size else image) for image in (images * 2)[:count]]
    other = save_frames(tmp_path / "other", shown)
    before = set(files_of(run))
    for kind in ("webm", "cutouts", "prores-objects"):
        answer = call("convert", run, "--to", kind, "--frames", other)
        assert answer.code == 4, answer.err
        assert text in answer.err
        assert not (tmp_path / "x").exists()
    assert set(files_of(run)) == before


def test_the_times_of_a_run_without_its_frames_are_left_out_and_that_is_said(call, run, clip):
    clip.rename(clip.with_name("elsewhere"))
    answer = call("convert", run, "--to", "npz")
    assert answer.code == 0
    assert "The times of the frames are left out." in answer.err
    with np.load(run / "masks.npz") as content:
        assert np.isnan(content["times"]).all()
        np.testing.assert_array_equal(content["ids"], [frame.ids for frame in read_track(run, "masks").frames()])


def test_a_run_that_has_not_ended_is_refused_but_its_masks_can_be_had(call, run, tmp_path):
    record = json.loads((run / "run.json").read_text())
    del record["finished"]
    (run / "run.json").write_text(json.dumps(record))
    answer = call("convert", run, "--to", "gif")
    assert answer.code == 7
    assert "has not come to its end" in answer.err
    assert "--from masks" in answer.err
    assert call("convert", run, "--from", "masks", "--to", "coco", "--output", tmp_path / "a.json").code == 0


def test_damaged_probabilities_are_named(call, run, tmp_path):
    (run / "probabilities" / "shot_002.npz").write_bytes(b"PK nonsense")
    answer = call("convert", run, "--to", "mattes")
    assert answer.code == 4
    assert "shot_002.npz does not hold the probabilities of frame shot_002" in answer.err
    assert not (run / "mattes").exists()
    assert not temporary_path(run / "mattes").exists()


def test_names_palette_and_times_travel(call, clip, weights, tmp_path, ids, images):
    video = write_video(tmp_path / "a.mp4", [image[:24, :40] for image in images], pts=[0, 1, 2, 10, 11, 30])
    for name, object_id in (("dog", 2), ("car", 7)):
        folder = tmp_path / "first" / name
        folder.mkdir(parents=True)
        Image.fromarray((ids == object_id).astype(np.uint8) * 255).save(folder / "00000.png")
    base = ("--masks", tmp_path / "first", "--weights", weights, "--size", "none", "--dtype", "float32", "--quiet")
    out = tmp_path / "out"
    assert call("segment", video, *base, "--output", out, "--save", "masks,probabilities").code == 0
    assert call("convert", out, "--to", "mattes").code == 0
    assert sorted(path.name for path in (out / "mattes").iterdir()) == ["001_car", "002_dog"]
    assert call("convert", out, "--to", "npz").code == 0
    with np.load(out / "masks.npz") as content:
        assert content["times"] == pytest.approx([0, 0.04, 0.08, 0.4, 0.44, 1.2])
        assert content["object_names"].tolist() == ["car", "dog"]
    assert call("convert", out, "--to", "coco", "--output", tmp_path / "a.json").code == 0
    assert [each["name"] for each in json.loads((tmp_path / "a.json").read_text())["categories"]] == ["car", "dog"]


def test_masks_of_no_run_are_shown_over_their_frames(call, run, clip, tmp_path, ids):
    shutil.copytree(run, tmp_path / "masks", ignore=shutil.ignore_patterns("*.json", "*.csv", "prob*", "review"))
    assert call("convert", tmp_path / "masks", "--to", "coco", "--output", tmp_path / "a.json").code == 0
    for source in (tmp_path / "masks", tmp_path / "a.json"):
        target = tmp_path / f"{source.stem}.mov"
        missing = call("convert", source, "--to", "prores", "--output", target)
        assert missing.code == 6
        assert "--frames" in missing.err
        answer = call("convert", source, "--to", "prores", "--frames", clip, "--output", target)
        assert answer.code == 0, answer.err
        assert "so the edges are hard" in answer.err
        for rgba, frame in zip(read_with_alpha(target)[0], read_track(source).frames(), strict=True):
            assert ((rgba[..., 3] > 127) == (frame.ids > 0)).mean() > 0.99
    nowhere = call("convert", tmp_path / "a.json", "--to", "mots")
    assert nowhere.code == 6
    assert "--output is missing" in nowhere.err


def test_masks_without_objects_make_no_folder_of_objects(call, clip, tmp_path):
    for index in range(6):
        path = tmp_path / "blank" / f"shot_{index:03d}.png"
        path.parent.mkdir(exist_ok=True)
        image = Image.fromarray(np.zeros((24, 40), np.uint8))
        image.putpalette(PALETTE)
        image.save(path)
    answer = call("convert", tmp_path / "blank", "--to", "webm-objects", "--frames", clip, "--output", tmp_path / "x")
    assert answer.code == 4
    assert "No mask shows an object" in answer.err
    assert not (tmp_path / "x").exists()
