"""`cyclevos compare` as a user calls it."""

from __future__ import annotations

import numpy as np
import pytest
from cli_inputs import save_frames, save_mask


@pytest.fixture
def compare(call, tmp_path, images, ids):
    """Two results of two sequences: `bee` differs in its third frame, `ape` nowhere."""
    for name in ("ape", "bee"):
        save_frames(tmp_path / "frames" / name, images[:3])
        for index in range(3):
            worse = np.where(ids == 7, 0, ids).astype(np.uint8) if (name, index) == ("bee", 2) else ids
            save_mask(tmp_path / "before" / name / f"shot_{index:03d}.png", worse)
            save_mask(tmp_path / "after" / name / f"shot_{index:03d}.png", ids)

    def run(*options, before="before", after="after", frames="frames"):
        folders = (tmp_path / before, tmp_path / after, "--frames", tmp_path / frames)
        return call("compare", *folders, "--output", tmp_path / "figure.png", *options)

    return run


def test_the_row_that_differs_most_comes_first(compare, tmp_path):
    answer = compare("--rows", "1", "--truth", tmp_path / "after")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("bee shot_002: ")
    assert (tmp_path / "figure.png").stat().st_size > 1000


def test_chosen_frames_of_one_sequence(compare):
    answer = compare("--at", "shot_000,shot_001", before="before/ape", after="after/ape", frames="frames/ape")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("shot_000, shot_001: ")


@pytest.mark.parametrize(
    ("options", "folders", "code", "text"),
    [
        (("--titles", "one"), {}, 6, "expected two titles"),
        (("--output", "figure.jpg"), {}, 6, "ends in .png or .pdf"),
        (("--at", "shot_9"), {}, 7, "no masks of the same names"),
        ((), {"before": "nowhere"}, 7, "nowhere is not a folder"),
    ],
)
def test_slips_are_named(compare, options, folders, code, text):
    answer = compare(*options, **folders)
    assert answer.code == code
    assert text in answer.err
