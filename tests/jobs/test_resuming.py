"""Continuing under another dtype or device: the masks of an uninterrupted run, or a refusal in words."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from interrupting import interrupted_at
from safetensors.torch import load_file, save_file

from cyclevos.jobs.job import resolve, settings_identity
from cyclevos.jobs.run_folder import OtherRunError, RunFolder
from cyclevos.jobs.run_state import RunState
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.network import weights
from cyclevos.pictures.mask_files import MaskImage

STOP_AT = 4


pytestmark = pytest.mark.usefixtures("state_after_every_frame")


@pytest.fixture
def job(mask_job) -> SegmentJob:
    return mask_job


def with_dtype(job: SegmentJob, dtype: str, **changes) -> SegmentJob:
    return replace(job, network=replace(job.network, dtype=dtype), **changes)


def masks_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def uninterrupted(job: SegmentJob, dtype: str) -> dict[str, bytes]:
    whole = with_dtype(job, dtype, output=job.output.with_name(f"whole-{dtype}"))
    run_job(whole)
    return masks_of(whole.output)


@pytest.fixture
def stopped(job, monkeypatch):
    """Start the job in a dtype and stop it before frame 4; then change its run.json into what is asked for."""

    def start(dtype: str, /, **signature) -> None:
        with interrupted_at(STOP_AT, monkeypatch), pytest.raises(KeyboardInterrupt):
            run_job(with_dtype(job, dtype))
        assert RunState(job.output).dtype == dtype
        record = json.loads((job.output / "run.json").read_text())
        record["signature"] |= signature
        (job.output / "run.json").write_text(json.dumps(record))

    return start


def suits(monkeypatch, dtype: torch.dtype) -> None:
    """Pretend that this machine is one on which auto stands for a dtype."""
    resolve = weights.resolve_dtype
    monkeypatch.setattr(
        weights, "resolve_dtype", lambda name, device: dtype if name == "auto" else resolve(name, device)
    )


@pytest.mark.parametrize(("began", "here"), [("bfloat16", torch.float32), ("float32", torch.bfloat16)])
def test_auto_continues_in_the_dtype_that_the_run_began_with(job, stopped, monkeypatch, began, here):
    expected = uninterrupted(job, began)
    stopped(began)
    suits(monkeypatch, here)
    assert run_job(job).segmented == 10 - STOP_AT
    assert masks_of(job.output) == expected
    assert json.loads((job.output / "run.json").read_text())["signature"]["dtype"] == began
    assert run_job(job).segmented == 0, "a finished run stays, whatever auto stands for"


@pytest.mark.parametrize("finished", [False, True])
def test_another_dtype_is_refused_by_name_and_nothing_is_touched(job, stopped, finished):
    stopped("bfloat16")
    if finished:
        run_job(with_dtype(job, "bfloat16"))
    before = masks_of(job.output)
    with pytest.raises(OtherRunError, match=r'dtype \("bfloat16" there, "float32" now\)') as refused:
        run_job(with_dtype(job, "float32"))
    assert "--dtype bfloat16" in refused.value.remedy
    assert "--overwrite" in refused.value.remedy
    assert masks_of(job.output) == before


def test_overwrite_starts_again_in_the_other_dtype(job, stopped):
    expected = uninterrupted(job, "float32")
    stopped("bfloat16")
    other = with_dtype(job, "float32")
    assert run_job(replace(other, results=replace(job.results, overwrite=True))).segmented == 10
    assert masks_of(job.output) == expected


def test_the_device_is_recorded_and_another_one_continues(job, stopped):
    expected = uninterrupted(job, "float32")
    stopped("float32")
    file = job.output / "run.json"
    record = json.loads(file.read_text())
    assert record["device"] == "cpu"
    file.write_text(json.dumps({**record, "device": "cuda:1"}))
    assert run_job(with_dtype(job, "float32")).segmented == 10 - STOP_AT
    assert masks_of(job.output) == expected
    assert json.loads(file.read_text())["device"] == "cpu"


def test_a_run_of_version_0_1_that_kept_auto_continues_in_its_states_dtype(job, stopped, monkeypatch):
    expected = uninterrupted(job, "bfloat16")
    stopped("bfloat16", dtype="auto", size="auto")
    file = job.output / "run.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "device"}))
    suits(monkeypatch, torch.float32)
    assert run_job(job).segmented == 10 - STOP_AT
    assert masks_of(job.output) == expected


def test_a_run_of_version_0_1_that_kept_auto_is_refused_under_another_dtype(job, stopped):
    stopped("bfloat16", dtype="auto", size="auto")
    with pytest.raises(OtherRunError, match=r'dtype \("bfloat16" there, "float32" now\)'):
        run_job(with_dtype(job, "float32"))
    RunState(job.output).remove()
    with pytest.raises(OtherRunError, match=r'dtype \("auto" there, "float32" now\)'):
        run_job(with_dtype(job, "float32"))


def test_a_finished_run_of_version_0_1_is_not_done_again(job):
    run_job(job)
    file = job.output / "run.json"
    record = json.loads(file.read_text())
    record["signature"] |= {"dtype": "auto", "size": "auto"}
    file.write_text(json.dumps(record))
    assert run_job(job).segmented == 0


def test_a_state_that_is_not_the_runs_own_costs_time_and_no_results(job, stopped):
    expected = uninterrupted(job, "float32")
    stopped("float32")
    path = job.output / "state.safetensors"
    tensors = load_file(path)
    save_file({k: v.bfloat16() if v.dtype == torch.float32 else v for k, v in tensors.items()}, path)
    assert run_job(with_dtype(job, "float32")).segmented == 10
    assert masks_of(job.output) == expected


def test_the_size_that_auto_stands_for_is_recorded_and_may_be_given(job, stopped):
    stopped("float32")
    size = json.loads((job.output / "run.json").read_text())["signature"]["size"]
    assert size == job.network.traits().size
    explicit = replace(job, segmentation=replace(job.segmentation, size=size))
    assert run_job(with_dtype(explicit, "float32")).segmented == 10 - STOP_AT


def test_the_size_that_auto_chose_is_recorded_with_its_reason_and_kept(closer_job):
    ids = np.zeros((24, 40), np.uint8)
    ids[6:11, 3:8], ids[6:16, 20:30] = 4, 5
    job = with_dtype(replace(closer_job, masks={0: MaskImage(ids, None)}), "float32")
    chosen = run_job(job).size
    assert (chosen.size, chosen.own) == (64, 32)
    record = json.loads((job.output / "run.json").read_text())
    assert record["signature"]["size"] == 64
    smallest = {"object_id": 4, "frame": 0, "pixels": 25, "length": 6.6}
    assert record["size"] == {"asked": "auto", "chosen": 64, "own": 32, "smallest_object": smallest}
    before = masks_of(job.output)
    (job.output / "00002.png").unlink()
    fixed = replace(job, segmentation=replace(job.segmentation, size=64))
    assert (run_job(fixed).segmented, masks_of(job.output)) == (3, before)
    assert "size" not in json.loads((job.output / "run.json").read_text())
    with pytest.raises(OtherRunError, match=r"size \(64 there, 32 now\).*Use --size 64"):
        run_job(replace(job, segmentation=replace(job.segmentation, size=32)))


def test_a_closer_look_does_not_pass_for_the_auto_of_version_0_1(closer_job):
    ids = np.zeros((24, 40), np.uint8)
    ids[6:11, 3:8], ids[6:16, 20:30] = 4, 5
    job = replace(closer_job, masks={0: MaskImage(ids, None)})
    run_job(job)
    file = job.output / "run.json"
    record = json.loads(file.read_text())
    record["signature"] |= {"size": "auto"}
    file.write_text(json.dumps(record))
    with pytest.raises(OtherRunError, match=r'size \("auto" there, 64 now\)'):
        run_job(job)
    common = settings_identity(job, resolve(job))  # of all sequences of a data set, whose masks are not known yet
    RunFolder(job.output, common).refuse_other_settings()


def test_weights_that_were_moved_are_the_same_weights(job, tmp_path):
    run_job(job)
    moved = Path(job.network.weights).rename(tmp_path / "moved.safetensors")
    assert run_job(replace(job, network=replace(job.network, weights=str(moved)))).segmented == 0
