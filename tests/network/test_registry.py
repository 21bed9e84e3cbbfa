"""The table of families and names: complete, true where it can be checked, and open to other packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import cyclevos
from cyclevos.errors import MissingExtraError
from cyclevos.network import registry
from cyclevos.network.named_weights import Download, Hub, Packaged
from cyclevos.network.registry import NETWORK, PROMPTER, families, find, missing_extra, names, require_extra

try:  # Python 3.11
    import tomllib
except ImportError:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = [(family, each) for family in families(NETWORK) for each in family.weights]
ENTRIES = [(family, each) for family in families() for each in family.weights]

NAMES = [
    "default",
    "stm-resnet50",
    "stm-cycle-resnet50",
    "stm-cycle-resnet18",
    "cutie-base-mega",
    "cutie-small-mega",
    "sam2.1-tiny",
    "sam2.1-small",
    "sam2.1-base-plus",
    "sam2.1-large",
    "edgetam",
]


PROMPTERS = ["sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large", "edgetam", "default"]


def test_the_names_are_the_documented_ones():
    assert names() == NAMES
    assert names(PROMPTER) == PROMPTERS


def test_a_name_may_stand_for_a_network_and_for_a_prompter():
    assert find("sam2.1-tiny") == find("sam2.1-tiny", PROMPTER)  # one download for both
    network, prompter = find("default")[1], find("default", PROMPTER)[1]
    assert network.where.file.name == "default.safetensors"
    assert prompter.where.file.name == "prompts.safetensors"
    assert find("cutie-base-mega", PROMPTER) is None


def test_the_document_has_the_same_table():
    text = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    sources = re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if re.match(r"\| `(.*\|){8}$", line)
    ]
    expected = []
    for family, each in WEIGHTS:
        figures = [f"{f.dataset} {f.measure} {f.value} [{sources.index(f.source) + 1}]" for f in each.figures]
        parameters = "" if each.parameters is None else f"{each.parameters / 1e6:.1f} M"
        size = "" if each.size is None else f"{each.size / 1e6:,.0f} MB"
        licences = [each.code_licence, each.weights_licence]
        expected.append([f"`{each.name}`", family.name, each.purpose, parameters, size, *licences, ", ".join(figures)])
    assert rows == expected


def test_the_document_tells_which_names_are_prompters():
    text = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^With `--prompter`: (.+?)\.$", text, re.MULTILINE | re.DOTALL)
    assert re.findall(r"`([^`]+)`", sentence) == PROMPTERS


@pytest.mark.parametrize(("family", "weights"), ENTRIES, ids=[f"{f.name}-{each.name}" for f, each in ENTRIES])
def test_every_entry_says_what_a_user_has_to_know(family, weights):
    assert family.uses
    assert all(find(weights.name, use) == (family, weights) for use in family.uses)
    assert weights.purpose
    assert weights.code_licence
    assert weights.weights_licence
    assert all(0 < figure.value < 100 and figure.source and figure.dataset for figure in weights.figures)
    if isinstance(weights.where, Download):
        assert weights.where.url.startswith("https://")
        assert weights.where.url.endswith(weights.where.filename)
    if isinstance(weights.where, Hub):
        assert weights.where.repository.count("/") == 1
    if isinstance(weights.where, Packaged):
        assert weights.where.file.stat().st_size == weights.size
        assert (weights.where.calibration is not None) == family.networks
        assert weights.where.calibration is None or weights.where.calibration.is_file()


def test_an_unknown_name_is_none():
    assert find("no-such-net") is None


def stm_network(name):
    from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
    from cyclevos.network.stm.spec import SPECS

    return SpaceTimeMemoryNetwork(SPECS[name])


def cutie_network(name):
    pytest.importorskip("cutie", reason="rf-cutie is not installed")
    from cyclevos.network.cutie.library import untrained_cutie

    return untrained_cutie(name.split("-")[1])


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("default", "stm", "cutie"))])
def test_the_numbers_of_parameters_are_those_of_the_networks(name):
    build = cutie_network if name.startswith("cutie") else stm_network
    with torch.device("meta"):
        network = build(name)
    weights = find(name)[1]
    assert sum(parameter.numel() for parameter in network.parameters()) == weights.parameters
    if name != "default":  # which is stored in half precision
        stored = 4 * sum(tensor.numel() for tensor in network.state_dict().values())
        assert weights.size == pytest.approx(stored, rel=0.01)


def test_the_number_of_parameters_of_the_packaged_prompter_is_its_own():
    from cyclevos.prompts.weights import load_prompt_network

    weights = find("default", PROMPTER)[1]
    network = load_prompt_network(weights.where.file)
    assert sum(parameter.numel() for parameter in network.parameters()) == weights.parameters


def test_the_extras_are_those_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    needing = [family for family in families() if family.extra is not None]
    assert {family.extra for family in needing} == {"cutie", "sam2"}
    for family in needing:
        assert list(family.requirements) == extras[family.extra]


@pytest.mark.parametrize(
    ("found", "state"), [(None, "which is not installed"), ("4.40.0", "but 4.40.0 is installed"), ("5.30.1", "5.30.1")]
)
def test_a_missing_extra_is_told_with_the_pip_line(monkeypatch, found, state):
    monkeypatch.setattr(registry, "installed_version", lambda _: found)
    with pytest.raises(MissingExtraError, match="sam2 need transformers") as caught:
        require_extra(find("edgetam")[0])
    assert state in caught.value.problem
    assert caught.value.remedy == "Install it: pip install 'cyclevos[sam2]'"


@pytest.mark.parametrize("found", ["5.20.0", "5.24.1", "5.24.0.dev0"])
def test_versions_in_the_range_will_do(monkeypatch, found):
    monkeypatch.setattr(registry, "installed_version", lambda _: found)
    assert missing_extra(find("edgetam")[0]) is None


def test_nothing_is_missing_for_the_packaged_weights():
    require_extra(find("default")[0])


def test_the_table_loads_nothing_heavy():
    code = (
        "import sys; from cyclevos.network import registry; registry.names()\n"
        "print(*({m.split('.')[0] for m in sys.modules} & {'torch', 'numpy', 'timm', 'transformers', 'cutie'}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(cyclevos.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """An installed distribution whose entry points name the toy family and one that fails."""
    folder = tmp_path / "site" / "other-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    points = "toy = toy_family:ToyFamily\nbroken = no_such_module:FAMILY\n"
    (folder / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry._installed_families.cache_clear()
    yield
    monkeypatch.undo()
    registry._installed_families.cache_clear()


def test_another_package_adds_a_family_and_a_broken_one_stops_nothing(other_package, tmp_path, caplog):
    assert names() == [*NAMES, "toy-net"]
    assert "The family broken (no_such_module:FAMILY) cannot be used" in caplog.text
    file = tmp_path / "w.toy"
    file.write_text("toy")
    with pytest.raises(MissingExtraError, match=r"family toy need no-such-distribution>=1.*'no-such-distribution>=1'"):
        cyclevos.load_network(file)
