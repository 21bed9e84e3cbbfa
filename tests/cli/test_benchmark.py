"""`cyclevos benchmark`: every combination is run once and stands in the report."""

from __future__ import annotations

import pytest

from cyclevos.video.manifest import MANIFEST, read_manifest


@pytest.fixture
def bench(call, davis, weights, tmp_path):
    def run(*options):
        base = ("--output", tmp_path / "bench", "--weights", weights, "--dtype", "float32", "--workers", 1)
        return call("benchmark", davis, *base, "--sizes", "none,16", "--quiet", *options)

    return run


def test_every_combination_is_in_the_report_and_a_second_run_does_nothing_anew(bench, tmp_path):
    answer = bench("--corrections", "off,paper")
    assert answer.code == 0, answer.err
    names = ["tiny-off-none", "tiny-off-16", "tiny-paper-none", "tiny-paper-16"]
    assert [path.name for path in sorted((tmp_path / "bench" / "runs").iterdir())] == sorted(names)
    for suffix in ("md", "html"):
        page = (tmp_path / "bench" / f"report.{suffix}").read_text()
        assert all(name in page for name in names)
    records = read_manifest(tmp_path / "bench" / "runs" / "tiny-paper-16" / MANIFEST)[0]
    assert records[0]["settings"]["size"] == 16
    assert records[0]["settings"]["correction"]["rate"] == 180
    assert bench("--corrections", "off,paper").out.count("0 frames segmented now") == 4


@pytest.mark.parametrize(("option", "value"), [("--corrections", "of"), ("--sizes", "x"), ("--weights", ",")])
def test_slips_are_answered_before_anything_is_run(bench, tmp_path, option, value):
    answer = bench(option, value)
    assert answer.code == 6
    assert not (tmp_path / "bench").exists()
