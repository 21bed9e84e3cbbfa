"""The hub's library answers, or raises what it really raises; ours are paths, or errors that say what to do."""

from __future__ import annotations

import errno
import json
import logging
import os
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from cyclevos.errors import OutputError, WeightsError
from cyclevos.network import hub
from cyclevos.network.named_weights import Hub

REPOSITORY = Hub("owner/net")
FILE = Hub("owner/net", "w.pth")


def in_cache(source: Hub, *files: str, text: str = "{}") -> Path:
    """Files as the library keeps them: blobs, a snapshot of links, and the branch's commit."""
    root = Path(constants.HF_HUB_CACHE) / f"models--{source.repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True, exist_ok=True)
    (root / "refs" / (source.revision or "main")).write_text("c0ffee")
    snapshot = root / "snapshots" / "c0ffee"
    for file in files:
        (snapshot / file).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / file).write_text(text)
    return snapshot


def http_error(kind, status):
    """An error of the library, with what its constructor reads of a response."""
    asked = SimpleNamespace(method="GET", url="https://hub.invalid/owner/net", headers={})
    response = SimpleNamespace(status_code=status, headers={}, request=asked, url=asked.url, text="", reason="")
    return kind("the library's words", response=response)


def raising(monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)


@pytest.mark.parametrize(
    ("error", "problem", "remedy"),
    [
        (http_error(GatedRepoError, 403), "accepted their licence", "owner/net, log in with: hf auth login"),
        (http_error(RepositoryNotFoundError, 401), "no repository owner/net", "hf auth login"),
        (http_error(HfHubHTTPError, 403), "no repository owner/net that you may read", "hf auth login"),
        (http_error(RevisionNotFoundError, 404), "has no revision", "branch, tag or commit"),
        (EntryNotFoundError("gone"), "has no file", "hub.invalid/owner/net"),
        (LocalEntryNotFoundError("no connection"), r"'net' \(156 MB\).* cannot be reached", "give net="),
        (OfflineModeIsEnabled("offline mode"), "cannot be reached", "give net="),
        (ConnectionError("no route"), r"cannot be reached \(no route\)", "Connect"),
        (http_error(HfHubHTTPError, 500), "answers 500", "Try again later"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
@pytest.mark.parametrize("source", [REPOSITORY, FILE], ids=str)
def test_what_the_library_raises_is_said_in_words(monkeypatch, source, error, problem, remedy):
    monkeypatch.setattr(constants, "ENDPOINT", "https://hub.invalid")
    raising(monkeypatch, error)
    with pytest.raises(WeightsError, match=problem) as caught:
        hub.fetch(source, "net", 156_000_000)
    assert remedy in caught.value.remedy
    if "give net=" in remedy:
        assert ("FOLDER" if source is REPOSITORY else "FILE") in caught.value.remedy


def test_a_full_disk_is_no_question_of_the_connection(monkeypatch):
    raising(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(OutputError, match=r"No space left.*Free some space, .*HF_HOME"):
        hub.fetch(FILE, "net")


def test_a_name_that_the_hub_does_not_allow_is_told():
    with pytest.raises(WeightsError, match=r"not the name of a repository.*Expected hf://owner/repository"):
        hub.cached(Hub("owner/..net"))


def test_of_a_repository_no_pickle_is_asked_for(monkeypatch, caplog):
    asked = {}

    def snapshot(repository, **options):
        asked.update(repository=repository, **options)
        return str(in_cache(REPOSITORY, "config.json", "model.safetensors"))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    folder = hub.fetch(Hub("owner/net", revision="v1"), "net", 156_000_000)
    assert (folder / "config.json").is_file()
    assert (asked["repository"], asked["revision"]) == ("owner/net", "v1")
    assert all(pattern.endswith(("json", ".safetensors")) for pattern in asked["allow_patterns"])
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == [f"Downloading net (156 MB) from {constants.ENDPOINT}/owner/net"]


def test_a_repository_without_safetensors_is_refused(monkeypatch):
    folder = in_cache(REPOSITORY, "config.json", "pytorch_model.bin")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: str(folder))
    with pytest.raises(WeightsError, match=r"no config\.json with model\.safetensors"):
        hub.fetch(REPOSITORY, "net")


def test_what_is_in_the_cache_is_found_without_the_network(monkeypatch):
    raising(monkeypatch, AssertionError("nothing may be asked"))
    assert hub.cached(REPOSITORY) is None
    assert hub.cached(FILE) is None
    snapshot = in_cache(REPOSITORY, "config.json", "w.pth")
    assert hub.cached(FILE) == snapshot / "w.pth"
    assert hub.cached(REPOSITORY) is None, "without its tensors it is not complete"
    in_cache(REPOSITORY, "model.safetensors")
    assert hub.cached(REPOSITORY) == snapshot
    assert hub.cached(Hub("owner/net", revision="v2")) is None


def test_a_repository_in_parts_is_complete_with_all_of_them():
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    in_cache(REPOSITORY, "config.json", "model-1.safetensors")
    in_cache(REPOSITORY, "model.safetensors.index.json", text=index)
    assert hub.cached(REPOSITORY) is None
    snapshot = in_cache(REPOSITORY, "model-2.safetensors")
    assert hub.cached(REPOSITORY) == snapshot
