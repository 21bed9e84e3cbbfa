"""Append-only files: cut at any byte or filled with garbage, they are read, and continued."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.errors import OutputError
from cyclevos.files.records import append_lines, append_record, keep_records, read_records, write_records

RECORDS = [{"n": 0, "name": "größe\n"}, {"n": 1, "list": [1, 2.5, None]}, {"n": 2, "nested": {"a": "\u2028"}}]
LINES = st.binary(max_size=40).filter(lambda data: b"\n" not in data)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "records.jsonl"


def numbers(path):
    return [record["n"] for record in read_records(path).records]


def test_records_come_back_in_order(path):
    assert read_records(path) == ([], 0)
    starts = [append_record(path, record) for record in RECORDS]
    assert read_records(path) == (RECORDS, 0)
    assert starts == [0, *(i + 1 for i, byte in enumerate(path.read_bytes()) if byte == 10)][:-1]


def test_cut_at_any_byte_a_file_loses_only_the_line_that_was_cut(path):
    for record in RECORDS:
        append_record(path, record)
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = content[:size].count(b"\n")
        assert read_records(path) == (RECORDS[:whole], 0)
        append_record(path, {"n": 9})
        assert read_records(path) == ([*RECORDS[:whole], {"n": 9}], 0)


def test_a_cut_line_longer_than_a_block_is_removed(path):
    append_record(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b"x" * 200_000)
    append_record(path, {"n": 2})
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n'


@given(st.lists(LINES, max_size=4), LINES)
def test_garbage_is_passed_over_and_counted(tmp_path_factory, lines, end):
    path = tmp_path_factory.mktemp("r") / "records.jsonl"
    append_record(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines) + end)
    append_record(path, {"n": 2})
    records, unreadable = read_records(path)
    assert records[0] == {"n": 1}
    assert records[-1] == {"n": 2}
    assert len(records) - 2 + unreadable == sum(bool(line.strip()) for line in lines)
    keep_records(path, lambda record: record.get("n") == 2)
    assert read_records(path) == ([{"n": 2}], 0)


@pytest.mark.parametrize("line", [b"5", b"null", b'["a"]', b"\xe4", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_what_is_no_object_is_no_record(path, line):
    path.write_bytes(line + b"\n\n")
    assert read_records(path) == ([], 1)


def test_dropping_records_leaves_the_lines_that_stay_as_they_are(path):
    path.write_bytes(b'{"n":1}\n{ "n" : 2 }\n{"n":3}\n{"n":')
    keep_records(path, lambda record: record["n"] <= 2)
    assert path.read_bytes() == b'{"n":1}\n{ "n" : 2 }\n'
    before = path.stat().st_ino
    keep_records(path, lambda record: record["n"] <= 2)
    assert path.stat().st_ino == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    keep_records(path.parent / "none", lambda record: True)


def test_a_rewrite_that_fails_leaves_the_file(path, monkeypatch):
    for record in RECORDS:
        append_record(path, record)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="No space left"):
        write_records(path, [])
    with pytest.raises(OutputError, match="No space left"):
        keep_records(path, lambda record: record["n"] == 1)
    assert read_records(path) == (RECORDS, 0)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_append_that_fails_leaves_the_file(path, monkeypatch):
    append_record(path, {"n": 1})

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OutputError, match="No space left"):
        append_record(path, {"n": 2})
    assert path.read_bytes() == b'{"n": 1}\n'
    append_record(path, {"n": 3}, flush=False)
    assert numbers(path) == [1, 3]


def test_several_lines_are_appended_as_they_are(path):
    assert append_lines(path, "a,b\n") == 0
    assert append_lines(path, "1,2\n3,ü\n") == 4
    assert path.read_bytes() == "a,b\n1,2\n3,ü\n".encode()
    assert json.loads(json.dumps(read_records(path))) == [[], 3]
