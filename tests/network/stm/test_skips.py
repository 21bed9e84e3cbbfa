"""A frame's finest skip, prepared in parts, against the whole of it, with the packaged weights."""

import pytest
import torch

from cyclevos.network.stm.skips import FrameSkip, FrameSkips
from cyclevos.network.weights import load_network


@pytest.fixture(scope="module")
def refinement():
    return load_network("default", dtype="float32").decoder.refine4


@pytest.fixture
def prepared(refinement):
    """The cells of each preparation, and what is to be called for one."""
    cells = []

    def prepare(features):
        cells.append(features[0, 0].numel())
        return refinement.prepare(features)

    return cells, prepare


def raw(frames=1):
    return torch.randn(frames, 24, 32, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (slice(0, 10), slice(0, 12)),
        (slice(10, 20), slice(10, 14)),
        (slice(24, 32), slice(40, 48)),
        (slice(0, 32), slice(2, 8)),
        (slice(30, 31), slice(2, 3)),
    ],
)
def test_a_part_is_what_the_whole_frame_has_there(rows, columns, prepared):
    cells, prepare = prepared
    part = FrameSkip(raw(), prepare).part(rows, columns)
    whole = FrameSkip(raw(), prepare).whole()
    assert cells[0] < cells[1] == 32 * 48
    torch.testing.assert_close(part, whole[..., rows, columns], atol=1e-5, rtol=1e-5)


def test_what_is_prepared_of_a_frame_depends_on_what_is_asked_alone(prepared):
    """Otherwise a run that continues, which has asked less, would differ in the last digits."""
    cells, prepare = prepared
    skip = FrameSkip(raw(), prepare)
    before = skip.part(slice(0, 16), slice(0, 24))
    skip.whole()
    assert torch.equal(skip.part(slice(0, 16), slice(0, 24)), before)
    skip.whole()
    assert cells == [19 * 27, 32 * 48, 19 * 27]


@pytest.mark.parametrize(("objects", "whole"), [(1, 0), (3, 0), (4, 1), (9, 1)])
def test_a_frame_is_prepared_once_where_its_objects_boxes_are_as_large_as_it_is(objects, whole, monkeypatch):
    decoder = load_network("default", dtype="float32").decoder
    monkeypatch.setattr("cyclevos.network.stm.decoder._possible", lambda look: (slice(0, 8), slice(0, 12)))
    frames = []
    monkeypatch.setattr(FrameSkip, "whole", lambda skip, of=FrameSkip.whole: frames.append(skip) or of(skip))
    with torch.no_grad():
        skips = FrameSkips.of(raw(), decoder.refine4.prepare).select(torch.zeros(objects, dtype=torch.int64))
        found = decoder._near_objects(skips, torch.randn(objects, 96, 16, 24))
    assert found.shape == (objects, 1, 32, 48)
    assert len(frames) == whole * objects


def test_objects_of_one_frame_share_its_look_at_stride_8(prepared):
    cells, prepare = prepared
    skips = FrameSkips.of(raw(2), prepare).select(torch.tensor([0, 0, 1]))
    first, second, third = (frame.coarse() for frame in skips.frames)
    assert cells == [16 * 24] * 2
    assert first is second
    assert not torch.equal(first, third)
    assert skips.whole().shape == (3, 96, 32, 48)
    assert [frame.raw.shape for frame in skips.select(slice(1, 3)).frames] == [(1, 24, 32, 48)] * 2


def test_what_is_prepared_has_no_gradients(prepared):
    _, prepare = prepared
    assert not FrameSkips.of(raw(), prepare).whole().requires_grad
