"""CPUs and memory that the process may use and has used."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from cyclevos.files import host


@pytest.fixture
def groups(tmp_path):
    """A made-up tree of control groups: write(path, text) and own(lines)."""

    class Groups:
        root, own = tmp_path / "cgroup", tmp_path / "self"

        def write(self, path: str, text: str) -> None:
            file = self.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

        def quota(self, lines: str) -> float | None:
            self.own.write_text(lines)
            return host.cgroup_quota(self.root, self.own)

    return Groups()


def test_without_control_groups_there_is_no_quota(tmp_path, groups):
    assert host.cgroup_quota(tmp_path / "none", tmp_path / "none") is None
    assert groups.quota("0::/\n") is None
    assert groups.quota("garbage\n\n:::\n") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("150000 100000\n", 1.5), ("max 100000\n", None), ("50000 100000", 0.5), ("", None), ("a b", None), ("5 0", None)],
)
def test_version_2_reads_cpu_max(groups, text, expected):
    groups.write("cpu.max", text)
    assert groups.quota("0::/\n") == expected


def test_the_tightest_of_the_groups_around_counts(groups):
    groups.write("a/cpu.max", "400000 100000\n")
    groups.write("a/b/cpu.max", "max 100000\n")
    assert groups.quota("0::/a/b\n") == 4
    groups.write("a/b/cpu.max", "100000 100000\n")
    assert groups.quota("0::/a/b\n") == 1


def test_a_container_that_sees_the_hosts_path_finds_its_own_limit_at_the_root(groups):
    groups.write("cpu.max", "200000 100000\n")
    assert groups.quota("0::/docker/0123\n") == 2
    assert groups.quota("0::/../other\n") == 2


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3.0), ("-1", None)])
def test_version_1_reads_quota_and_period(groups, quota, expected):
    groups.write("cpu/job/cpu.cfs_quota_us", f"{quota}\n")
    groups.write("cpu/job/cpu.cfs_period_us", "100000\n")
    assert groups.quota("5:cpuset:/\n4:cpu,cpuacct:/job\n") == expected


def test_a_quota_is_rounded_up_and_never_raises_the_count(monkeypatch):
    monkeypatch.setattr(host, "_usable_cpus", lambda: 8)
    for quota, expected in ((0.2, 1), (1.5, 2), (64.0, 8), (None, 8)):
        monkeypatch.setattr(host, "cgroup_quota", lambda *_, quota=quota: quota)
        assert host.available_cpus() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_a_process_bound_to_one_cpu_has_one():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from cyclevos.files.host import available_cpus; print(available_cpus())"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "1\n"


def test_peak_memory_is_in_bytes_and_grows_with_what_is_held():
    before = host.peak_memory()
    assert before is not None
    assert 1e6 < before < 1e12
    held = np.ones(before // 8 + 2**20)  # more bytes than the process has ever held
    after = host.peak_memory()
    assert after is not None
    assert after >= held.nbytes


def test_without_the_resource_module_peak_memory_is_unknown_where_windows_does_not_tell_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    assert host.peak_memory() is None or sys.platform == "win32"


_FREEING = """
import psutil
from cyclevos.files.host import return_free_memory, share_heaps
assert share_heaps()
blocks = [bytearray(20_000) for _ in range(6000)]
last = blocks[-1]  # which keeps the heap from shrinking by itself
del blocks
before = psutil.Process().memory_info().rss
assert return_free_memory()
print(before - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the C library of GNU")
def test_what_the_heap_holds_of_free_memory_goes_back_to_the_system():
    told = subprocess.run([sys.executable, "-c", _FREEING], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 80e6
