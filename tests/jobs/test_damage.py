"""Results, states and records damaged between two runs: the second run ends with what one whole run gives."""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interrupting import interrupted_at
from PIL import Image
from safetensors.torch import load_file, save_file

from cyclevos.errors import OutputError
from cyclevos.files.atomic import partial_path
from cyclevos.jobs import segment_job
from cyclevos.jobs.review import join_reliability
from cyclevos.jobs.run_record import DamagedRunError
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.reliability_files import ReliabilityRow, read_reliability, write_reliability

STOP_AT = 6
FRAMES = 10


pytestmark = pytest.mark.usefixtures("state_after_every_frame")


@pytest.fixture(scope="module")
def shared_job(shared_mask_job) -> SegmentJob:
    return replace(shared_mask_job, results=OutputSettings(save=("masks", "coco", "probabilities"), quiet=True))


@pytest.fixture
def job(shared_job, tmp_path) -> SegmentJob:
    return replace(shared_job, output=tmp_path / "out")


def overwriting(job: SegmentJob) -> SegmentJob:
    return replace(job, results=replace(job.results, overwrite=True))


def results_of(folder: Path) -> dict[str, object]:
    """Return the masks, the table and the reports byte by byte, and the rest by its values."""
    found: dict[str, object] = {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}
    found |= {name: (folder / name).read_bytes() for name in ("reliability.csv", "reliability.json")}
    found["timeline"] = (folder / "review" / "timeline.png").read_bytes()
    content = json.loads((folder / "annotations.json").read_text())
    found |= {"images": content["images"], "annotations": content["annotations"]}
    for path in sorted((folder / "probabilities").iterdir()):
        with np.load(path) as arrays:
            found[path.name] = arrays["probabilities"].tobytes()
    return found


@pytest.fixture(scope="module")
def whole_run(shared_job) -> Path:
    """The folder of a whole run, which tests copy."""
    job = replace(shared_job, output=shared_job.output.with_name("whole"))
    run_job(job)
    return job.output


@pytest.fixture(scope="module")
def stopped_run(shared_job) -> Path:
    """The folder of a run that was interrupted, which tests copy."""
    job = replace(shared_job, output=shared_job.output.with_name("stopped"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)
        stop(job, patch)
    return job.output


@pytest.fixture(scope="module")
def expected(whole_run) -> dict[str, object]:
    return results_of(whole_run)


def stop(job: SegmentJob, monkeypatch, at: int = STOP_AT) -> None:
    with interrupted_at(at, monkeypatch), pytest.raises(KeyboardInterrupt):
        run_job(job)


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def last_line_of_the_state_gone(out: Path) -> None:
    """Remove the rows of the last frame of the state, and of all later ones: what is left is a valid CSV."""
    lines = (out / "reliability.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines[1:] if line.split(",")[1] < f"{STOP_AT - 1:05d}"]
    (out / "reliability.csv").write_text("".join([lines[0], *kept]))


def another_number(out: Path) -> None:
    lines = (out / "reliability.csv").read_text().splitlines()
    lines[2] = re.sub(r"[^,]+(?=,\w*calibrated$)", "0.1234", lines[2])
    (out / "reliability.csv").write_text("\n".join(lines) + "\n")


def garbage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    noise = np.random.default_rng(0).integers(0, 256, 2000, np.uint8).tobytes()
    content[middle : middle + len(noise)] = noise
    path.write_bytes(content)


def older(path: Path) -> None:
    tensors = load_file(path)
    save_file({name: t for name, t in tensors.items() if name not in ("checksum", "reliability_table")}, path)


def changed_index(path: Path) -> None:
    tensors = load_file(path)
    save_file({**tensors, "index": tensors["index"] - 1}, path)


DAMAGE = {
    "table gone": (lambda out: (out / "reliability.csv").unlink(), "reliability.csv does not hold the rows"),
    "table empty": (lambda out: cut(out / "reliability.csv", 0), "reliability.csv does not hold the rows"),
    "table cut": (lambda out: cut(out / "reliability.csv", 0.5), "reliability.csv does not hold the rows"),
    "table cut between lines": (last_line_of_the_state_gone, "reliability.csv does not hold the rows"),
    "table changed": (another_number, "reliability.csv does not hold the rows"),
    "table broken": (lambda out: (out / "reliability.csv").write_text("a;b\n"), "does not begin with the columns"),
    "COCO gone": (lambda out: partial_path(out / "annotations.json").unlink(), "annotations.json lacks frame 00000"),
    "COCO empty": (lambda out: cut(partial_path(out / "annotations.json"), 0), "annotations.json lacks frame 00000"),
    "COCO cut": (lambda out: cut(partial_path(out / "annotations.json"), 0.4), "annotations.json lacks frame 0000"),
    "probabilities gone": (lambda out: (out / "probabilities" / "00002.npz").unlink(), "lacks frame 00002"),
    "probabilities cut": (lambda out: cut(out / "probabilities" / "00003.npz", 0.9), "probabilities lacks frame 00003"),
    "mask gone": (lambda out: (out / "00001.png").unlink(), "the mask of frame 00001 is missing"),
    "state cut": (lambda out: cut(out / "state.safetensors", 0.9), "cannot be continued from"),
    "state damaged": (lambda out: garbage(out / "state.safetensors"), "its checksum is wrong"),
    "state of another frame": (lambda out: changed_index(out / "state.safetensors"), "its checksum is wrong"),
    "state of version 0.1": (lambda out: older(out / "state.safetensors"), "it has no checksum"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_an_interrupted_run_with_damage_starts_again_and_says_why(job, stopped_run, expected, caplog, kind):
    damage, reason = DAMAGE[kind]
    shutil.copytree(stopped_run, job.output)
    damage(job.output)
    with caplog.at_level(logging.WARNING):
        assert run_job(job).segmented == FRAMES
    assert reason in caplog.text
    assert "starting at the first frame" in caplog.text
    assert results_of(job.output) == expected


def test_without_damage_it_continues_even_after_its_results_were_closed(job, expected, monkeypatch, caplog):
    stop(job, monkeypatch)
    assert run_job(job).segmented == FRAMES - STOP_AT
    assert results_of(job.output) == expected
    again = replace(job, output=job.output.with_name("again"))
    with monkeypatch.context() as patch:  # every result is complete, the reports and the record are not
        patch.setattr(segment_job, "report_reliability", lambda *_: (_ for _ in ()).throw(OutputError("No.", "Yes.")))
        with pytest.raises(OutputError):
            run_job(again)
    assert run_job(again).segmented == 0
    assert results_of(again.output) == expected
    assert not caplog.records


def test_frames_written_three_times_have_one_row_each(job, expected, monkeypatch):
    stop(job, monkeypatch, 2)
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", 1e9)
    stop(job, monkeypatch, 8)
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)
    stop(job, monkeypatch, 5)
    assert run_job(job).segmented == FRAMES - 5
    assert results_of(job.output) == expected


FINISHED = {
    "table gone": (lambda out: (out / "reliability.csv").unlink(), FRAMES),
    "table cut": (lambda out: cut(out / "reliability.csv", 0.5), FRAMES),
    "table without its last byte": (lambda out: cut(out / "reliability.csv", 0.999), FRAMES),
    "table cut between lines": (last_line_of_the_state_gone, FRAMES),
    "table empty": (lambda out: cut(out / "reliability.csv", 0), FRAMES),
    "COCO cut": (lambda out: cut(out / "annotations.json", 0.7), FRAMES),
    "COCO empty": (lambda out: cut(out / "annotations.json", 0), FRAMES),
    "probabilities cut": (lambda out: cut(out / "probabilities" / "00009.npz", 0.7), FRAMES),
    "list cut": (lambda out: cut(out / "reliability.json", 0.6), 0),
    "list empty": (lambda out: cut(out / "reliability.json", 0), 0),
    "list gone": (lambda out: (out / "reliability.json").unlink(), 0),
    "timeline cut": (lambda out: cut(out / "review" / "timeline.png", 0.6), 0),
    "timeline without its end": (lambda out: cut(out / "review" / "timeline.png", 0.999), 0),
    "timeline empty": (lambda out: cut(out / "review" / "timeline.png", 0), 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", FINISHED)
def test_a_finished_run_with_damage_is_made_whole_again(job, whole_run, expected, kind):
    damage, segmented = FINISHED[kind]
    shutil.copytree(whole_run, job.output)
    damage(job.output)
    assert run_job(job).segmented == segmented
    assert results_of(job.output) == expected
    assert run_job(job).segmented == 0


def test_an_empty_overlay_is_made_again(job):
    job = replace(job, results=replace(job.results, save=("masks", "overlay")))
    run_job(job)
    before = (job.output / "overlay.mp4").stat().st_size
    cut(job.output / "overlay.mp4", 0)
    assert run_job(job).segmented == FRAMES
    assert (job.output / "overlay.mp4").stat().st_size > before / 2


def test_a_damaged_table_of_one_sequence_costs_the_others_nothing(tmp_path, caplog):
    for name in ("ape", "bee", "cow"):
        (tmp_path / name).mkdir()
        write_reliability(tmp_path / name / "reliability.csv", [ReliabilityRow(name, "00001", 1, 0.5)])
    cut(tmp_path / "bee" / "reliability.csv", 0.2)
    join_reliability(tmp_path, ["ape", "bee", "cow", "dog"], 5)
    assert [row.sequence for row in read_reliability(tmp_path / "reliability.csv")] == ["ape", "cow"]
    assert "bee" in caplog.text
    assert "left out" in caplog.text


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("content", [b"", b"\0" * 300, b'{\n  "to', "half", "garbled"])
def test_a_damaged_run_file_is_named_and_overwrite_replaces_the_run(
    job, whole_run, stopped_run, expected, finished, content
):
    shutil.copytree(whole_run if finished else stopped_run, job.output)
    file = job.output / "run.json"
    written = file.read_bytes()
    garbled = written.replace(b"{", b"\xff").replace(b'"tool"', b"\x80")
    file.write_bytes({"half": written[: len(written) // 2], "garbled": garbled}.get(content, content))
    (job.output / "mine.txt").write_text("mine")
    damaged = file.read_bytes()
    with pytest.raises(DamagedRunError, match=r"run\.json is damaged") as refused:
        run_job(job)
    assert "--overwrite" in refused.value.remedy
    assert file.read_bytes() == damaged
    assert run_job(overwriting(job)).segmented == FRAMES
    assert results_of(job.output) == expected
    assert (job.output / "mine.txt").read_text() == "mine"
    assert run_job(job).segmented == 0


def test_a_whole_run_file_of_another_program_stays_even_among_our_masks(job):
    run_job(job)
    file = job.output / "run.json"
    file.write_text('{"tool": "other"}')
    with pytest.raises(OutputError, match="was not written by cyclevos"):
        run_job(overwriting(job))
    assert file.read_text() == '{"tool": "other"}'


def test_overwriting_a_run_whose_file_is_damaged_removes_results_of_other_formats(job):
    run_job(job)
    (job.output / "run.json").write_bytes(b"")
    Image.new("L", (4, 4)).save(job.output / "poster.png")
    run_job(replace(overwriting(job), results=replace(job.results, overwrite=True, save=("masks",))))
    assert not (job.output / "annotations.json").exists()
    assert not (job.output / "probabilities").exists()
    assert (job.output / "poster.png").exists(), "a picture without our mark is the user's"
