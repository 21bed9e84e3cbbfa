"""Tests that share something costly run in one process: a new pytest or pytest-xdist may ignore their groups."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("groups")
def test_groups_are_kept_together(request):
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("not distributed by groups")
    assert request.node.nodeid.endswith("@groups")
