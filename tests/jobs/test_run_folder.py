import json
from contextlib import nullcontext

import numpy as np
import pytest
from clips import scene, scene_ids
from PIL import Image

from cyclevos.errors import OutputError
from cyclevos.files.atomic import partial_path, temporary_path
from cyclevos.jobs.run_folder import Identity, RunFolder, ended_count
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.writers import MaskWriter, ProbabilityWriter

SIGNATURE = {"source": "clip.mp4", "masks": "abc", "options": {"size": (480, 854), "correct": True}}


def run_of(folder, overwrite=False, outputs=("overlay.mp4", "coco.json", "probabilities"), **changes):
    return RunFolder(folder, Identity({**SIGNATURE, **changes}), results=outputs, overwrite=overwrite)


def prepare(folder, overwrite=False, **changes):
    return run_of(folder, overwrite, **changes).begin().finished


def write_results(folder, count=3):
    for frame, ids in zip(frames_from_arrays(scene(count)), scene_ids(count), strict=True):
        MaskWriter(folder).write(FrameResult(frame, ids))
        ProbabilityWriter(folder / "probabilities").write(FrameResult(frame, ids, np.zeros((2, 48, 64), np.float32)))
    (folder / "overlay.mp4").touch()
    partial_path(folder / "coco.json").touch()


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_new_folder_is_made_and_signed(tmp_path):
    folder = tmp_path / "deep" / "out"
    assert prepare(folder) == set()
    assert names(folder) == ["run.json"]
    assert json.loads((folder / "run.json").read_text())["signature"]["masks"] == "abc"


def test_the_same_command_continues_with_the_whole_masks(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    cut = tmp_path / "00001.png"
    cut.write_bytes(cut.read_bytes()[:-6])
    half = temporary_path(tmp_path / "00003.png")
    half.write_bytes(b"half")
    assert prepare(tmp_path) == {"00000", "00002"}
    assert not half.exists()
    assert prepare(tmp_path) == {"00000", "00002"}
    MaskWriter(tmp_path).write(FrameResult(next(frames_from_arrays(scene(1))), scene_ids(1)[0]))


def test_overwrite_continues_what_was_interrupted_and_replaces_what_has_ended(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    assert ended_count(tmp_path) is None
    assert prepare(tmp_path, overwrite=True) == {"00000", "00001", "00002"}
    run_of(tmp_path).finish(3)
    assert ended_count(tmp_path) == 3
    assert prepare(tmp_path) == {"00000", "00001", "00002"}
    assert ended_count(tmp_path) is None, "whoever prepares a folder has something left to do there"
    run_of(tmp_path).finish(3)
    assert prepare(tmp_path, overwrite=True) == set()
    assert names(tmp_path) == ["run.json"]


def test_what_was_broken_may_change_once(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    run_of(tmp_path, masks="def").allow_change("source")
    with pytest.raises(OutputError, match="repaired"):
        prepare(tmp_path, source="repaired")
    run_of(tmp_path).allow_change("source")
    with pytest.raises(OutputError, match="masks"):
        prepare(tmp_path, source="repaired", masks="def")
    assert prepare(tmp_path, source="repaired") == {"00000", "00001", "00002"}
    with pytest.raises(OutputError, match="repaired"):
        prepare(tmp_path)


def test_looking_changes_nothing(tmp_path):
    assert run_of(tmp_path / "new", overwrite=True).look().finished == set()
    assert names(tmp_path) == []
    assert not (tmp_path / "new").exists()
    prepare(tmp_path)
    write_results(tmp_path)
    before = names(tmp_path)
    assert run_of(tmp_path, overwrite=True).look().finished == {"00000", "00001", "00002"}
    assert run_of(tmp_path, overwrite=True, masks="def").look().finished == set()
    assert names(tmp_path) == before


def test_another_run_is_refused_with_what_differs(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    before = names(tmp_path)
    with pytest.raises(OutputError, match=r"options\.correct \(true there, false now\).*--overwrite"):
        prepare(tmp_path, options={"size": (480, 854), "correct": False})
    assert names(tmp_path) == before


def test_overwrite_removes_our_files_only(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    (tmp_path / "notes.txt").touch()
    (tmp_path / "probabilities" / "mine.npz").write_bytes(b"foreign")
    Image.fromarray(scene(1)[0]).save(tmp_path / "poster.png")
    assert prepare(tmp_path, overwrite=True, masks="def") == set()
    assert names(tmp_path) == ["notes.txt", "poster.png", "probabilities/mine.npz", "run.json"]
    assert prepare(tmp_path, masks="def") == set()


def test_pictures_of_unknown_origin_are_refused(tmp_path):
    Image.fromarray(scene(1)[0]).save(tmp_path / "00000.png")
    with pytest.raises(OutputError, match=r"already holds 1 picture of unknown origin: 00000\.png.*--overwrite"):
        prepare(tmp_path)
    assert prepare(tmp_path, overwrite=True) == set()
    assert names(tmp_path) == ["00000.png", "run.json"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("earlier", [None, ("coco.json",)])
def test_a_users_own_file_of_a_results_name_is_refused_by_name(tmp_path, overwrite, earlier):
    if earlier:
        prepare(tmp_path, outputs=earlier, masks="def")
        (tmp_path / "coco.json").touch()
    (tmp_path / "overlay.mp4").write_bytes(b"mine")
    text = r"holds overlay\.mp4, and no run\.json" if overwrite or not earlier else "another run"
    with pytest.raises(OutputError, match=text):
        prepare(tmp_path, overwrite=overwrite)
    assert (tmp_path / "overlay.mp4").read_bytes() == b"mine"
    assert (tmp_path / "coco.json").exists() == bool(earlier)


def test_unrelated_files_do_not_matter(tmp_path):
    (tmp_path / "notes.txt").touch()
    assert prepare(tmp_path) == set()


@pytest.mark.parametrize("content", ["{}", "[1]", "words", '{"tool": "other", "signature": {}, "outputs": []}'])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_foreign_run_file_is_never_touched(tmp_path, content, overwrite):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(OutputError, match=r"run\.json was not written by cyclevos"):
        prepare(tmp_path, overwrite=overwrite)
    assert (tmp_path / "run.json").read_text() == content


def test_a_listed_name_never_leads_out_of_the_folder(tmp_path):
    outside = tmp_path / "precious.txt"
    run_of(tmp_path / "out", outputs=["../precious.txt"]).begin()
    outside.touch()
    prepare(tmp_path / "out", overwrite=True, masks="def")
    assert outside.exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match=r"out is a file\. Expected a folder"):
        prepare(tmp_path / "out")


def test_a_size_that_is_not_chosen_yet_suits_a_run_of_version_0_1_that_kept_auto(tmp_path):
    RunFolder(tmp_path, Identity({"size": "auto", "weights": "a"}), results=["coco.json"]).begin()
    (tmp_path / "coco.json").touch()
    for weights, refusal in (("a", nullcontext()), ("b", pytest.raises(OutputError, match="weights"))):
        with refusal:
            RunFolder(tmp_path, Identity({"weights": weights}, frozenset({"size"}))).refuse_other_settings()


def test_a_correction_that_is_older_than_pruning_continues_without_it(tmp_path):
    prepare(tmp_path, correction={"steps": 3})
    write_results(tmp_path)
    assert prepare(tmp_path, correction={"steps": 3, "prune": False}) == {"00000", "00001", "00002"}
    with pytest.raises(OutputError, match=r"correction\.prune \(false there, true now\)"):
        prepare(tmp_path, correction={"steps": 3, "prune": True})


def test_a_run_adapted_before_there_was_a_guard_says_how_it_is_continued(tmp_path):
    prepare(tmp_path, adaptation={"steps": 20})
    write_results(tmp_path)
    with pytest.raises(
        OutputError, match=r"adaptation\.decoder \(true there.*adaptation\.guard \(false there, true now\)"
    ):
        prepare(tmp_path, adaptation={"steps": 20, "decoder": False, "guard": True})


def test_a_run_from_before_pruning_was_usual_says_how_it_is_continued(tmp_path):
    prepare(tmp_path, correction=None)
    write_results(tmp_path)
    text = r"correction \(off there, on now\).*Use --correction off to continue that run"
    with pytest.raises(OutputError, match=text):
        prepare(tmp_path, correction={"steps": 0, "prune": True})


def test_a_run_without_any_result_does_not_occupy_the_folder(tmp_path):
    prepare(tmp_path)
    assert prepare(tmp_path, source="other.mp4") == set()
    write_results(tmp_path, count=1)
    with pytest.raises(OutputError, match=r"other\.mp4"):
        prepare(tmp_path)


def test_other_peoples_temporary_and_partial_files_are_left_alone(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    others = [".thesis.tmp", ".thesis.png.tmp", "coco.json.partial", "overlay.mp4.partial", ".coco.json.partial"]
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    prepare(tmp_path)
    prepare(tmp_path, overwrite=True, masks="def")
    assert names(tmp_path) == sorted([*others, "run.json"])


def test_what_a_kill_has_left_among_our_results_is_removed_with_them(tmp_path):
    prepare(tmp_path)
    write_results(tmp_path)
    temporary_path(tmp_path / "probabilities" / "00003.npz").write_bytes(b"half")
    prepare(tmp_path, overwrite=True, masks="def")
    assert names(tmp_path) == ["run.json"]


@pytest.mark.parametrize("masks", ["abc", "def"])
def test_lines_of_an_unfinished_coco_file_of_version_0_1_are_recognised(tmp_path, masks):
    prepare(tmp_path)
    write_results(tmp_path)
    line = json.dumps({"image": {"frame_index": 0}, "annotations": []})
    partial_path(tmp_path / "coco.json").unlink()
    (tmp_path / "coco.json.partial").write_text(f"{line}\n")
    prepare(tmp_path, overwrite=True, masks=masks)
    assert not (tmp_path / "coco.json.partial").exists()
    assert partial_path(tmp_path / "coco.json").exists() == (masks == "abc")
