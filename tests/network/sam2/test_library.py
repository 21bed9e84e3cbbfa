"""Parity with the sessions of transformers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cyclevos.masks import ids_to_probabilities
from cyclevos.propagation.propagator import Propagator

BOTH = torch.ones(1, 2, dtype=torch.bool)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def _segmented(network, session, clip, annotations, frames):
    """Return our logits and the session's, (T,K,S,S), of the frames without an annotation."""
    propagator = Propagator(network, None, network.traits.policy, None)
    ours, theirs = [], []
    for index in range(frames):
        step = index, clip.images[index], annotations.get(index)
        prediction, logits = propagator.step(*step), session.step(*step)
        if index not in annotations:
            ours.append((prediction.probabilities[1:] / prediction.probabilities[:1]).log())
            theirs.append(logits)
            winner = torch.cat([torch.zeros_like(logits[:1]), logits]).argmax(dim=0)
            assert np.array_equal(prediction.ids, winner.numpy())
    return torch.stack(ours), torch.stack(theirs)


def test_ten_frames_of_two_objects_are_segmented_as_in_a_session(exact_network, new_session, clip):
    ours, theirs = _segmented(exact_network, new_session(exact_network), clip, {0: clip.ids[0]}, 10)

    assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert ours.std(dim=0).mean() > 0.3, "the frames do not matter"
    assert (ours[:, 0] - ours[:, 1]).std() > 0.3, "the objects do not matter"
    assert 0.01 < (ours > 0).double().mean() < 0.99, "the masks are empty or full"


def test_the_same_in_float32_for_as_long_as_rounding_allows(network, new_session, clip):
    ours, theirs = _segmented(network, new_session(network), clip, {0: clip.ids[0]}, 3)
    assert_close(ours, theirs, atol=1e-3, rtol=0)


# Changes of the object score (sign, offset) after which given masks score above 0 and predicted ones about 0.
DOUBTS = {"sam2": (-1, 3.85), "edgetam": (1, -4.5)}


def test_absent_objects_are_left_out_as_in_a_session(exact_network, variant, new_session, clip):
    sign, offset = DOUBTS[variant]
    doubtful = copy.deepcopy(exact_network)
    score = doubtful.model.mask_decoder.pred_obj_score_head.proj_out
    score.weight.mul_(sign)
    score.bias.mul_(sign).add_(offset)
    propagator, session = Propagator(doubtful, None, doubtful.traits.policy, None), new_session(doubtful)
    seen = []
    for index, image in enumerate(clip.images):
        step = index, image, clip.ids[0] if index == 0 else None
        prediction, logits = propagator.step(*step), session.step(*step)
        if index:
            seen += [float(mask.max()) > -1000 for mask in logits]
            expected = torch.cat([torch.zeros_like(logits[:1]), logits]).softmax(dim=0)
            assert_close(prediction.probabilities, expected, atol=1e-5, rtol=0)
    assert set(seen) == {True, False}


def test_an_object_that_is_annotated_again_is_segmented_as_in_a_session(exact_network, new_session, clip):
    propagator, session = Propagator(exact_network, None, exact_network.traits.policy, None), new_session(exact_network)
    again = np.where(clip.ids[4] == 1, 1, 0).astype(np.uint8)
    for index, image in enumerate(clip.images):
        step = index, image, {0: np.where(clip.ids[0] == 1, 1, 0).astype(np.uint8), 4: again}.get(index)
        prediction, logits = propagator.step(*step), session.step(*step)
        if index not in (0, 4):
            ours = (prediction.probabilities[1:] / prediction.probabilities[:1]).log()
            assert_close(ours, logits, atol=1e-4, rtol=0)


def test_annotating_one_object_leaves_the_memory_of_the_other(network, frames, clip, new_session):
    features = [network.encode_query(frame[None]) for frame in frames[:2]]
    first = network.encode_memory(features[0], ids_to_probabilities(clip.ids[0], (1, 2))[None], BOTH)
    said = network.segment(features[1], first.alone(1), BOTH)
    predicted = said.logits.softmax(dim=1)
    corrected = predicted.clone()
    corrected[:, 1] = torch.from_numpy(clip.ids[1] == 1)

    untouched = network.encode_memory(features[1], predicted, BOTH, said, BOTH)
    annotated = network.encode_memory(features[1], corrected, BOTH, said, torch.tensor([[False, True]]))

    assert_close(annotated.tokens[1], untouched.tokens[1], atol=1e-5, rtol=0)
    assert_close(annotated.pointers[1], untouched.pointers[1], atol=1e-5, rtol=0)
    assert (annotated.tokens[0] - untouched.tokens[0]).abs().max() > 0.1
    session = new_session(network)
    session.step(1, clip.images[1], clip.ids[1])
    expected = session.given(1, 1)
    assert_close(annotated.tokens[0], _tokens(expected, like=annotated.tokens[0]), atol=0.02, rtol=0.01)  # bfloat16
    assert_close(annotated.pointers[:1], expected["object_pointer"][0], atol=1e-4, rtol=0)


def _tokens(memory, like):
    """Return a session's tokens (N,Cm), whose order of dimensions differs between the architectures."""
    return memory["maskmem_features"].squeeze().to(like.dtype)
