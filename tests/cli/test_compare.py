"""`cyclevos compare` as a user calls it."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
from cli_inputs import save_frames, save_mask

from cyclevos.pictures.mask_files import read_ground_truth


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


def test_frames_may_be_chosen_by_number(call, tmp_path, images, ids):
    for index in range(3):
        save_mask(tmp_path / "masks" / f"{index:05d}.png", ids)
        save_mask(tmp_path / "frames" / f"{index:05d}.png", images[index], None)
    folders = (tmp_path / "masks", tmp_path / "masks", "--frames", tmp_path / "frames")
    answer = call("compare", *folders, "--output", tmp_path / "figure.png", "--at", "2,00000")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("00000, 00002: ")


def test_chosen_frames_of_one_sequence(compare):
    answer = compare("--at", "shot_000,shot_001", before="before/ape", after="after/ape", frames="frames/ape")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("shot_000, shot_001: ")


def test_masks_are_read_again_rather_than_kept(compare, monkeypatch):
    read = []
    most = 0

    def counted(*arguments, **options):
        nonlocal most
        mask = read_ground_truth(*arguments, **options)
        read.append(weakref.ref(mask.ids))
        most = max(most, sum(ids() is not None for ids in read))
        return mask

    monkeypatch.setattr("cyclevos.pictures.mask_files.read_ground_truth", counted)
    assert compare("--rows", "1").code == 0
    assert most <= 4, "of twelve"


@pytest.mark.parametrize(
    ("options", "folders", "code", "text"),
    [
        (("--titles", "one"), {}, 6, "expected two titles"),
        (("--output", "figure.jpg"), {}, 6, "ends in .png or .pdf"),
        (("--at", "shot_9"), {}, 6, "no mask named shot_9. Expected some of shot_000 to shot_002"),
        (("--at", "shot_000,shot_9"), {}, 6, "no mask named shot_9"),
        (("--at", "shot_000", "--rows", "1"), {}, 6, "--at names 2 frames, --rows allows 1"),
        (("--sequences", "ape,cow"), {}, 7, "no masks of the same names in cow"),
        (("--truth", "nowhere"), {}, 7, "nowhere is not a folder"),
        (("--truth", "."), {}, 7, "has no mask of the frames shown"),
        ((), {"before": "nowhere"}, 7, "nowhere is not a folder"),
        ((), {"after": "larger"}, 4, "shot_000.png 80x48 (width x height)"),
        ((), {"frames": "short"}, 3, "short/ape has no frame shot_001, shot_002"),
    ],
)
def test_slips_are_named(compare, tmp_path, images, ids, options, folders, code, text):
    save_frames(tmp_path / "short" / "ape", images[:1])
    save_frames(tmp_path / "short" / "bee", images[:3])
    save_mask(tmp_path / "larger" / "ape" / "shot_000.png", ids.repeat(2, 0).repeat(2, 1))
    answer = compare(*options, **folders)
    assert answer.code == code
    assert text in answer.err
