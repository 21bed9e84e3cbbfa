"""Caches of downloads that belong to one test, so that no test sees or leaves weights of the user."""

from __future__ import annotations

import pytest

from cyclevos.network import downloads


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Our cache folder and the hub's, both empty."""
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(downloads, "_PAUSE", 0.02)
    return downloads.cache_folder()
