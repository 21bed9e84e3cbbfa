"""Runs that adapt the network first: what they record and keep, and continuing them with the very same weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from interrupting import interrupted_at

import cyclevos
from cyclevos.adaptation.settings import Adaptation
from cyclevos.errors import OutputError, VideoError
from cyclevos.jobs import adapted_network
from cyclevos.jobs.adapted_network import ADAPTED_FILE
from cyclevos.jobs.run_folder import OtherRunError
from cyclevos.jobs.segment_job import SegmentJob, run_job
from cyclevos.media.image_folder import ImageFiles
from cyclevos.pictures.mask_files import MaskImage, read_mask
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.settings import SegmentationSettings

FEW = Adaptation(
    steps=2, rate=1e-3, size=None, gap=4, least_area=1e-6, guard=False
)  # masks of random weights are small
STOP_AT = 4


@pytest.fixture(scope="module")
def shared_job(shared_mask_job) -> SegmentJob:
    return replace(shared_mask_job, network=replace(shared_mask_job.network, dtype="float32"), adaptation=FEW)


@pytest.fixture
def job(shared_job, tmp_path) -> SegmentJob:
    return replace(shared_job, output=tmp_path / "out")


def run_json(job: SegmentJob) -> dict:
    return json.loads((job.output / "run.json").read_text())


def results(job: SegmentJob) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (*job.output.glob("*.png"), job.output / "reliability.csv")}


def uninterrupted(job: SegmentJob, folder: Path) -> dict[str, bytes]:
    other = replace(job, output=folder)
    run_job(other)
    return results(other)


@pytest.fixture(scope="module")
def expected(shared_job, tmp_path_factory) -> dict[str, bytes]:
    """Results of an uninterrupted run of the job."""
    return uninterrupted(shared_job, tmp_path_factory.mktemp("whole"))


@pytest.fixture
def stopped(job, monkeypatch, state_after_every_frame) -> Callable[[], None]:
    """Start the job and stop it before frame 4."""

    def start() -> None:
        with interrupted_at(STOP_AT, monkeypatch), pytest.raises(KeyboardInterrupt):
            run_job(job)
        assert (job.output / ADAPTED_FILE).is_file()

    return start


def test_the_masks_are_those_of_adapting_first_and_the_record_says_how_the_loss_fell(job):
    result = run_job(job)
    frames = sorted(Path(job.source).glob("*.png"))
    masks = {0: job.masks[0].ids}
    adapted = cyclevos.adapt(job.network.load(), frames, masks, FEW)
    for p in cyclevos.segment(adapted, frames, masks, memory_every=2):
        np.testing.assert_array_equal(read_mask(job.output / f"{p.index:05d}.png").ids, p.ids)
    record = run_json(job)
    assert record["signature"]["adaptation"]["steps"] == 2
    assert record["adaptation"] == {**result.adaptation.as_record(), "digest": record["adaptation"]["digest"]}
    assert record["adaptation"]["kept"]
    assert record["adaptation"]["loss_before"] > 0
    assert not (job.output / ADAPTED_FILE).exists(), "the weights go when the run has ended"
    assert run_job(job).segmented == 0


def test_a_run_that_continues_does_not_adapt_again_and_ends_as_if_it_had_not_been_interrupted(
    job, stopped, expected, monkeypatch
):
    stopped()
    monkeypatch.setattr(adapted_network, "adapt_to", None)
    assert 0 < run_job(job).segmented < 10
    assert results(job) == expected
    assert run_json(job)["adaptation"]["kept"]


@pytest.mark.parametrize("damage", [None, b"half a file"])
def test_weights_that_are_lost_are_made_again_and_the_run_goes_on(job, stopped, damage, expected, caplog):
    stopped()
    file = job.output / ADAPTED_FILE
    file.unlink() if damage is None else file.write_bytes(damage)
    assert 0 < run_job(job).segmented < 10
    assert results(job) == expected
    assert ("Adapting again" in caplog.text) == (damage is not None)


def test_weights_that_come_out_otherwise_start_the_run_again_and_it_says_so(job, stopped, monkeypatch, caplog):
    stopped()
    (job.output / ADAPTED_FILE).unlink()
    real = adapted_network.adapt_to

    def elsewhere(network, clips, adaptation, *others):
        return real(network, clips, replace(adaptation, seed=2), *others)

    monkeypatch.setattr(adapted_network, "adapt_to", elsewhere)
    expected = uninterrupted(job, job.output.with_name("whole"))
    assert run_job(job).segmented == 10
    assert "cannot be made again on this machine; starting at the first frame" in caplog.text
    assert results(job) == expected


@pytest.mark.parametrize("kept", [None, ["digest"]])
def test_a_record_that_does_not_say_which_weights_they_were_starts_the_run_again(job, stopped, expected, kept):
    stopped()
    record = run_json(job)
    record["adaptation"] = kept and {name: record["adaptation"][name] for name in kept}
    (job.output / "run.json").write_text(json.dumps(record))
    assert run_job(job).segmented == 10
    assert results(job) == expected


def test_an_interruption_while_adapting_keeps_what_an_earlier_run_has_left(job, monkeypatch):
    run_job(replace(job, adaptation=None))
    before = {path: path.read_bytes() for path in job.output.rglob("*") if path.is_file()}

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(adapted_network, "adapt_to", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_job(replace(job, results=replace(job.results, overwrite=True)))
    assert {path: path.read_bytes() for path in before} == before


def test_one_frame_is_segmented_unadapted_and_the_run_says_so(job, caplog):
    frame = sorted(Path(job.source).glob("*.png"))[:1]
    result = run_job(replace(job, source=ImageFiles(frame)))
    assert result.segmented == 1
    assert "Not adapted, the network stays as it was: there is nothing to adapt on" in caplog.text
    assert run_json(job)["adaptation"]["kept"] is False
    assert "nothing to adapt on" in run_json(job)["adaptation"]["reason"]


def test_an_adapted_run_and_another_one_do_not_share_a_folder(job):
    plain = replace(job, adaptation=None)
    run_job(plain)
    with pytest.raises(OtherRunError, match=r"settings differ: adaptation \(off there, on now\)\."):
        run_job(job)
    other = replace(job, output=job.output.with_name("other"))
    run_job(other)
    with pytest.raises(OtherRunError, match=r"adaptation\.seed \(1 there, 2 now\)"):
        run_job(replace(other, adaptation=replace(FEW, seed=2)))
    record = run_json(job)
    del record["signature"]["adaptation"]  # as before there was adaptation
    (job.output / "run.json").write_text(json.dumps(record))
    assert run_job(plain).segmented == 0


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_any_direction_several_objects_several_annotated_frames_and_correction(job, direction):
    masks = {}
    for index, top in ((4, 6), (7, 12)):
        ids = np.zeros((24, 40), np.uint8)
        ids[top : top + 8, 12:22], ids[18:23, 24:38] = 1, 5
        masks[index] = MaskImage(ids, None)
    how = SegmentationSettings(direction=direction, correction=Correction.preset("default", every=2))
    result = run_job(replace(job, masks=masks, segmentation=how))
    assert result.adaptation.kept
    assert result.object_ids == (1, 5)


def test_a_stream_is_refused_before_the_work(job, monkeypatch):
    class Stream(ImageFiles):
        can_be_read_again = False

    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    with pytest.raises(VideoError, match="is a stream, and a network is adapted on frames before"):
        run_job(replace(job, source=Stream(sorted(Path(job.source).glob("*.png")))))


def test_a_file_of_another_origin_is_not_taken_for_the_weights(job):
    job.output.mkdir()
    (job.output / ADAPTED_FILE).write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"holds adapted\.safetensors, and no run\.json"):
        run_job(job)
    assert (job.output / ADAPTED_FILE).read_bytes() == b"mine"
