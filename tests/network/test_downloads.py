"""Downloads against a server on this machine: complete and checked, or an error that says what to do."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import NO_LENGTH, NO_RANGES, OK, PAGE, REDIRECT, SILENT, serving

import cyclevos
from cyclevos.errors import OutputError, WeightsError
from cyclevos.network import downloads
from cyclevos.network.download_bar import download_bar
from cyclevos.network.downloads import cache_folder, cached, download
from cyclevos.network.named_weights import Download

CONTENT = bytes(range(256)) * 12_000  # 3 MB
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving(CONTENT) as running:
        yield running


@pytest.fixture
def source(server):
    return Download(server.url, "net.pth", md5=MD5)


def names(folder: Path) -> set[str]:
    """What a user would see in the cache, locks left out."""
    return {each.name for each in folder.iterdir() if not each.name.endswith(".lock")}


def test_a_file_is_fetched_once_and_announced_with_its_size_and_source(source, server, cache, caplog):
    path = download(source, "net", about=3_000_000)
    assert path == cached(source) == cache / "net.pth"
    assert path.read_bytes() == CONTENT
    assert names(cache) == {"net.pth"}
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [f"Downloading net (3 MB) from {server.url} to {path}"]
    assert download(source, "net") == path
    assert len(server.asked) == 1


@pytest.mark.parametrize("what", [NO_LENGTH, REDIRECT])
def test_servers_may_leave_out_the_length_or_redirect(source, server, what):
    server.plan = [what, OK]
    assert download(source, "net").read_bytes() == CONTENT


def test_a_broken_connection_is_continued_where_it_broke(source, server):
    server.plan = [("break", 1_000_000), ("break", 500_000), OK]
    assert download(source, "net").read_bytes() == CONTENT
    assert [asked.get("range") for asked in server.asked] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.sent == len(CONTENT)


def test_a_stopped_download_is_continued_by_the_next_command(source, server, cache):
    server.plan = [("break", 1_000_000), SILENT]
    with pytest.raises(WeightsError, match=r"broke off after 1 MB .*Run the same command again to continue"):
        download(source, "net")
    assert "net.pth" not in names(cache)
    server.plan, server.asked = [OK], []
    assert download(source, "net").read_bytes() == CONTENT
    assert server.asked[0]["range"] == "bytes=1000000-"
    assert names(cache) == {"net.pth"}


@pytest.mark.parametrize("change", ["another version", "no ranges", "weak tag", "no tag"])
def test_what_cannot_be_continued_is_begun_anew(source, server, change):
    server.etag = {"weak tag": 'W/"v1"', "no tag": ""}.get(change, '"v1"')
    server.plan = [("break", 1_000_000), SILENT]
    with pytest.raises(WeightsError, match="broke off"):
        download(source, "net")
    server.plan = [NO_RANGES if change == "no ranges" else OK]
    if change == "another version":
        server.content, server.etag = CONTENT[::-1], '"v2"'
        source = replace(source, md5=hashlib.md5(server.content).hexdigest())
    assert download(source, "net").read_bytes() == server.content


def test_a_part_longer_than_the_file_is_thrown_away(source, server, cache):
    server.plan = [("break", 1_000_000), SILENT]
    with pytest.raises(WeightsError):
        download(source, "net")
    [part] = cache.glob("*.partial")
    part.write_bytes(CONTENT + b"more")
    server.plan = [OK]
    assert download(source, "net").read_bytes() == CONTENT


def test_a_damaged_part_costs_one_more_download_and_no_error(source, server, cache):
    server.plan = [("break", 1_000_000), SILENT]
    with pytest.raises(WeightsError):
        download(source, "net")
    [part] = cache.glob("*.partial")
    part.write_bytes(b"\0" * 1_000_000)
    server.plan = [OK]
    assert download(source, "net").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("known", "what"),
    [({"md5": "0" * 32}, "MD5"), ({"sha256": "0" * 64, "md5": None}, "SHA-256"), ({"size": 5}, "size in bytes")],
)
def test_another_file_is_refused_and_not_kept(source, server, cache, known, what):
    with pytest.raises(WeightsError, match=rf"another file than expected: its {what} is .*, expected"):
        download(replace(source, **known), "net")
    assert names(cache) == set()
    assert len(server.asked) == 1


def test_a_page_instead_of_the_file_is_refused(source, server, cache):
    server.plan = [PAGE]
    with pytest.raises(WeightsError, match=r"sent a page \(text/html\) instead of the file"):
        download(replace(source, md5=None), "net")
    assert names(cache) == set()


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (403, 1), (500, 4), (503, 4)])
def test_an_error_of_the_server_is_told_with_a_way_round(source, server, cache, status, requests):
    server.plan = [status]
    with pytest.raises(WeightsError, match=rf"answers {status} ") as caught:
        download(source, "net")
    assert "give net=FILE" in caught.value.remedy
    assert str(cache / "net.pth") in caught.value.remedy
    assert len(server.asked) == requests


def test_an_error_that_passes_is_waited_out(source, server):
    server.plan = [503, OK]
    assert download(source, "net").read_bytes() == CONTENT


def test_offline_the_error_says_name_address_size_and_place(cache):
    source = Download("http://127.0.0.1:9/net.pth", "net.pth")  # nobody listens there
    with pytest.raises(WeightsError) as caught:
        download(source, "cutie-base-mega", about=140_000_000)
    for part in ("'cutie-base-mega' (140 MB)", source.url, "cannot be reached"):
        assert part in caught.value.problem
    for part in ("give cutie-base-mega=FILE", str(cache / "net.pth")):
        assert part in caught.value.remedy


def test_an_encrypted_address_may_not_lead_to_one_that_is_not():
    handler, request = downloads._SafeRedirects(), downloads.urllib.request.Request("https://example.org/net.pth")
    headers = downloads.http.client.HTTPMessage()
    with pytest.raises(downloads.urllib.error.URLError, match="not encrypted"):
        handler.redirect_request(request, None, 302, "Found", headers, "http://example.org/net.pth")
    followed = handler.redirect_request(request, None, 302, "Found", headers, "https://example.com/net.pth")
    assert followed.full_url == "https://example.com/net.pth"


def test_a_full_disk_is_told_and_nothing_looks_finished(source, cache, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(downloads, "sync_file", full)
    with pytest.raises(OutputError, match=r"net\.pth: No space left.* Free some space, or .*CYCLEVOS_CACHE"):
        download(source, "net")
    assert "net.pth" not in names(cache)
    monkeypatch.undo()


def test_a_cache_that_is_a_file_is_told(source, tmp_path, monkeypatch):
    (tmp_path / "taken").touch()
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "taken"))
    with pytest.raises(OutputError, match="CYCLEVOS_CACHE"):
        download(source, "net")


def test_several_at_once_download_once(source, server, caplog):
    server.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(download, source, "net") for _ in range(4)]
        deadline = time.monotonic() + 20
        while sum("Waiting for another" in record.getMessage() for record in caplog.records) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        server.gate.set()
        assert {job.result() for job in jobs} == {cached(source)}
    assert len(server.asked) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_ctrl_c_leaves_a_part_that_is_continued(source, server, cache):
    server.plan = [("break", 1_000_000)]
    code = (
        "import sys; from cyclevos.network import downloads; from cyclevos.network.named_weights import Download\n"
        "downloads._PAUSE = 60\n"
        f"downloads.download(Download({server.url!r}, 'net.pth', md5={MD5!r}), 'net')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cyclevos.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(each.stat().st_size == 1_000_000 for each in cache.glob("*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    server.plan, server.asked = [OK], []
    assert download(source, "net").read_bytes() == CONTENT
    assert server.asked[0]["range"] == "bytes=1000000-"


def test_the_cache_follows_the_environment_when_it_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "weights"
    monkeypatch.delenv(downloads.CACHE_VARIABLE)
    for platform, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(variable, str(tmp_path / variable))
        assert cache_folder() == tmp_path / variable / "cyclevos" / "weights"
        monkeypatch.delenv(variable)
        assert cache_folder().is_relative_to(Path.home())
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "cyclevos" / "weights"


def test_without_a_terminal_progress_is_logged(monkeypatch, caplog, capfd):
    caplog.set_level(logging.INFO, "cyclevos")
    monkeypatch.setattr("cyclevos.network.download_bar._SECONDS_BETWEEN_LINES", -1)
    with download_bar("net", 4_000_000, 1_000_000) as advance:
        advance(1_000_000)
    assert [record.getMessage() for record in caplog.records] == ["net: 2 MB of 4 MB"]
    assert capfd.readouterr().err.strip() == ""


def test_a_terminal_gets_a_bar(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with download_bar("net", 4_000_000, 1_000_000) as advance:
        advance(3_000_000)
    assert "4.0/4.0 MB" in capfd.readouterr().err
