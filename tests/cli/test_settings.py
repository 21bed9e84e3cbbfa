"""Settings as options: what a command gets, and what it refuses to declare."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from cyclevos.cli.settings import FIELDS, SETTINGS, Only, with_settings
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.settings import SegmentationSettings

PAPER = SegmentationSettings(size=None, max_memory_frames=None, correction=Correction.preset("paper"))


@pytest.fixture
def run():
    """Call a command that takes settings, and return what it got."""
    app, got = typer.Typer(), []

    @app.command()
    @with_settings
    def command(
        segmentation: Annotated[SegmentationSettings, Only("size", "max_memory_frames", "correction")] = PAPER,
        network: NetworkSettings = NetworkSettings(device="cpu"),  # noqa: B008 (frozen)
        results: Annotated[OutputSettings, Only("save")] = OutputSettings(review=3),  # noqa: B008 (frozen)
        count: int = 1,
    ) -> None:
        got.append((segmentation, network, results, count))

    def call(*words: str):
        answer = CliRunner().invoke(app, words)
        assert answer.exit_code == 0, answer.output
        return got.pop()

    call.app = app
    return call


def test_without_options_a_command_gets_its_own_defaults(run):
    assert run() == (PAPER, NetworkSettings(device="cpu"), OutputSettings(review=3), 1)


def test_options_change_their_fields_alone(run):
    words = "--size 240 --max-memory-frames 3 --correction default --correction-set steps=2 --dtype float32 --save coco"
    segmentation, network, results, count = run(*words.split(), "--count", "2")
    assert segmentation == SegmentationSettings(240, "auto", 3, "forward", Correction.preset("default", steps=2))
    assert network == NetworkSettings(device="cpu", dtype="float32")
    assert results == OutputSettings(save=("coco",), review=3)
    assert count == 2


def test_fields_that_a_command_does_not_take_have_no_option(run):
    answer = CliRunner().invoke(run.app, ["--direction", "both"])
    assert answer.exit_code == 2


def test_every_field_of_every_settings_class_is_declared():
    assert {field.name for kind in SETTINGS for field in fields(kind)} == set(FIELDS)


def test_a_field_that_there_is_not_is_refused_when_the_command_is_declared():
    def command(network: Annotated[NetworkSettings, Only("wieghts")]) -> None:
        raise AssertionError(network)

    with pytest.raises(TypeError, match="wieghts"):
        with_settings(command)
