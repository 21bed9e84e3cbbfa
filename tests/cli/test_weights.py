"""`cyclevos weights` as a user calls it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import serving

import cyclevos
from cyclevos.cli.completion import complete_prompter
from cyclevos.network import downloads, registry
from cyclevos.network.named_weights import Download
from cyclevos.network.registry import PROMPTER, find, names

CONTENT = b"weights" * 1000


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return downloads.cache_folder()


@pytest.fixture
def server(monkeypatch):
    """Where the weights of cutie-small-mega are."""
    family, weights = find("cutie-small-mega")
    with serving(CONTENT) as running:
        here = replace(weights, where=Download(running.url, weights.where.filename))
        monkeypatch.setattr(type(family), "weights", tuple(here if w is weights else w for w in family.weights))
        yield running


def rows_by_name(call, option="--weights"):
    """The rows that `cyclevos weights --json` prints of one option, by name."""
    return {row["name"]: row for row in json.loads(call("weights", "--json").out) if option in row["options"]}


def test_the_table_names_every_network_and_prompter_and_its_sources(call):
    answer = call("weights")
    assert answer.code == 0, answer.err
    for name in [*names(), *names(PROMPTER)]:
        assert re.search(rf"^│{re.escape(name)} +│", answer.out, re.MULTILINE), name
    for part in (
        "for --weights and --prompter",
        "MIT",
        "Apache-2.0",
        "CC BY-NC-SA",
        "MOSE val J&F 74.6 [",
        "README of facebookresearch/sam2",
    ):
        assert part in answer.out
    assert "…" not in answer.out


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_of_the_table_is_lost_on_a_narrow_terminal(call, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    answer = call("weights")
    assert "stm-cycle-resnet50" in answer.out
    assert "…" not in answer.out
    assert max(map(len, answer.out.splitlines())) <= width


def test_machines_get_json(call, server, cache):
    rows = rows_by_name(call)
    assert list(rows) == names()
    assert Path(rows["default"]["path"]).is_file()
    assert rows["default"]["figures"] == [
        {"dataset": "DAVIS-2016 val", "measure": "J&F", "value": 86.7, "source": "model card"}
    ]
    assert rows["cutie-small-mega"]["path"] is None
    assert call("weights", "fetch", "cutie-small-mega").code == 0
    rows = rows_by_name(call)
    assert rows["cutie-small-mega"]["path"] == str(cache / "cutie-small-mega.pth")


def test_machines_learn_which_weights_are_of_prompters(call):
    rows = rows_by_name(call, "--prompter")
    assert list(rows) == names(PROMPTER)
    assert (rows["default"]["options"], rows["default"]["family"]) == (["--prompter"], "prompts")
    assert Path(rows["default"]["path"]).name == "prompts.safetensors"
    assert rows["sam2.1-tiny"]["options"] == ["--weights", "--prompter"]
    assert rows["sam2.1-tiny"]["weights_licence"] == "Apache-2.0"
    assert rows_by_name(call)["cutie-base-mega"]["options"] == ["--weights"]


def test_the_shell_completes_prompters():
    assert complete_prompter("sam2.1-") == [name for name in names(PROMPTER) if name.startswith("sam2.1-")]
    assert complete_prompter("cutie") == []


def test_weights_are_fetched_and_found(call, server, cache):
    missing = call("weights", "path", "cutie-small-mega")
    assert missing.code == 5
    assert "Fetch them: cyclevos weights fetch cutie-small-mega" in missing.err
    fetched = call("weights", "fetch", "cutie-small-mega", "default")
    assert fetched.code == 0, fetched.err
    paths = fetched.out.split()
    assert paths == [str(cache / "cutie-small-mega.pth"), str(find("default")[1].where.file)]
    assert Path(paths[0]).read_bytes() == CONTENT
    assert call("weights", "path", "cutie-small-mega", "-v").out.strip() == paths[0]
    assert len(server.asked) == 1


def test_a_name_of_a_network_and_a_prompter_is_the_one_asked_for(call):
    assert Path(call("weights", "path", "default").out.strip()).name == "default.safetensors"
    assert Path(call("weights", "path", "default", "--prompter").out.strip()).name == "prompts.safetensors"
    assert call("weights", "fetch", "default", "--prompter").out.strip().endswith("prompts.safetensors")
    refused = call("weights", "path", "cutie-base-mega", "--prompter")
    assert refused.code == 5
    assert "expected that of a prompter" in refused.err


def test_without_the_extra_weights_can_be_fetched_and_the_table_says_what_is_missing(call, server, monkeypatch):
    monkeypatch.setattr(registry, "installed_version", lambda _: None)
    answer = call("weights", "fetch", "cutie-small-mega")
    assert answer.code == 0
    assert "pip install 'cyclevos[cutie]'" in answer.err
    rows = rows_by_name(call)
    assert (rows["edgetam"]["extra_installed"], rows["default"]["extra_installed"]) == (False, True)
    assert re.search(r"^│edgetam .*\n?.*needs the", call("weights").out, re.MULTILINE)


def test_a_misspelt_name_is_found_before_anything_is_downloaded(call, server):
    answer = call("weights", "fetch", "cutie-small-mega", "cutie-smal-mega")
    assert answer.code == 5
    assert "neither a named network" in answer.err
    assert server.asked == []


def test_offline_the_exit_code_is_that_of_weights(call, server):
    server.plan = [404]
    answer = call("weights", "fetch", "cutie-small-mega")
    assert (answer.code, answer.out) == (5, "")
    assert "give cutie-small-mega=FILE" in answer.err


def test_segment_without_the_extra_downloads_nothing(segment, server, monkeypatch):
    monkeypatch.setattr(registry, "installed_version", lambda _: None)
    answer = segment("--weights", "cutie-small-mega")
    assert answer.code == 10
    assert "Install it: pip install 'cyclevos[cutie]'" in answer.err
    assert server.asked == []


@pytest.mark.parametrize(("words", "incomplete"), [(["segment", "--weights"], "cut"), (["weights", "fetch"], "cut")])
def test_the_shell_completes_names(words, incomplete):
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(cyclevos.__file__).parents[1]),
        "_CYCLEVOS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["cyclevos", *words, incomplete]),
        "COMP_CWORD": str(len(words) + 1),
    }
    code = "import sys; sys.argv = ['cyclevos']; from cyclevos.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["cutie-base-mega", "cutie-small-mega"]
