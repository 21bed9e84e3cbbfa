"""`cyclevos adapt` and `--adapt` as a user calls them: the network learns from the video before it is segmented."""

from __future__ import annotations

import json

import pytest

import cyclevos
from cyclevos.jobs.manifest import MANIFEST, read_manifest

FREE = ("--adapt-set", "least_area=1e-6", "--adapt-set", "guard=false")  # masks of random weights are small
FEW = ("--adapt-set", "steps=1", "--adapt-set", "size=none", *FREE)


@pytest.fixture
def adapt(call, clip, mask, weights, tmp_path):
    def run(*options):
        base = ("--masks", mask, "--output", tmp_path / "adapted.safetensors", "--weights", weights, "--quiet")
        return call("adapt", clip, *base, "--adapt-set", "size=none", "--adapt-set", "steps=3", *options)

    return run


def test_the_weights_differ_and_segment_the_video(adapt, call, clip, mask, weights, tmp_path):
    answer = adapt(*FREE, "--adapt-set", "rate=1e-3")
    assert answer.code == 0, answer.err
    assert "3 steps, loss " in answer.out
    made = tmp_path / "adapted.safetensors"
    before, after = (cyclevos.load_network(path).state_dict() for path in (weights, made))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before)
    answer = call("segment", clip, "--masks", mask, "--weights", made, "--output", tmp_path / "out", "--size", "none")
    assert answer.code == 0, answer.err


def test_several_clips_make_one_network_with_the_masks_of_each(call, clip, mask, weights, tmp_path):
    made = tmp_path / "adapted.safetensors"
    base = ("--output", made, "--weights", weights, *FEW, "--adapt-set", "steps=2")
    answer = call("adapt", clip, clip, "--masks", mask, *base)
    assert answer.code == 6
    assert "There are 2 clips and 1 --masks" in answer.err
    answer = call("adapt", clip, clip, "--masks", mask, "--masks", mask, *base)
    assert answer.code == 0, answer.err
    assert "2 steps, loss " in answer.out
    assert "adapting to 2 clips" in answer.err
    assert "left out" not in answer.err
    assert made.is_file()


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--adapt-set", "steps"), 6, "--adapt-set 'steps' is not a setting"),
        (("--adapt-set", "rate=-1"), 6, "The adaptation's rate is -1"),
        (("--adapt-set", "speed=1"), 6, "no setting 'speed'"),
        (("--output", "adapted.pth"), 6, "Give a name that ends in .safetensors"),
    ],
)
def test_slips_are_named_before_the_work(adapt, monkeypatch, options, code, text):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    answer = adapt(*options)
    assert answer.code == code
    assert text in answer.err


def test_a_file_that_is_there_is_kept(adapt, tmp_path):
    made = tmp_path / "adapted.safetensors"
    made.write_bytes(b"mine")
    answer = adapt()
    assert answer.code == 7
    assert "exists already" in answer.err
    assert made.read_bytes() == b"mine"
    assert adapt("--overwrite").code == 0


def test_networks_that_cannot_be_written_are_refused_by_name(adapt, monkeypatch):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    answer = adapt("--weights", "cutie-small-mega")
    assert answer.code == 6
    assert "Weights of the family cutie are read, but not written" in answer.err


def test_a_setting_alone_adapts_before_segmenting_and_the_answer_says_so(segment, tmp_path):
    answer = segment(*FEW)
    assert answer.code == 0, answer.err
    assert "Adapted to the video: 1 step, loss " in answer.out
    signature = json.loads((tmp_path / "out" / "run.json").read_text())["signature"]
    assert signature["adaptation"]["steps"] == 1
    again = segment("--adapt", *FEW)
    assert "finished before" in again.out
    assert "Adapted" not in again.out


def test_slips_of_adapting_while_segmenting_are_named_before_the_work(segment, tmp_path):
    answer = segment("--adapt-set", "speed=1")
    assert answer.code == 6
    assert "no setting 'speed'" in answer.err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def dataset(call, davis, weights, tmp_path):
    def run(*options):
        base = ("--output", tmp_path / "out", "--weights", weights, "--size", "none", "--dtype", "float32", "--quiet")
        return call("segment-dataset", davis, *base, *options)

    return run


def test_each_sequence_of_a_data_set_gets_a_network_of_its_own(dataset, tmp_path):
    answer = dataset("--adapt", *FEW)
    assert answer.code == 0, answer.err
    folder = tmp_path / "out"
    run, *clips = read_manifest(folder / MANIFEST)[0]
    assert run["settings"]["adaptation"]["steps"] == 1
    assert [clip["adaptation"]["kept"] for clip in clips] == [True, True]
    digests = {json.loads((folder / name / "run.json").read_text())["adaptation"]["digest"] for name in ("ape", "bee")}
    assert len(digests) == 2
    assert "0 frames segmented now" in dataset("--adapt", *FEW).out
    assert dataset().code == 7, "the results of adapted networks are other results"


def test_sequences_that_are_adapted_to_are_not_segmented_together(dataset):
    answer = dataset("--adapt", "--clips-at-once", 4)
    assert answer.code == 6
    assert "--clips-at-once 4 does not go with adaptation" in answer.err
