"""`cyclevos benchmark`: every combination is run once and stands in the report."""

from __future__ import annotations

import pytest

from cyclevos.adaptation.settings import PRESETS, Adaptation
from cyclevos.jobs.manifest import MANIFEST, read_manifest


@pytest.fixture
def bench(call, davis, weights, tmp_path):
    def run(*options):
        base = ("--output", tmp_path / "bench", "--weights", weights, "--dtype", "float32", "--workers", 1)
        return call("benchmark", davis, *base, "--sizes", "none,16", "--quiet", *options)

    return run


@pytest.mark.slow
def test_every_combination_is_in_the_report_and_a_second_run_does_nothing_anew(bench, tmp_path):
    options = ("--corrections", "off,paper", "--sequences", "ape")
    answer = bench(*options)
    assert answer.code == 0, answer.err
    names = ["tiny-off-none", "tiny-off-16", "tiny-paper-none", "tiny-paper-16"]
    assert [path.name for path in sorted((tmp_path / "bench" / "runs").iterdir())] == sorted(names)
    for suffix in ("md", "html"):
        page = (tmp_path / "bench" / f"report.{suffix}").read_text()
        assert all(name in page for name in names)
    records = read_manifest(tmp_path / "bench" / "runs" / "tiny-paper-16" / MANIFEST)[0]
    assert records[0]["settings"]["size"] == 16
    assert records[0]["settings"]["correction"]["rate"] == 180
    assert bench(*options).out.count("0 frames segmented now") == 4


def test_results_of_other_settings_are_replaced_when_asked(bench):
    one_run = ("--corrections", "off", "--sizes", "none", "--sequences", "ape")
    assert bench(*one_run).code == 0
    answer = bench(*one_run, "--memory-every", "2")
    assert answer.code == 7
    assert "use --overwrite" in answer.err
    assert bench(*one_run, "--memory-every", "2", "--overwrite").code == 0


@pytest.mark.parametrize("broken", [("ape",), ("ape", "bee")])
def test_a_clip_that_fails_stops_neither_the_other_runs_nor_the_report(bench, davis, tmp_path, broken):
    for name in broken:
        (davis / "Annotations" / "480p" / name / "00000.png").write_bytes(b"no mask")
    answer = bench("--corrections", "off")
    assert answer.code == 11
    for name in ("tiny-off-none", "tiny-off-16"):
        assert f"{name}: {len(broken)} of 2 sequences failed twice" in answer.err
        assert (tmp_path / "bench" / "runs" / name / "bee").exists() == ("bee" not in broken)
    assert (tmp_path / "bench" / "report.md").exists() == ("bee" not in broken)
    assert ("There is no report" in answer.err) == ("bee" in broken)


def test_adapted_networks_stand_beside_the_others(bench, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "default", Adaptation(steps=1, size=None, least_area=1e-6, guard=False))
    answer = bench("--corrections", "off", "--adaptations", "off,default", "--sizes", "none", "--sequences", "ape")
    assert answer.code == 0, answer.err
    runs = tmp_path / "bench" / "runs"
    assert sorted(path.name for path in runs.iterdir()) == ["tiny-off", "tiny-off-adapted"]
    settings = {each.name: read_manifest(each / MANIFEST)[0][0]["settings"]["adaptation"] for each in runs.iterdir()}
    assert settings["tiny-off"] is None
    assert settings["tiny-off-adapted"]["steps"] == 1
    assert "tiny-off-adapted" in (tmp_path / "bench" / "report.md").read_text()


@pytest.mark.parametrize(
    ("option", "value"), [("--corrections", "of"), ("--sizes", "x"), ("--weights", ","), ("--adaptations", "on")]
)
def test_slips_are_answered_before_anything_is_run(bench, tmp_path, option, value):
    answer = bench(option, value)
    assert answer.code == 6
    assert not (tmp_path / "bench").exists()
