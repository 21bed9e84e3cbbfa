"""Locks: one holder, whichever thread or process, and free again when it is let go or its process dies."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.files.locks import Lock


def test_a_lock_has_one_holder_until_it_is_released(tmp_path):
    first = Lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        Lock(tmp_path / "lock")
    first.release()
    first.release()
    Lock(tmp_path / "lock").release()


def test_a_lock_may_be_released_by_another_thread(tmp_path):
    held = Lock(tmp_path / "lock")
    thread = threading.Thread(target=held.release)
    thread.start()
    thread.join()
    Lock(tmp_path / "lock").release()


def test_a_project_is_open_in_one_app_and_free_when_its_process_is_killed(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from cyclevos.app.projects.folder_lock import FolderLock\n"
        "lock = FolderLock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ConflictError, match="is open in another cyclevos app"):
            FolderLock(tmp_path)
    finally:
        process.kill()
        process.communicate()
    FolderLock(tmp_path).release()
