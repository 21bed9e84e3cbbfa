"""The manifest: whole lines whatever happens, and one writer at a time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.errors import OutputError
from cyclevos.files.locks import sole_writer
from cyclevos.files.records import append_record
from cyclevos.jobs.manifest import clip_records, read_manifest


def test_records_come_back_in_order(tmp_path):
    path = tmp_path / "manifest.jsonl"
    assert read_manifest(path) == ([], 0)
    records = [{"kind": "run", "host": "größe\n"}, {"kind": "clip", "sequence": "a", "seconds": 1.5}]
    for record in records:
        append_record(path, record)
    assert read_manifest(path) == (records, 0)


@pytest.mark.parametrize("left", ['{"kind": "cl', '{"kind": "clip"}', "\n", "\xe4"])
def test_a_line_that_a_kill_cut_off_costs_nothing_else(tmp_path, left):
    path = tmp_path / "manifest.jsonl"
    append_record(path, {"n": 1})
    with path.open("a", encoding="latin-1") as file:
        file.write(left)
    append_record(path, {"n": 2})
    records, _ = read_manifest(path)
    assert [record["n"] for record in records if "n" in record] == [1, 2]


def test_of_a_clips_lines_the_last_one_counts():
    lines = [{"kind": "clip", "sequence": "a", "status": s} for s in ("failed", "done")]
    assert clip_records([{"kind": "run"}, *lines, {"kind": "clip"}]) == {"a": lines[1]}


def test_a_line_that_changed_no_results_does_not_replace_the_one_that_made_them():
    done = {"kind": "clip", "sequence": "a", "status": "done", "segmented": 9}
    failed = {"kind": "clip", "sequence": "a", "status": "failed"}
    kept, lost, skipped = {**failed, "earlier_results": True}, failed, {**done, "segmented": 0}
    assert clip_records([done, kept, skipped]) == {"a": done}
    assert clip_records([done, lost]) == {"a": lost}
    assert clip_records([done, lost, kept]) == {"a": kept}
    assert clip_records([lost, skipped]) == {"a": skipped}


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("m") / "manifest.jsonl"
    path.write_bytes(content)
    records, unreadable = read_manifest(path)
    assert all(isinstance(record, dict) for record in records)
    assert unreadable <= content.count(b"\n")


def test_another_process_is_refused_until_the_first_one_dies(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from cyclevos.files.locks import sole_writer\n"
        f"with sole_writer(Path({json.dumps(str(tmp_path))})):\n    print('here', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "here\n"
    with pytest.raises(OutputError, match="Another cyclevos is writing to"), sole_writer(tmp_path):
        pass
    process.kill()
    process.communicate()
    with sole_writer(tmp_path):
        pass
