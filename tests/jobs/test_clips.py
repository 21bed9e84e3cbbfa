"""Clips in lock-step: results, records and leftovers are those of the clips one by one."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.datasets.layouts import open_dataset
from cyclevos.files.locks import sole_writer
from cyclevos.jobs import segment_job
from cyclevos.jobs.batch import in_lockstep, run_batch
from cyclevos.jobs.clip_record import Clip, Record
from cyclevos.jobs.clips import ClipRunner
from cyclevos.jobs.job import SegmentJob
from cyclevos.jobs.manifest import MANIFEST, read_manifest
from cyclevos.jobs.progress import batch_bars
from cyclevos.jobs.run_folder import OtherRunError
from cyclevos.jobs.segment_job import SegmentRun
from cyclevos.jobs.settings import OutputSettings
from cyclevos.media.writers import MaskWriter
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.settings import SegmentationSettings

LENGTHS = {"ant": 10, "bee": 3, "cat": 6, "dog": 8, "elk": 5, "fox": 4}
NARROW, BROKEN, FINISHED, HALF, MISFIT = "cat", "dog", "elk", "ant", "fox"


@pytest.fixture(autouse=True)
def _state_after_every_frame(monkeypatch):
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)


@pytest.fixture
def data(tmp_path, images) -> Path:
    """Clips of different length, size and number of objects; a frame of one and the mask of another are broken."""
    root = tmp_path / "data"
    for shift, (name, length) in enumerate(LENGTHS.items()):
        width = 32 if name == NARROW else 40
        frames, masks = root / "JPEGImages" / name, root / "Annotations" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for index, image in enumerate(images[:length]):
            Image.fromarray(np.roll(image, 3 * shift, axis=1)[:, :width]).save(frames / f"{index:05d}.png")
        mask = np.zeros((20 if name == MISFIT else 24, width), np.uint8)
        for number in range(1 + shift % 3):
            mask[2 + 6 * number : 7 + 6 * number, 3:13] = number + 1
        picture = Image.fromarray(mask)
        picture.putpalette(DAVIS_PALETTE)
        picture.save(masks / "00000.png")
    (root / "JPEGImages" / BROKEN / "00004.png").write_bytes(b"no picture")
    return root


@pytest.fixture
def runner(data, tmp_path, lively_network):
    """Make what runs clips into a folder."""
    save_weights(lively_network, tmp_path / "tiny.safetensors")

    def make(folder: str, save: tuple[str, ...] = ("masks", "overlay"), **changes) -> ClipRunner:
        settings = SegmentationSettings(None, 2, 4, "forward", Correction.preset("default", every=2))
        network = NetworkSettings(str(tmp_path / "tiny.safetensors"), device="cpu", dtype="float32")
        results = OutputSettings(save=save, quiet=True, **changes)
        return ClipRunner(SegmentJob(data, {}, tmp_path / folder, settings, network, results))

    return make


@pytest.fixture
def clips(data) -> dict[str, Clip]:
    return {each.name: Clip(each) for each in open_dataset(data, "none").sequences}


def written(folder: Path) -> dict[str, bytes]:
    """Every file of the results, without states and locks; of overlays that they are there.

    What an encoder writes after another one was aborted in the same process differs in details, with one clip too.
    """
    kinds = {".png", ".csv", ".mp4"}
    files = [path for path in folder.rglob("*") if path.suffix in kinds and not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): b"" if path.suffix == ".mp4" else path.read_bytes() for path in files}


def interrupt_at(patch, name: str, index: int, error: BaseException) -> None:
    """Let the masks of a clip fail to be written from a frame on."""
    write = MaskWriter.write

    def stop(self, result, *arguments):
        if result.index >= index and self.folder.name == name:
            raise error
        write(self, result, *arguments)

    patch.setattr(MaskWriter, "write", stop)


def half_done(runner, clips, folder: str, name: str = HALF) -> None:
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(patch, name, 5, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            runner(folder).run(clips[name])


@pytest.mark.slow
def test_results_are_those_of_one_by_one(runner, clips, tmp_path):
    records = {}
    for at_once in (1, 2, 9):
        folder = f"{at_once}"
        runner(folder).run(clips[FINISHED])
        half_done(runner, clips, folder)
        found = list(runner(folder).run_together(clips.values(), at_once))
        records[at_once] = {clip.sequence.name: record for clip, record in found}
        assert len(found) == len(clips)
        assert written(tmp_path / folder) == written(tmp_path / "1"), at_once
        assert (tmp_path / folder / HALF / "overlay.mp4").is_file()
    for at_once in (2, 9):
        check_records(records[1], records[at_once])


def check_records(alone: dict[str, Record], many: dict[str, Record]) -> None:
    """Hold the records of clips in lock-step against those of the clips one by one."""
    for name, length in LENGTHS.items():
        same = ("status", "frames", "segmented", "checksum", "reliability", "error", "earlier_results")
        assert [many[name].get(key) for key in same] == [alone[name].get(key) for key in same]
        assert many[name]["status"] == ("failed" if name in (BROKEN, MISFIT) else "done")
        assert many[name]["frames"] == length
    assert [many[name]["segmented"] for name in (FINISHED, HALF, NARROW)] == [0, 5, 6]
    assert "00004.png" in many[BROKEN]["error"]
    assert "40x20" in many[MISFIT]["error"]
    assert [many[name]["seconds"] for name in (FINISHED, HALF)] == [None, None]
    assert 0 < many[NARROW]["network_seconds"] < many[NARROW]["seconds"]
    assert many[NARROW]["network_frames"] == 3


def test_a_repaired_clip_continues_among_others(runner, clips, data, tmp_path):
    broken = data / "JPEGImages" / BROKEN / "00004.png"
    list(runner("out").run_together(clips.values(), 4))
    assert len(list((tmp_path / "out" / BROKEN).glob("*.png"))) == 4
    broken.write_bytes((broken.parent / "00005.png").read_bytes())
    repaired = dict_of(runner("out").run_together(clips.values(), 4))
    assert {name: record["segmented"] for name, record in repaired.items() if name != MISFIT} == {
        name: 4 if name == BROKEN else 0 for name in LENGTHS if name != MISFIT
    }
    runner("whole").run(clips[BROKEN])
    assert masks(tmp_path / "out", BROKEN) == masks(tmp_path / "whole", BROKEN)


def masks(folder: Path, name: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / name).glob("*.png")}


def dict_of(records) -> dict[str, dict]:
    return {clip.sequence.name: record for clip, record in records}


def test_a_full_disk_ends_its_clip_alone_and_it_is_tried_again_after_all_others(runner, clips, tmp_path, monkeypatch):
    sound = [clips[name] for name in ("ant", "bee", "cat", "elk")]
    with monkeypatch.context() as patch, batch_bars(4, 24, quiet=True) as (open_bar, finished):
        interrupt_at(patch, "bee", 1, OSError(errno.ENOSPC, "No space left on device"))
        execute = in_lockstep(runner("out"), 3, open_bar)
        result = run_batch(sound, execute, tmp_path / "out", {"kind": "run"}, finished)
    assert list(result.failed) == ["bee"]
    assert "No space left on device" in result.failed["bee"]
    records = [line for line in read_manifest(tmp_path / "out" / MANIFEST)[0] if line["kind"] == "clip"]
    told = [(line["sequence"], line["status"], line["attempt"]) for line in records]
    assert sorted(told[:4]) == [("ant", "done", 1), ("bee", "failed", 1), ("cat", "done", 1), ("elk", "done", 1)]
    assert told[4:] == [("bee", "failed", 2)]
    with sole_writer(tmp_path / "out" / "bee"):
        pass  # nothing holds its folder any more
    assert runner("out").run(clips["bee"])["status"] == "done"
    runner("whole").run(clips["bee"])
    assert masks(tmp_path / "out", "bee") == masks(tmp_path / "whole", "bee")


@pytest.mark.parametrize("by", ["keyboard", "command", "caller"])
def test_whatever_ends_the_loop_every_clip_can_be_continued(runner, clips, tmp_path, monkeypatch, by):
    sound = [clips[name] for name in ("ant", "cat", "elk")]
    error = KeyboardInterrupt() if by == "keyboard" else OtherRunError("Another run began there.", "Stop one.")
    take = SegmentRun.take

    def stop(self, event):
        if self.job.output.name == "cat" and event.frame.index == 3:
            raise error
        take(self, event)

    if by == "caller":
        loop = runner("out").run_together([clips["bee"], *sound], 4)
        assert next(loop)[1]["status"] == "done"
        loop.close()
    else:
        with monkeypatch.context() as patch:
            patch.setattr(SegmentRun, "take", stop)
            with pytest.raises(type(error)):
                list(runner("out").run_together(sound, 3))
    for clip in sound:
        folder = tmp_path / "out" / clip.sequence.name
        assert (folder / "state.safetensors").is_file()
        with sole_writer(folder):
            pass  # nothing holds it any more
    records = dict_of(runner("out").run_together(sound, 3))
    assert [record["status"] for record in records.values()] == ["done"] * 3
    # Bee ends in the fourth round, in which the others take a frame; cat is stopped in it, after ant and before elk.
    left = {"ant": 6, "cat": 2, "elk": 1} if by == "caller" else {"ant": 6, "cat": 3, "elk": 2}
    assert {name: record["segmented"] for name, record in records.items()} == left
    list(runner("whole").run_together(sound, 1))
    for clip in sound:
        name = clip.sequence.name
        assert masks(tmp_path / "out", name) == masks(tmp_path / "whole", name)


def test_only_the_clips_at_work_are_open(runner, clips, tmp_path):
    """Clips are begun as there is room, and a clip that has ended is reported before the next one begins."""
    sound, begun = [clips[name] for name in ("bee", "cat", "elk", "ant")], []

    def queue():
        for clip in sound:
            begun.append(clip.sequence.name)
            yield clip

    runner("out").run(clips["cat"])
    loop = runner("out").run_together(queue(), 2)
    assert not begun
    assert next(loop)[0] is clips["cat"], "a finished clip is reported at once"
    assert begun == ["bee", "cat"]
    assert next(loop)[0] is clips["bee"]
    assert begun == ["bee", "cat", "elk"]
    assert [clip.sequence.name for clip, _ in loop] == ["elk", "ant"]


def test_each_clip_at_work_has_its_bar(runner, clips):
    shown, most = [], []

    @contextmanager
    def open_bar(title, total):
        shown.append((title, total))
        steps = []
        yield lambda done, note: (steps.append(done), most.append(len(shown)))
        assert steps == list(range(1, total + 1))
        shown.remove((title, total))

    list(runner("out", save=("masks",)).run_together([clips["bee"], clips["cat"], clips["elk"]], 2, open_bar))
    assert not shown
    assert max(most) == 2
