"""`cyclevos adapt` as a user calls it: its weights segment the video afterwards."""

from __future__ import annotations

import pytest

import cyclevos


@pytest.fixture
def adapt(call, clip, mask, weights, tmp_path):
    def run(*options):
        base = ("--masks", mask, "--output", tmp_path / "adapted.safetensors", "--weights", weights, "--quiet")
        return call("adapt", clip, *base, "--adapt-set", "size=none", "--adapt-set", "steps=3", *options)

    return run


def test_the_weights_differ_and_segment_the_video(adapt, call, clip, mask, weights, tmp_path):
    answer = adapt("--adapt-set", "least_area=1e-6", "--adapt-set", "rate=1e-3")
    assert answer.code == 0, answer.err
    assert "in 3 steps: " in answer.out
    made = tmp_path / "adapted.safetensors"
    before, after = (cyclevos.load_network(path).state_dict() for path in (weights, made))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before)
    answer = call("segment", clip, "--masks", mask, "--weights", made, "--output", tmp_path / "out", "--size", "none")
    assert answer.code == 0, answer.err


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
