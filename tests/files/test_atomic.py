"""Files that are complete or absent, and what a kill leaves of them."""

import os
import stat

import pytest

from cyclevos.errors import OutputError
from cyclevos.files.atomic import remove_leftovers, replacing, temporary_path


def test_a_flushed_file_is_on_disk_under_its_temporary_name_before_it_is_renamed(tmp_path, monkeypatch):
    path = tmp_path / "record.json"
    path.write_text("old")
    real, seen = os.fsync, []

    def watch(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        seen.append((is_folder, os.fstat(handle).st_size if not is_folder else None, path.read_text()))
        real(handle)

    monkeypatch.setattr(os, "fsync", watch)
    with replacing(path, flush=True) as temporary:
        temporary.write_text("the new text")
    assert seen[0] == (False, 12, "old")
    assert seen[1:] == ([(True, None, "the new text")] if os.name == "posix" else [])


def test_a_file_that_cannot_be_flushed_leaves_the_old_one(tmp_path, monkeypatch):
    def refuse(handle):
        raise OSError(5, "Input/output error")

    (tmp_path / "record.json").write_text("old")
    monkeypatch.setattr(os, "fsync", refuse)
    with (
        pytest.raises(OutputError, match=r"record\.json: Input/output error"),
        replacing(tmp_path / "record.json", flush=True) as temporary,
    ):
        temporary.write_text("new")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("record.json", "old")]


def test_leftovers_are_our_temporary_files_and_folders_and_nothing_else(tmp_path):
    temporary_path(tmp_path / "a.png").write_text("")
    staging = temporary_path(tmp_path / "w.safetensors.staging")
    staging.mkdir()
    (staging / ".tmpAbCdEf").write_text("")
    (tmp_path / ".other.tmp").write_text("")
    remove_leftovers(tmp_path)
    assert [f.name for f in tmp_path.iterdir()] == [".other.tmp"]
