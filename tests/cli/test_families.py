"""Every command that segments, with weights of each family in its library's own format, as users call it."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from cli_inputs import save_frames, save_mask
from families import build

from cyclevos.jobs import segment_job
from cyclevos.jobs.manifest import MANIFEST, read_manifest
from cyclevos.media.writers import MaskWriter
from cyclevos.network.fingerprint import fingerprint
from cyclevos.network.object_chunks import ObjectChunks, OutOfMemoryError
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.pictures.mask_files import read_mask


class Given(NamedTuple):
    """Weights as a user gives them.

    Attributes:
        path: their file or folder.
        name: named weights that they may be said to be.
        size: a value of --size that is quick.
        inner: what it stands for.
        policy: the memory policy of the family.
    """

    path: Path
    name: str
    size: str
    inner: int | None
    policy: MemoryPolicy


def _save_cutie(network: MemoryNetwork, path: Path) -> None:
    from cyclevos.network.cutie.build import save_cutie

    save_cutie(network, path)


def _save_sam2(network: MemoryNetwork, path: Path) -> None:
    from cyclevos.network.sam2.build import save_sam2

    save_sam2(network, path)


Save = Callable[[MemoryNetwork, Path], None]
KINDS: dict[str, tuple[Save, str, str, str, int | None]] = {
    "cutie": (_save_cutie, "cutie.pth", "cutie-small-mega", "none", None),
    "sam2.1": (_save_sam2, "tiny-sam2.1", "sam2.1-tiny", "auto", 64),
    "edgetam": (_save_sam2, "tiny-edgetam", "edgetam", "auto", 64),
}


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Callable[[str], Given]:
    """Saves the weights of a family, once."""
    folder, known = tmp_path_factory.mktemp("families"), dict[str, Given]()

    def save(family: str) -> Given:
        if family not in known:
            write, file, name, size, inner = KINDS[family]
            network = build(family)
            write(network, folder / file)
            known[family] = Given(folder / file, name, size, inner, network.traits.policy)
        return known[family]

    return save


@pytest.fixture(autouse=True)
def _narrow_cutie(monkeypatch):
    """The layers of Cutie's networks are as narrow as in the file: the real ones take ten times as long."""
    made: list[object] = []

    def narrow(_: str) -> object:
        if not made:
            made.append(build("cutie").cutie)
        return copy.deepcopy(made[0])

    monkeypatch.setattr("cyclevos.network.cutie.build.untrained_cutie", narrow)


@pytest.fixture(params=list(KINDS))
def given(request, saved) -> Given:
    return saved(request.param)


@pytest.fixture
def run(segment, given):
    """Run `cyclevos segment` with the weights."""

    def started(*options: object, **places: Path):
        return segment("--weights", given.path, "--size", given.size, *options, **places)

    return started


MASKS = ("--save", "masks", "--review", "0")


def ids_of(folder: Path) -> list[np.ndarray]:
    return [read_mask(file).ids for file in sorted(folder.glob("*.png"))]


def test_segment_records_the_network_and_what_auto_stands_for(run, given, tmp_path):
    answer = run("--save", "masks,probabilities,overlay", "--correction", "default", "--objects-at-once", "1")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("6 frames, objects 2, 7. ")
    assert "Check first (predicted J, uncalibrated): " in answer.out
    found = ids_of(tmp_path / "out")
    assert len(found) == 6
    assert all(set(np.unique(ids)) <= {0, 2, 7} for ids in found)
    assert any((found[0] != ids).any() for ids in found[1:])
    signature = json.loads((tmp_path / "out" / "run.json").read_text())["signature"]
    assert fingerprint(given.path) in signature["weights"]
    seen = [signature[name] for name in ("size", "memory_every", "max_memory_frames")]
    assert seen == [given.inner, given.policy.every, given.policy.max_frames]
    assert "finished before" in run("--save", "masks,probabilities,overlay", "--correction", "default").out


def test_a_killed_run_continues_to_the_same_masks(run, monkeypatch, tmp_path):
    options = ("--correction", "default", "--correction-set", "every=2", "--memory-every", "2", *MASKS)
    assert run(*options, output=tmp_path / "whole").code == 0
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)
    write = MaskWriter.write

    def stop(self, frame, *arguments, **named):
        if frame.index == 4:
            raise KeyboardInterrupt
        write(self, frame, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(MaskWriter, "write", stop)
        assert run(*options).code == 130
    assert len(list((tmp_path / "out").glob("*.png"))) == 4
    answer = run(*options)
    assert answer.code == 0, answer.err
    for first, second in zip(ids_of(tmp_path / "whole"), ids_of(tmp_path / "out"), strict=True):
        assert np.array_equal(first, second)


def test_backward_and_both_and_masks_of_several_frames(run, tmp_path, ids):
    for index, mask in ((2, np.where(ids == 2, 2, 0)), (4, ids)):
        save_mask(tmp_path / "masks" / f"shot_{index:03d}.png", mask.astype(np.uint8))
    for direction in ("backward", "both"):
        answer = run("--direction", direction, *MASKS, masks=tmp_path / "masks", output=tmp_path / direction)
        assert answer.code == 0, answer.err
    assert all(ids.any() for ids in ids_of(tmp_path / "both")[2:])
    assert len(ids_of(tmp_path / "both")) == 6


def test_weights_may_be_named_as_well(call, clip, mask, given, tmp_path):
    base = ("segment", clip, "--masks", mask, "--quiet", "--size", given.size, *MASKS)
    answer = call(*base, "--output", tmp_path / "out", "--weights", f"{given.name}={given.path}")
    assert answer.code == 0, answer.err
    answer = call(*base, "--output", tmp_path / "no", "--weights", f"stm-resnet50={given.path}")
    assert answer.code == 5
    assert not list((tmp_path / "no").glob("*.png"))


def test_out_of_memory_means_fewer_objects_at_a_time_and_the_same_masks(run, monkeypatch, caplog, tmp_path):
    """As on a GPU that has room for one object."""
    alone = (*MASKS, "--correction", "off")  # what is dropped depends on how sums round, too
    assert run(*alone, output=tmp_path / "ample").code == 0
    ask, refused = ObjectChunks.run, []

    def scarce(self, work, objects, pixels, device):
        def worked(rows):
            if min(rows.stop, objects) - rows.start > 1:
                refused.append(rows)
                raise OutOfMemoryError("no room")
            return work(rows)

        return ask(self, worked, objects, pixels, device)

    monkeypatch.setattr(ObjectChunks, "run", scarce)
    answer = run(*alone)
    assert answer.code == 0, answer.err
    assert len(refused) == 1, "what was learnt is remembered"
    assert sum("continuing with fewer" in line for line in caplog.messages) == 1
    # Random weights amplify how sums of other lengths round.
    for ample, scant in zip(ids_of(tmp_path / "ample"), ids_of(tmp_path / "out"), strict=True):
        assert (ample != scant).mean() < 0.01


@pytest.mark.parametrize("family", ["sam2.1", "edgetam"])
def test_a_size_that_the_network_does_not_have_is_refused(call, segment, davis, saved, family, tmp_path):
    weights = saved(family).path
    words = "multiples of 32 pixels, got 50. Give 32 or 64; it was trained at 64."
    for answer in (
        segment("--weights", weights, "--size", "50"),
        call("segment-dataset", davis, "--output", tmp_path / "out", "--weights", weights, "--size", "50", "--quiet"),
    ):
        assert answer.code == 6
        assert words in answer.err
    assert not list(tmp_path.glob("out/**/*.png"))


def test_several_clips_in_lock_step(call, davis, given, tmp_path):
    base = ("segment-dataset", davis, "--weights", given.path, "--size", given.size, "--dtype", "float32", "--quiet")
    for at_once in ("1", "2"):
        answer = call(*base, "--clips-at-once", at_once, "--objects", "appearing", "--output", tmp_path / at_once)
        assert answer.code == 0, answer.err
        assert "2 sequences, 6 frames segmented now" in answer.out
    for name in ("ape", "bee"):
        for alone, together in zip(ids_of(tmp_path / "1" / name), ids_of(tmp_path / "2" / name), strict=True):
            assert np.array_equal(alone, together)
    record = read_manifest(tmp_path / "2" / MANIFEST)[0][0]
    assert record["weights"]["sha256"] == fingerprint(given.path)
    assert record["settings"]["max_memory_frames"] == given.policy.max_frames


@pytest.mark.slow
def test_networks_of_all_families_stand_in_one_report(call, davis, saved, weights, tmp_path):
    files = ",".join(str(path) for path in (weights, *(saved(family).path for family in KINDS)))
    base = ("--output", tmp_path / "bench", "--weights", files, "--sizes", "64", "--workers", 1, "--quiet")
    answer = call("benchmark", davis, *base, "--dtype", "float32", "--corrections", "off")
    assert answer.code == 0, answer.err
    names = ["cutie-off", "tiny-edgetam-off", "tiny-off", "tiny-sam2.1-off"]
    assert sorted(path.name for path in (tmp_path / "bench" / "runs").iterdir()) == names
    report = (tmp_path / "bench" / "report.md").read_text()
    assert all(name in report for name in names)
    assert "uncalibrated" in report
    runs = tmp_path / "bench" / "runs"
    folders = (runs / "cutie-off", runs / "tiny-sam2.1-off", "--frames", davis / "JPEGImages" / "480p")
    answer = call("compare", *folders, "--output", tmp_path / "figure.png")
    assert answer.code == 0, answer.err


def test_names_with_dots_are_runs_of_their_own(monkeypatch, call, davis, tmp_path):
    asked = []
    monkeypatch.setattr("cyclevos.cli.segment_dataset.run_dataset", lambda job, *_, **__: asked.append(job.output.name))
    weights = "sam2.1-tiny,sam2.1-small,hf://facebook/sam2.1-hiera-tiny"
    call("benchmark", davis, "--output", tmp_path / "bench", "--weights", weights, "--corrections", "off")
    assert asked == ["sam2.1-tiny-off", "sam2.1-small-off", "sam2.1-hiera-tiny-off"]


def test_erf(call, clip, mask, given, tmp_path):
    base = ("--masks", mask, "--output", tmp_path / "out", "--weights", given.path, "--size", given.size, "--quiet")
    answer = call("erf", clip, *base, "--frame", "3", "--steps", "2", "--strip", "0", "--dtype", "float32")
    assert answer.code == 0, answer.err
    with np.load(tmp_path / "out" / "erf_00003.npz") as stored:
        field = stored["field"]
    assert field.shape == (2, 24, 40)
    assert np.isfinite(field).all()
    assert field.min() == 0 < field.max()


def test_robustness(call, davis, given, tmp_path):
    base = ("--output", tmp_path / "out", "--weights", given.path, "--size", given.size, "--sequences", "ape")
    answer = call("robustness", davis, *base, "--kinds", "box", "--share", "1", "--dtype", "float32", "--quiet")
    assert answer.code == 0, answer.err
    (outcome,) = json.loads((tmp_path / "out" / "robustness.json").read_text())
    assert all(0 <= outcome[name] <= 1 for name in ("clean", "perturbed", "corrected"))


@pytest.mark.slow
def test_a_calibrated_folder_of_weights_says_so(call, segment, saved, tmp_path, images, ids):
    tiny = shutil.copytree(saved("edgetam").path, tmp_path / "net.1")
    for number in range(5):
        clip = f"clip{number}"
        shifted = [np.roll(image, 3 * number, axis=1) for image in images[:4]]
        save_frames(tmp_path / "set" / "JPEGImages" / clip, shifted)
        for index in range(len(shifted)):
            moved = np.roll(ids, number * index, axis=1)
            save_mask(tmp_path / "set" / "Annotations" / clip / f"shot_{index:03d}.png", moved)
    answer = call("calibrate", tmp_path / "set", "--weights", tiny, "--split", "none", "--dtype", "float32", "--quiet")
    assert answer.code == 0, answer.err
    assert f"Predictor: {tiny / 'net.1.reliability.safetensors'}\n" in answer.out
    answer = segment("--weights", tiny, "--size", "auto", "--save", "masks")
    assert answer.code == 0, answer.err
    assert "Check first (predicted J): " in answer.out


def test_the_app_tracks_with_the_memory_of_the_network(given, clip, ids, tmp_path):
    import gzip
    import time

    from starlette.testclient import TestClient

    from cyclevos.app.server.server import AppOptions, create_app

    guard = create_app(AppOptions(tmp_path / "projects", [tmp_path], weights=str(given.path), dtype="float32"))
    with TestClient(guard, base_url="http://127.0.0.1:8420") as http:
        project = f"/api/projects/{http.post('/api/projects', json={'path': str(clip)}).json()['id']}"

        def wait(path: str, done: Callable[[dict], bool]) -> dict:
            end = time.monotonic() + 60
            while not done(state := http.get(path).json()):
                assert time.monotonic() < end
                time.sleep(0.02)
            return state

        wait(project, lambda state: state["reading"] is None)
        if given.inner is None:
            http.patch(project, json={"settings": {"size": "none"}})
        tag = http.get(f"{project}/masks/0").headers["etag"]
        headers = {"If-Match": tag, "Content-Encoding": "gzip"}
        http.put(f"{project}/masks/0", content=gzip.compress(ids.tobytes()), headers=headers).raise_for_status()
        works = http.post(f"{project}/track", json={"direction": "forward"}).json()
        job = wait(f"/api/jobs/{works['id']}", lambda state: state["status"] not in ("queued", "running"))
        assert job["status"] == "done", job
        assert job["result"] == {"frames": 6}
        state = http.get(project).json()
        assert state["tracked"] == [0, 1, 2, 3, 4, 5]
        assert not state["results"]["5"][2], "it is uncalibrated"
