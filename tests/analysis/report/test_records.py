"""Manifests as they are found: whole, cut off, repeated, from elsewhere, or nonsense."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_inputs import NASTY, START, clip

from cyclevos.analysis.report.records import RunRecord, read_record


@pytest.fixture
def record(tmp_path):
    def read(*lines: object) -> RunRecord:
        text = "".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (tmp_path / "manifest.jsonl").write_text(text, encoding="utf-8")
        return read_record(tmp_path / "manifest.jsonl")

    return read


def test_no_manifest_is_no_record(tmp_path):
    assert read_record(tmp_path / "manifest.jsonl") is None


def test_rates_are_over_the_clips_that_say_both(record):
    found = record(clip("a"), clip("b", network_seconds=None, seconds="long"), {"kind": "clip", "sequence": "c"})
    assert (found.network_rate, found.whole_rate, found.frames, found.clips) == (4.0, 2.0, 12, 2)
    assert record(clip("a", network_seconds=0)).network_rate is None


def test_the_last_line_of_a_clip_counts(record):
    failed = clip("a", status="failed", error="broken frame")
    assert record(failed, clip("a")).failed == {}
    found = record(clip("a"), failed, clip("b", status="failed", error=None))
    assert found.failed == {"a": "broken frame", "b": "no reason recorded"}
    assert (found.clips, found.frames, found.peak_memory_mb) == (0, None, None)


def test_a_last_line_that_was_cut_off_is_passed_over_and_others_are_counted(record):
    found = record(clip("a"), "{broken\n", "[1]\n", "\n", '{"kind": "clip", "sequ')
    assert (found.clips, found.unreadable) == (1, 2)
    assert record(clip("a", error="two\u2028lines")).unreadable == 0


def test_what_changed_between_starts_is_listed_twice(record):
    later = {**START, "weights": {"name": "default", "sha256": "other"}, "time": "2026-01-03T00:00:00+00:00"}
    provenance = dict(record(START, later, START).provenance)
    assert provenance["SHA-256 of the weights"] == ("abc123", "other")
    assert provenance["command"] == ("cyclevos segment-dataset 'a b' --output '<out>'",)
    assert len(provenance["started"]) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(10**400), 10**400) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys((*START, *clip(NASTY)), JSON)), max_size=4), JSON)
def test_nonsense_is_no_error(tmp_path_factory, lines, last):
    path = tmp_path_factory.getbasetemp() / "nonsense.jsonl"
    kinds = [{**line, "kind": kind, "status": "done"} for line in lines for kind in ("run", "clip")]
    path.write_bytes("\n".join(json.dumps(line) for line in [*kinds, last]).encode("utf-8", "replace"))
    found = read_record(path)
    for value in (found.network_rate, found.whole_rate, found.peak_memory_mb):
        assert value is None or value >= 0
    assert all(isinstance(value, str) for _, values in found.provenance for value in values)
