"""Refining at stride 4 only where an object may be, against refining the whole frame, with real weights and frames."""

from itertools import islice

import pytest
import torch

from cyclevos.app.projects.demos import demo_clip
from cyclevos.geometry import frame_tensor, network_size, resize_frame
from cyclevos.masks import ids_to_probabilities, most_probable, object_ids
from cyclevos.media.open_source import open_source
from cyclevos.network.weights import load_network
from cyclevos.pictures.mask_files import read_mask


@pytest.fixture(scope="module")
def network():
    return load_network("default")


@pytest.fixture
def refined(network):
    """The cells of stride 4 that each call of the finest refinement has gone through."""
    cells = []
    handle = network.decoder.refine4.register_forward_pre_hook(lambda _, args: cells.append(args[0][0, 0].numel()))
    yield cells
    handle.remove()


def segmented(network, clip, height, objects=None):
    """The logits of the fifth frame from the first alone."""
    ids = read_mask(demo_clip(clip).with_suffix(".png")).ids
    objects = object_ids(ids) if objects is None else objects
    size = network_size(ids.shape, height)
    images = [frame.image for frame in islice(open_source(demo_clip(clip)), 5)]
    first, fifth = (resize_frame(frame_tensor(image), size)[None] for image in (images[0], images[-1]))
    masks, present = ids_to_probabilities(ids, objects), torch.ones(1, len(objects), dtype=torch.bool)
    masks = torch.nn.functional.interpolate(masks[None], size=size, mode="area")
    with torch.no_grad():
        memory = network.encode_memory(network.prepare_memory(first), masks, present).alone()
        return network.segment(network.encode_query(fifth), memory, present).logits


@pytest.mark.parametrize("clip", ["bmx-trees", "car-shadow"])
def test_refining_where_an_object_may_be_gives_the_masks_of_the_whole_frame(clip, network, refined, monkeypatch):
    quick = segmented(network, clip, 272)
    places = refined.copy()
    monkeypatch.setattr(network.decoder, "_near_objects", network.decoder._refined)
    whole = segmented(network, clip, 272)
    # Another object's logit a pixel away decides where both are equally probable.
    assert (most_probable(quick[0]) != most_probable(whole[0])).sum() <= 2
    assert (quick.softmax(1) - whole.softmax(1)).abs().mean() < 2e-4
    assert len(places) == quick.shape[1] - 1
    assert max(places) < 0.6 * refined[-1]


def test_an_object_that_is_nowhere_costs_no_refinement(network, refined):
    logits = segmented(network, "car-shadow", 272, objects=(9,))
    assert refined == []
    assert (logits.softmax(1)[:, 1] < 0.5).all()
