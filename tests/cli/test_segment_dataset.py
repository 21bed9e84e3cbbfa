"""`cyclevos segment-dataset`: the layout of its results, and running it again."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from cli_inputs import HEIGHT, WIDTH, save_mask
from PIL import Image

from cyclevos.cli.segment_dataset import Place
from cyclevos.datasets import layouts
from cyclevos.datasets.first_masks import first_masks
from cyclevos.errors import DatasetError, MaskError
from cyclevos.files.locks import sole_writer
from cyclevos.jobs import clips
from cyclevos.jobs.manifest import MANIFEST, clip_records, read_manifest
from cyclevos.media.reliability_files import read_reliability
from cyclevos.network.fingerprint import checksum
from cyclevos.pictures.mask_files import read_mask
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.together import LockStep


@pytest.fixture
def dataset(call, davis, weights, tmp_path):
    def run(*options, root=davis):
        base = ("--output", tmp_path / "out", "--weights", weights, "--size", "none", "--dtype", "float32")
        return call("segment-dataset", root, *base, "--quiet", *options)

    return run


def files(folder):
    """Return the masks, without looking into the clips' folders of timelines and of what is being written."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*.png"))


def test_results_lie_by_sequence_and_a_second_run_skips_them(dataset, tmp_path, ids):
    answer = dataset()
    assert answer.code == 0, answer.err
    assert "2 sequences, 6 frames segmented now" in answer.out
    out = tmp_path / "out"
    assert files(out) == [f"{name}/{i:05d}.png" for name in ("ape", "bee") for i in range(3)]
    np.testing.assert_array_equal(read_mask(out / "ape" / "00000.png").ids, ids)
    np.testing.assert_array_equal(read_mask(out / "bee" / "00000.png").ids, (ids == 2).astype(np.uint8))
    assert read_mask(out / "ape" / "00002.png").palette == DAVIS_PALETTE
    before = {name: (out / name).stat().st_mtime_ns for name in files(out)}

    assert "2 sequences, 0 frames segmented now" in dataset().out
    assert before == {name: (out / name).stat().st_mtime_ns for name in files(out)}

    (out / "bee" / "00001.png").unlink()
    assert "2 sequences, 3 frames segmented now" in dataset().out
    assert "2 sequences, 6 frames segmented now" in dataset("--overwrite").out


def test_a_cut_table_of_a_finished_sequence_is_made_again(dataset, tmp_path):
    assert dataset().code == 0
    table = tmp_path / "out" / "ape" / "reliability.csv"
    whole, joined = table.read_bytes(), (tmp_path / "out" / "reliability.csv").read_bytes()
    table.write_bytes(whole[:-12])
    answer = dataset()
    assert answer.code == 0, answer.err
    assert "2 sequences, 3 frames segmented now" in answer.out
    assert table.read_bytes() == whole
    assert (tmp_path / "out" / "reliability.csv").read_bytes() == joined


def test_some_sequences_and_other_results(dataset, tmp_path):
    assert dataset("--sequences", "bee", "--save", "masks,coco").code == 0
    assert files(tmp_path / "out") == [f"bee/{i:05d}.png" for i in range(3)]
    assert (tmp_path / "out" / "bee" / "annotations.json").is_file()


def test_reliability_of_all_sequences_lies_in_one_table(dataset, tmp_path):
    assert dataset("--review", "3").code == 0
    rows = read_reliability(tmp_path / "out" / "reliability.csv")
    expected = [("ape", "00001", 2), ("ape", "00001", 7), ("ape", "00002", 2), ("ape", "00002", 7)]
    assert [row[:3] for row in rows] == [*expected, ("bee", "00001", 1), ("bee", "00002", 1)]
    assert rows[:4] == read_reliability(tmp_path / "out" / "ape" / "reliability.csv")
    review = json.loads((tmp_path / "out" / "reliability.json").read_text())["review"]
    assert len(review) == 3
    assert review[0]["reliability"] == min(row.reliability for row in rows)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--split", "vall"), "no split 'vall'"),
        (("--sequences", "apes"), "Did you mean ape?"),
        (("--sequences", ""), "No sequence was requested"),
        (("--year", "2018"), "expected 2016 or 2017"),
        (("--annotations", "Masks"), "Masks does not exist"),
    ],
)
def test_what_is_not_there_is_named(dataset, options, text):
    answer = dataset(*options)
    assert answer.code == 8
    assert text in answer.err


def test_a_folder_that_is_no_data_set(dataset, tmp_path):
    answer = dataset(root=tmp_path / "nowhere")
    assert answer.code == 8
    assert "does not exist" in answer.err


def test_trouble_with_one_sequence_names_it_and_keeps_the_others(dataset, davis, tmp_path, ids):
    save_mask(davis / "Annotations" / "480p" / "bee" / "00000.png", ids[:20], DAVIS_PALETTE)
    answer = dataset()
    assert answer.code == 11
    assert "1 of 2 sequences failed twice" in answer.err
    assert "bee: " in answer.err
    assert "40x20" in answer.err
    attempts = [(line["sequence"], line["status"], line["attempt"]) for line in clips_on_record(tmp_path / "out")]
    assert attempts == [("ape", "done", 1), ("bee", "failed", 1), ("bee", "failed", 2)]
    assert files(tmp_path / "out") == [f"ape/{i:05d}.png" for i in range(3)]


def test_a_sequence_whose_masks_are_empty(dataset, davis, ids):
    for path in (davis / "Annotations" / "480p" / "bee").iterdir():
        save_mask(path, ids * 0, DAVIS_PALETTE)
    answer = dataset()
    assert answer.code == 11
    assert "bee" in answer.err


def test_the_record_of_a_run_and_its_clips(dataset, tmp_path, weights):
    dataset()
    records, unreadable = read_manifest(tmp_path / "out" / MANIFEST)
    run, *clips = records
    assert unreadable == 0
    assert run["kind"] == "run"
    assert run["command"][:2] == ["cyclevos", "segment-dataset"]
    assert run["weights"] == {"name": str(weights), "sha256": checksum(weights)}
    assert (run["device"], run["dtype"], run["settings"]["size"]) == ("cpu", "float32", None)
    assert [clip["sequence"] for clip in clips] == ["ape", "bee"]
    for clip in clips:
        masks = sorted((tmp_path / "out" / clip["sequence"]).glob("*.png"))
        assert clip["checksum"] == hashlib.sha256(b"".join(mask.read_bytes() for mask in masks)).hexdigest()
        assert (clip["status"], clip["frames"], clip["segmented"], clip["error"]) == ("done", 3, 3, None)
        assert 0 < clip["seconds"] < 60
        assert clip["peak_memory_mb"] > 50
        values = [row.reliability for row in read_reliability(tmp_path / "out" / clip["sequence"] / "reliability.csv")]
        assert clip["reliability"]["lowest"] == pytest.approx(min(values))
        assert clip["reliability"]["mean"] == pytest.approx(sum(values) / len(values), abs=1e-4)

    dataset()
    again = read_manifest(tmp_path / "out" / MANIFEST)[0]
    assert [line["kind"] for line in again] == ["run", "clip", "clip"], "nothing was done, nothing is recorded"
    (tmp_path / "out" / MANIFEST).unlink()
    dataset()
    assert [line.get("checksum") for line in clips_on_record(tmp_path / "out")] == [c["checksum"] for c in clips]


def test_what_is_wrong_with_the_command_stops_at_once(dataset, tmp_path):
    answer = dataset("--size", "8")
    assert answer.code == 6
    assert not clips_on_record(tmp_path / "out")
    assert dataset("--clips-at-once", "none").code == 6


@pytest.mark.parametrize("first", ["bee", "ape,bee"])
def test_results_of_other_settings_stop_it_before_anything_is_done_or_recorded(dataset, tmp_path, first):
    assert dataset("--sequences", first).code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    answer = dataset("--size", "16")
    assert answer.code == 7
    assert "size (null there, 16 now)" in answer.err
    assert "--overwrite" in answer.err
    assert before == {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert dataset("--size", "16", "--overwrite").code == 0


def test_another_first_mask_of_one_sequence_leaves_its_record_as_it_is(dataset, davis, tmp_path, ids):
    assert dataset("--sequences", "bee").code == 0
    before = clips_on_record(tmp_path / "out")
    save_mask(davis / "Annotations" / "480p" / "bee" / "00000.png", ids, DAVIS_PALETTE)
    answer = dataset("--sequences", "bee")
    assert answer.code == 7
    assert "masks" in answer.err
    assert clips_on_record(tmp_path / "out") == before


@pytest.mark.parametrize("lost", [True, False])
def test_a_failure_counts_only_where_it_cost_results(dataset, tmp_path, monkeypatch, lost):
    assert dataset("--sequences", "bee").code == 0
    (done,) = clips_on_record(tmp_path / "out")
    real = clips.SegmentRun

    def failing(job, *arguments):
        if lost:  # as when a run that replaces them has begun
            mark = tmp_path / "out" / "bee" / "run.json"
            mark.write_text(json.dumps({k: v for k, v in json.loads(mark.read_text()).items() if k != "finished"}))
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(clips, "SegmentRun", failing)
    assert dataset("--sequences", "bee").code == 11
    (counting,) = clip_records(read_manifest(tmp_path / "out" / MANIFEST)[0]).values()
    assert (counting == done) != lost
    monkeypatch.setattr(clips, "SegmentRun", real)
    assert dataset("--sequences", "bee").code == 0
    (counting,) = clip_records(read_manifest(tmp_path / "out" / MANIFEST)[0]).values()
    assert counting["status"] == "done"


def test_a_clip_that_fails_once_is_done_in_the_end(dataset, tmp_path, monkeypatch):
    real, calls = clips.SegmentRun, []

    def stumbling(job, *arguments):
        calls.append(job.output.name)
        if calls == ["ape"]:
            raise torch.OutOfMemoryError("no room")
        return real(job, *arguments)

    monkeypatch.setattr(clips, "SegmentRun", stumbling)
    answer = dataset()
    assert answer.code == 0, answer.err
    assert calls == ["ape", "bee", "ape"]
    told = [(line["sequence"], line["status"], line["error"]) for line in clips_on_record(tmp_path / "out")]
    assert told[1:] == [("bee", "done", None), ("ape", "done", None)]
    assert "out of memory: try a smaller --size" in told[0][2]


@pytest.mark.parametrize("option", ["--clips-at-once", "--jobs"])
def test_several_at_a_time_give_the_same(dataset, tmp_path, monkeypatch, option):
    assert dataset().code == 0
    begun = []
    plain = LockStep.round
    monkeypatch.setattr(LockStep, "round", lambda self: begun.append(len(self)) or plain(self))
    one = {line["sequence"]: line["checksum"] for line in clips_on_record(tmp_path / "out")}
    assert dataset("--overwrite", option, "2").code == 0
    assert max(begun) == 2
    assert {line["sequence"]: line["checksum"] for line in clips_on_record(tmp_path / "out")[2:]} == one


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--clips-at-once", "0"), "--clips-at-once '0' is not a number of sequences"),
        (("--jobs", "some"), "--jobs 'some' is not a number of sequences"),
        (("--jobs", "2", "--clips-at-once", "2"), "--jobs is an earlier name of --clips-at-once, and both were given"),
        (("--cluster-workers", "2"), "--cluster-workers applies to a cluster only"),
        (("--cluster", "local", "--clips-at-once", "3"), "Give --cluster-workers 3"),
        (("--cluster", "local", "--cluster-workers", "3", "--jobs", "3"), "earlier name of --cluster-workers"),
    ],
)
def test_numbers_that_do_not_apply_are_refused(dataset, tmp_path, options, text):
    answer = dataset(*options)
    assert answer.code == 6
    assert text in answer.err
    assert not (tmp_path / "out").exists()


def test_what_the_numbers_mean():
    assert Place.read("auto", None, None, None) == Place()
    assert Place.read("3", None, None, None) == Place.read("auto", None, None, "3") == Place(3)
    assert Place.read("auto", None, None, "auto") == Place()
    there = Place(1, "local", 3)
    assert Place.read("auto", "local", 3, None) == Place.read("1", "local", None, "3") == there
    assert Place.read("auto", "local", None, None) == Place(1, "local", None)


def test_two_runs_do_not_write_into_one_folder(dataset, tmp_path):
    with sole_writer(tmp_path / "out"):
        answer = dataset()
    assert answer.code == 7
    assert "Another cyclevos is writing to" in answer.err
    assert dataset().code == 0


STATES_AFTER_EVERY_FRAME = """
from cyclevos.jobs import segment_job
segment_job._SECONDS_BETWEEN_STATES = -1
from cyclevos.cli.main import main
main()
"""


@pytest.mark.slow
def test_killed_twice_it_ends_with_the_same_masks(dataset, davis, weights, tmp_path):
    assert dataset().code == 0
    wanted = {name: (tmp_path / "out" / name).read_bytes() for name in files(tmp_path / "out")}
    command = ["segment-dataset", davis, "--output", tmp_path / "killed", "--weights", weights, "--size", "none"]
    command += ["--dtype", "float32", "--quiet", "--clips-at-once", "2"]
    codes = []
    # Without a state on disk and with one, at so many masks.
    for program, masks in ((("-m", "cyclevos"), 1), (("-c", STATES_AFTER_EVERY_FRAME), 4)):
        process = subprocess.Popen([sys.executable, *program, *map(str, command)], stdout=subprocess.PIPE)
        while process.poll() is None and len(files(tmp_path / "killed")) < masks:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        codes.append(process.returncode)
    assert -signal.SIGKILL in codes
    assert dataset("--output", tmp_path / "killed", "--clips-at-once", "2").code == 0
    assert {name: (tmp_path / "killed" / name).read_bytes() for name in files(tmp_path / "killed")} == wanted
    records, unreadable = read_manifest(tmp_path / "killed" / MANIFEST)
    assert unreadable == 0
    done = [line["sequence"] for line in records if line["kind"] == "clip"]
    assert sorted(done) == ["ape", "bee"], "each clip is on record once"


def clips_on_record(folder):
    return [line for line in read_manifest(folder / MANIFEST)[0] if line["kind"] == "clip"]


def masks_of(davis, frames):
    folder = davis / "Annotations" / "480p" / "ape"
    for index, mask in enumerate(frames):
        small = np.array(mask, np.uint8)
        whole = np.pad(small, [(0, max(0, size - own)) for size, own in zip((HEIGHT, WIDTH), small.shape, strict=True)])
        save_mask(folder / f"{index:05d}.png", whole, DAVIS_PALETTE)
    (sequence,) = layouts.open_dataset(davis, "val", sequences=["ape"])
    return sequence


def test_first_masks_give_each_object_once(davis):
    sequence = masks_of(davis, [[[0, 0, 0]], [[1, 0, 255]], [[1, 2, 0]]])
    (first,) = first_masks(sequence).items()
    assert (first[0], first[1].ids[0, :3].tolist()) == (1, [1, 0, 0])
    later = first_masks(sequence, later=True)
    assert {index: image.ids[0, :3].tolist() for index, image in later.items()} == {1: [1, 0, 0], 2: [0, 2, 0]}


def test_first_masks_decide_what_255_means_once_for_the_sequence(davis):
    sequence = masks_of(davis, [[[0, 255, 0]], [[2, 255, 0]], [[0, 0, 0]]])
    assert {index: image.ids[0, :3].tolist() for index, image in first_masks(sequence).items()} == {1: [2, 0, 0]}
    sequence = masks_of(davis, [[[0, 255, 0]], [[255, 255, 0]], [[0, 0, 0]]])
    assert {index: image.ids[0, :3].tolist() for index, image in first_masks(sequence).items()} == {0: [0, 1, 0]}


def test_masks_reach_their_frames_whatever_the_case_of_the_names(dataset, tmp_path, ids):
    root = tmp_path / "mixed"
    frames, masks = root / "JPEGImages" / "fox", root / "Annotations" / "fox"
    frames.mkdir(parents=True)
    masks.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("Shot1_000", "Shot1_001", "shot0_000"):
        Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(frames / f"{name}.png")
    save_mask(masks / "Shot1_000.png", ids, DAVIS_PALETTE)
    answer = dataset("--split", "none", root=root)
    assert answer.code == 0, answer.err
    out = tmp_path / "out"
    np.testing.assert_array_equal(read_mask(out / "fox" / "Shot1_000.png").ids, ids)
    (record,) = clips_on_record(out)
    assert record["status"] == "done"
    rows = [row.frame for row in read_reliability(out / "fox" / "reliability.csv")]
    assert "Shot1_000" not in rows, "the frame with the mask is not predicted"
    assert "Shot1_001" in rows


def test_first_masks_of_another_size_name_no_option(davis):
    sequence = masks_of(davis, [np.ones((HEIGHT, 2 * WIDTH))])
    with pytest.raises(MaskError, match=r"00000\.png is 80x24, the frames of sequence ape are 40x24") as raised:
        first_masks(sequence)
    assert "--" not in str(raised.value)


def test_first_masks_of_nothing_name_the_sequence(davis):
    with pytest.raises(DatasetError, match="Sequence ape"):
        first_masks(masks_of(davis, [[[0, 0]]] * 3))


def test_objects_that_are_left_out_are_named(dataset, davis, tmp_path, ids, caplog):
    folder = davis / "Annotations" / "480p" / "ape"
    save_mask(folder / "00000.png", np.where(ids == 2, 2, 0).astype(np.uint8), DAVIS_PALETTE)
    (folder / "00002.png").write_bytes(b"broken, and not needed")
    assert dataset("--sequences", "ape").code == 0
    told = "Sequence ape: object 7 (frame 00001) begins after the first mask and is left out. --objects appearing"
    assert caplog.text.count(told) == 1
    assert json.loads((tmp_path / "out" / "ape" / "run.json").read_text())["warnings"][0].startswith(told)


def test_objects_that_appear_later_are_followed_on_request(dataset, davis, tmp_path, ids):
    folder = davis / "Annotations" / "480p" / "ape"
    save_mask(folder / "00000.png", np.where(ids == 2, 2, 0).astype(np.uint8), DAVIS_PALETTE)
    assert dataset("--sequences", "ape", "--objects", "appearing").code == 0
    shown = [np.array(Image.open(tmp_path / "out" / "ape" / f"{i:05d}.png")) for i in range(2)]
    assert 7 not in shown[0]
    np.testing.assert_array_equal(shown[1] == 7, ids == 7)


@pytest.mark.parametrize(
    ("base", "split"), [("valid_all_frames", "valid_all_frames"), ("valid", "valid"), ("", "none")]
)
def test_youtube_vos_and_plain_trees_with_sparse_masks(dataset, tmp_path, images, ids, base, split):
    """Frames every 5th or all; object 2 is given in the first frame, object 7 at number 5."""
    root = tmp_path / "tree"
    numbers = [0, 5, 10] if base == "valid" else [0, 4, 5, 6, 10]
    for number, image in zip(numbers, images, strict=False):
        frame = root / base / "JPEGImages" / "0a1b" / f"{number:05d}.jpg"
        frame.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(frame)
    for number, object_id in ((0, 2), (5, 7)):
        mask = np.where(ids == object_id, object_id, 0).astype(np.uint8)
        save_mask(root / base / "Annotations" / "0a1b" / f"{number:05d}.png", mask, DAVIS_PALETTE)
    answer = dataset("--split", split, "--objects", "appearing", root=root)
    assert answer.code == 0, answer.err
    assert files(tmp_path / "out") == [f"0a1b/{number:05d}.png" for number in numbers]
    shown = {number: read_mask(tmp_path / "out" / "0a1b" / f"{number:05d}.png").object_ids for number in numbers}
    assert all(7 not in shown[number] for number in numbers if number < 5)
    assert 7 in shown[5]
