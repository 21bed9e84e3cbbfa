"""The page on a network of one's own: what it shows works as it is shown."""

from __future__ import annotations

import re
import sys
from types import ModuleType

import families
import numpy as np
import pytest
import torch
from clips import scene, scene_ids
from safetensors.torch import save_file

import cyclevos
from cyclevos.network import registry


@pytest.fixture
def shown(monkeypatch):
    """The page's network and family as the module of an installed package."""
    network, _, family = families.documented_code()
    module = ModuleType("my_package.votes")
    monkeypatch.setitem(sys.modules, "my_package", ModuleType("my_package"))
    monkeypatch.setitem(sys.modules, "my_package.votes", module)
    exec(network + family, vars(module))
    return module


def test_the_example_follows_the_car_of_the_clip(shown, capsys):
    exec(families.documented_code()[1], vars(shown))
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(7))
    assert shown.p.reliability[1] > 0.5
    assert 0.5 < (shown.p.ids > 0).sum() / (shown.mask > 0).sum() < 2


def test_its_family_is_found_by_the_entry_point_of_the_page(shown, tmp_path, monkeypatch):
    page = families.NETWORKS_PAGE.read_text(encoding="utf-8")
    group, entry = re.search(r'^    \[project\.entry-points\."(.+)"\]\n    (\S+ = "\S+")$', page, re.MULTILINE).groups()
    folder = tmp_path / "site" / "my_package-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry._installed_families.cache_clear()
    try:
        file = tmp_path / "tuned.votes"
        save_file({"sharpness": torch.tensor(321.0)}, file)
        network = cyclevos.load_network(file, device="cpu", dtype="float32")
        assert type(network) is shown.ColourVotes
        assert network.sharpness == 321
        frames, ids = scene(3, 64, 96), scene_ids(1, 64, 96)[0]
        last = list(cyclevos.segment(network, frames, ids))[-1]
        assert set(np.unique(last.ids)) == {0, 1, 5}
    finally:
        registry._installed_families.cache_clear()
