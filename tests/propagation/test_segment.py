"""What a user of `cyclevos.segment` may rely on, whatever the network."""

from __future__ import annotations

import threading
from copy import deepcopy

import numpy as np
import pytest
import torch
from PIL import Image

import cyclevos
from cyclevos import Correction
from cyclevos.errors import ConfigError, MaskError, OutputError, VideoError
from cyclevos.media.open_source import open_source
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import segment_frames


def run(network, frames, masks, **options):
    return list(cyclevos.segment(network, frames, masks, **{"size": None, **options}))


def assert_same(first, second, tolerance=1e-5):
    assert [p.index for p in first] == [p.index for p in second]
    for p, q in zip(first, second, strict=True):
        assert p.object_ids == q.object_ids, p.index
        torch.testing.assert_close(p.probabilities, q.probabilities, atol=tolerance, rtol=0)


def reader_threads():
    return [t for t in threading.enumerate() if t.name == "cyclevos-read-ahead"]


# What comes out


@pytest.mark.parametrize("size", [None, 16, 32, "auto"])
def test_probabilities_sum_to_one_at_the_sources_size(lively_network, images, square, strip, size):
    predictions = run(lively_network, images[:4], {0: square + strip, 2: strip}, size=size)
    assert [p.index for p in predictions] == [0, 1, 2, 3]
    assert [p.annotated for p in predictions] == [True, False, True, False]
    for p in predictions:
        assert p.object_ids == (1, 5)
        assert p.probabilities.dtype == torch.float32
        assert p.probabilities.shape == (3, *square.shape)
        assert p.probabilities.min() >= 0
        torch.testing.assert_close(p.probabilities.sum(dim=0), torch.ones(square.shape))
        assert p.ids.dtype == np.uint8
        assert p.ids.shape == square.shape
        winners = np.array([0, 1, 5])[p.probabilities.argmax(dim=0).numpy()]
        np.testing.assert_array_equal(p.ids, winners)
    assert 0.02 < (predictions[1].ids > 0).mean() < 0.98, "a test that sees nothing proves nothing"


def test_permuting_ids_permutes_results(lively_network, images, square, strip):
    network = deepcopy(lively_network).double()  # five frames of float32 multiply its rounding to the fifth digit
    first = run(network, images[:5], square + strip)
    renamed = {0: 0, 1: 200, 5: 7}
    other = np.vectorize(renamed.get)(square + strip).astype(np.uint8)
    for p, q in zip(first, run(network, images[:5], other), strict=True):
        assert q.object_ids == (7, 200)
        torch.testing.assert_close(q.probabilities[[0, 2, 1]], p.probabilities, atol=1e-9, rtol=0)
        top = p.probabilities.topk(2, dim=0).values
        clear = (top[0] - top[1] > 1e-4).numpy()
        np.testing.assert_array_equal(np.vectorize(renamed.get)(p.ids)[clear], q.ids[clear])


def test_a_mask_far_later_changes_nothing_earlier(lively_network, images, square, strip):
    alone = run(lively_network, images, {0: square})
    with_later = run(lively_network, images, {0: square, 8: strip})
    assert_same(alone[:8], with_later[:8], tolerance=0)
    assert with_later[8].object_ids == (1, 5)
    assert not torch.equal(alone[9].probabilities[1], with_later[9].probabilities[1])


def test_an_object_beside_an_empty_slot_gives_the_mask_it_gives_alone(lively_network, images, square):
    frame = torch.from_numpy(np.stack(images[:2])).permute(0, 3, 1, 2) / 255
    mask = torch.from_numpy(square).float()
    soft = torch.stack([1 - mask, mask])[None]
    beside = torch.cat([soft, torch.zeros_like(soft[:, :1])], dim=1)
    results = []
    for probabilities, present in ((soft, [[True]]), (beside, [[True, False]])):
        table = torch.tensor(present)
        memory = lively_network.encode_memory(lively_network.prepare_memory(frame[:1]), probabilities, table)
        query = lively_network.encode_query(frame[1:])
        logits = lively_network.segment(query, memory.alone(), table).logits
        results.append(logits.softmax(dim=1)[0])
    torch.testing.assert_close(results[1][:2], results[0], atol=1e-5, rtol=0)
    assert results[1][2].max() < 1e-5


def test_an_empty_mask_later_is_no_annotation(lively_network, images, square):
    alone = run(lively_network, images[:5], {0: square})
    beside = run(lively_network, images[:5], {0: square, 2: np.zeros_like(square)})
    assert_same(alone, beside, tolerance=0)


# What is given is kept


def test_annotated_masks_are_kept_as_given(lively_network, images, square, strip):
    second = np.roll(square + strip, 4, axis=1)
    predictions = run(lively_network, images[:5], {0: square + strip, 3: second}, size=16)
    np.testing.assert_array_equal(predictions[0].ids, square + strip)
    np.testing.assert_array_equal(predictions[3].ids, second)


def test_objects_the_annotation_does_not_show_are_predicted_on_its_background(lively_network, images, square, strip):
    predictions = run(lively_network, images[:6], {0: square + strip, 3: np.roll(square, 6, axis=1)})
    without = run(lively_network, images[:6], {0: square + strip})
    shown = np.roll(square, 6, axis=1) > 0
    ids = predictions[3].ids
    assert (ids[shown] == 1).all()
    assert not (ids[~shown] == 1).any()
    other = without[3].probabilities[2].numpy() * ~shown
    assert other.max() > 0.1, "a test that sees nothing proves nothing"
    np.testing.assert_allclose(predictions[3].probabilities[2].numpy(), other, atol=1e-5)
    assert predictions[4].object_ids == (1, 5)


@pytest.mark.parametrize("again", [0, 2, 4])
def test_a_frame_that_is_given_again_keeps_its_last_mask_alone(lively_network, images, square, again):
    """The mask given first, wrong, must leave no trace in memory, also when the frame was given frames ago."""
    wrong = np.zeros_like(square)
    wrong[:, :20] = 1
    propagators = [Propagator(lively_network, None, MemoryPolicy(2, None)) for _ in range(2)]
    for propagator, first in zip(propagators, (wrong, square), strict=True):
        propagator.step(0, images[0], first)
        for index in range(1, again + 1):
            propagator.step(index, images[index], square)  # given, so that it does not depend on the first mask
        propagator.step(0, images[0], square)
    mistaken, right = (propagator.step(5, images[5]) for propagator in propagators)
    assert len(propagators[0]._bank) == len(propagators[1]._bank) == 2 + again
    torch.testing.assert_close(mistaken.probabilities, right.probabilities, atol=1e-6, rtol=0)


def test_a_second_annotation_of_an_object_guides_what_follows(lively_network, images, square):
    once = run(lively_network, images[:6], {0: square})
    twice = run(lively_network, images[:6], {0: square, 3: np.roll(square, 6, axis=1)})
    assert_same(once[:3], twice[:3], tolerance=0)
    assert not torch.allclose(once[4].probabilities, twice[4].probabilities, atol=1e-3)


def test_objects_may_first_appear_anywhere(lively_network, images, square, strip):
    predictions = run(lively_network, images[:6], {2: strip, 4: square})
    assert [p.object_ids for p in predictions] == [(), (), (5,), (5,), (5, 1), (5, 1)]
    assert not predictions[0].ids.any()
    assert predictions[1].probabilities.shape == (1, *square.shape)
    assert set(np.unique(predictions[5].ids)) == {0, 1, 5}


def test_a_mask_of_0_and_255_is_object_1(lively_network, images, caplog):
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 255
    results = [list(cyclevos.segment(lively_network, images[:2], given)) for given in (mask, {0: mask > 0})]
    assert results[0][0].object_ids == (1,)
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first.ids, second.ids)
    assert not caplog.text
    mask[20:, :9] = 3
    assert next(cyclevos.segment(lively_network, images[:2], mask)).object_ids == (3, 255)
    assert "255 beside other ids" in caplog.text


def test_many_objects_with_gaps_up_to_255(lively_network, images):
    ids = [3, 4, 9, 10, 17, 50, 100, 127, 128, 200, 254, 255]
    mask = np.zeros(images[0].shape[:2], np.uint8)
    for number, object_id in enumerate(ids):
        row, column = divmod(number, 4)
        mask[8 * row : 8 * row + 6, 10 * column : 10 * column + 7] = object_id
    predictions = run(lively_network, images[:2], mask)
    np.testing.assert_array_equal(predictions[0].ids, mask)
    assert predictions[1].object_ids == tuple(ids)
    assert predictions[1].probabilities.shape[0] == 13
    assert set(np.unique(predictions[1].ids)) <= {0, *ids}


@pytest.mark.parametrize("kind", ["bool", "int64", "list", "tensor", "read-only"])
def test_masks_of_any_integer_kind_mean_the_same(lively_network, images, square, kind):
    given = {
        "bool": square > 0,
        "int64": square.astype(np.int64),
        "list": square.tolist(),
        "tensor": torch.from_numpy(square),
        "read-only": np.asarray(Image.fromarray(square)),
    }[kind]
    assert_same(run(lively_network, images[:2], given), run(lively_network, images[:2], {0: square}), 0)


# Shapes


@pytest.mark.parametrize("shape", [(8, 8), (17, 31), (33, 18), (1, 1), (4, 200), (150, 3)])
@pytest.mark.parametrize("size", [None, 20])
def test_frames_of_any_shape(lively_network, shape, size):
    frames = [np.full((*shape, 3), 40 * t, np.uint8) for t in range(3)]
    mask = np.zeros(shape, np.uint8)
    mask[: -(-shape[0] // 2), : -(-shape[1] // 2)] = 9
    predictions = run(lively_network, frames, mask, size=size)
    assert len(predictions) == 3
    assert all(p.ids.shape == shape for p in predictions)
    np.testing.assert_array_equal(predictions[0].ids, mask)
    torch.testing.assert_close(predictions[2].probabilities.sum(dim=0), torch.ones(shape))


def test_one_frame_gives_its_mask_back(lively_network, images, square):
    for direction in ("forward", "backward", "both"):
        (only,) = run(lively_network, images[:1], square, direction=direction)
        np.testing.assert_array_equal(only.ids, square)


def test_flipped_and_read_only_frames_are_taken_as_they_are(lively_network, images, square):
    bgr = [np.ascontiguousarray(image[..., ::-1]) for image in images[:2]]
    read_only = [np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape) for image in images[:2]]
    plain = run(lively_network, images[:2], square)
    assert_same(run(lively_network, [image[..., ::-1] for image in bgr], square), plain, tolerance=0)
    assert_same(run(lively_network, read_only, square), plain, tolerance=0)


# Streaming


class Camera:
    """Gives frames for ever and knows how many were taken."""

    def __init__(self, image):
        self.image, self.taken, self.closed = image, 0, False

    def frames(self):
        try:
            while True:
                self.taken += 1
                yield self.image
        finally:
            self.closed = True


def test_a_camera_is_asked_for_one_frame_at_a_time_and_let_go_on_close(lively_network, images, square):
    camera = Camera(images[0])
    generator = cyclevos.segment(lively_network, camera.frames(), square, size=None)
    assert camera.taken == 0, "nothing is read before the first result is asked for"
    for asked in range(1, 4):
        next(generator)
        assert camera.taken == asked
    generator.close()
    assert camera.closed
    assert camera.taken == 3


def test_leaving_the_loop_early_stops_the_reader_of_a_path(lively_network, images, square, tmp_path):
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index}.png")
    generator = cyclevos.segment(lively_network, tmp_path, square, size=None)
    next(generator)
    assert len(reader_threads()) == 1
    generator.close()
    assert not reader_threads()
    for p in cyclevos.segment(lively_network, tmp_path, square, size=None):
        if p.index == 1:
            break
    assert not reader_threads()


def test_what_was_yielded_before_a_broken_frame_stays(lively_network, images, square):
    def broken():
        yield from images[:2]
        raise VideoError("Frame 2 cannot be decoded.", "Replace it.")

    seen = []
    generator = cyclevos.segment(lively_network, broken(), square, size=None)
    with pytest.raises(VideoError, match="Frame 2"):
        seen.extend(p.index for p in generator)
    assert seen == [0, 1]


def test_frames_of_differing_sizes_are_named(lively_network, images, square):
    with pytest.raises(VideoError, match="00001 is 30x24"):
        run(lively_network, [images[0], images[1][:, :30]], square)


def test_gradients_are_as_the_caller_has_them_and_no_parameter_gets_one(tiny_spec, images, square):
    network = SpaceTimeMemoryNetwork(tiny_spec).eval()  # its parameters want gradients
    for _ in cyclevos.segment(network, images[:3], square, size=None):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
    with torch.no_grad():
        for _ in cyclevos.segment(network, images[:2], square, size=None):
            assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    assert not any(p.probabilities.requires_grad for p in run(network, images[:2], square))
    assert all(parameter.grad is None for parameter in network.parameters())


# Memory


def test_the_bound_does_not_matter_until_it_is_reached(lively_network, images, square):
    free = run(lively_network, images, square, memory_every=3, max_memory_frames=None)
    assert_same(run(lively_network, images, square, memory_every=3, max_memory_frames=5), free, tolerance=0)
    tight = run(lively_network, images, square, memory_every=1, max_memory_frames=2)
    assert not torch.equal(tight[-1].probabilities, free[-1].probabilities)


def test_memory_is_bounded_and_holds_the_first_frame(lively_network, images, square):
    propagator = Propagator(lively_network, None, MemoryPolicy(2, 4))
    for index in range(60):
        propagator.step(index, images[index % 10], square if index == 0 else None)
        assert len(propagator._bank) <= 4
        assert {0, index} <= set(propagator._bank.frames)


def test_a_restored_propagator_goes_on_exactly(lively_network, images, square, strip):
    whole = Propagator(lively_network, 20, MemoryPolicy(2, 4))
    masks = {0: square, 2: strip}
    expected = [whole.step(i, images[i], masks.get(i)) for i in range(10)]
    first = Propagator(lively_network, 20, MemoryPolicy(2, 4))
    for i in range(5):
        first.step(i, images[i], masks.get(i))
    second = whole.fresh()
    second.restore(first.snapshot())
    assert_same([second.step(i, images[i]) for i in range(5, 10)], expected[5:], tolerance=0)


def test_a_propagator_refuses_frames_of_another_size(lively_network, images, square):
    first = Propagator(lively_network, None, MemoryPolicy())
    first.step(0, images[0], square)
    second = first.fresh()
    second.restore(first.snapshot())
    for propagator in (first, second):
        with pytest.raises(
            VideoError, match=r"Frame 1 is \(12, 20\) \(height, width\), but the frames before it are \(24, 40\)"
        ):
            propagator.step(1, images[1][::2, ::2])
        propagator.step(1, images[1])
    first.fresh().step(0, images[0][::2, ::2], square[::2, ::2])


def test_a_frame_that_failed_may_be_given_again(lively_network, images, square, strip, monkeypatch):
    def no_room(*_):
        raise MemoryError

    propagator = Propagator(lively_network, None, MemoryPolicy())
    with monkeypatch.context() as patched:
        patched.setattr(lively_network, "encode_memory", no_room)
        with pytest.raises(MemoryError):
            propagator.step(0, images[0], square)
    again = [propagator.step(0, images[0], square), propagator.step(1, images[1])]
    with monkeypatch.context() as patched:
        patched.setattr(lively_network, "encode_memory", no_room)
        with pytest.raises(MemoryError):
            propagator.step(2, images[2], strip)
    again += [propagator.step(2, images[2], strip), propagator.step(3, images[3])]
    assert_same(again, run(lively_network, images[:4], {0: square, 2: strip}), tolerance=0)


def test_what_is_kept_does_not_change_what_a_disturbed_memory_shows(lively_network, images, square):
    plain, disturbed = (
        Propagator(lively_network, None, MemoryPolicy(), Correction(rate=2e3, project=True, apply_to="both"), disturb)
        for disturb in (None, lambda index, ids: np.roll(ids, 3, axis=0))
    )
    first, second = (
        [p.step(i, image, square if i == 0 else None) for i, image in enumerate(images[:7])] for p in (plain, disturbed)
    )
    assert_same(first[:5], second[:5], tolerance=0)
    assert second[5].uncorrected is None
    assert torch.equal(second[5].probabilities, first[5].uncorrected)
    assert not torch.equal(second[6].probabilities, first[6].probabilities)


def test_bfloat16_masks_are_nearly_those_of_float32(tiny_spec, lively_network, images, square):
    half = SpaceTimeMemoryNetwork(tiny_spec).eval()
    half.load_state_dict(lively_network.state_dict())
    half.requires_grad_(False).to(torch.bfloat16)
    exact = run(lively_network, images[:4], square)
    rounded = run(half, images[:4], square)
    assert all(p.probabilities.dtype == torch.float32 for p in rounded)
    assert np.mean([(p.ids == q.ids).mean() for p, q in zip(exact, rounded, strict=True)]) > 0.9


# Directions


def test_backward_is_forward_on_the_reversed_video(lively_network, images, square, strip):
    backward = run(lively_network, images, {9: square, 6: strip}, direction="backward")
    assert [p.index for p in backward] == list(range(9, -1, -1))
    forward = run(lively_network, images[::-1], {0: square, 3: strip})
    for p, q in zip(backward, forward, strict=True):
        assert p.object_ids == q.object_ids
        assert torch.equal(p.probabilities, q.probabilities)


def test_both_reaches_frames_on_either_side_of_the_mask(lively_network, images, square):
    both = run(lively_network, images[:7], {3: square}, direction="both")
    forward = run(lively_network, images[:7], {3: square})
    backward = run(lively_network, images[:7], {3: square}, direction="backward")[::-1]
    assert [p.index for p in both] == list(range(7))
    np.testing.assert_array_equal(both[3].ids, square)
    assert_same(both[3:], forward[3:])
    for p, q in zip(both[:3], backward[:3], strict=True):
        assert p.object_ids == (1,)
        torch.testing.assert_close(p.probabilities, q.probabilities, atol=1 / 255, rtol=0)
        torch.testing.assert_close(p.probabilities.sum(dim=0), torch.ones(square.shape))


def test_both_is_forward_where_nothing_comes_later(lively_network, images, square, strip):
    masks = square + strip
    assert_same(run(lively_network, images, masks, direction="both"), run(lively_network, images, masks))


def test_both_weighs_the_nearer_mask_more(lively_network, images, square):
    masks = {0: square, 8: np.roll(square, 16, axis=1)}
    both = run(lively_network, images[:9], masks, direction="both")
    forward = run(lively_network, images[:9], masks)
    backward = run(lively_network, images[:9], masks, direction="backward")[::-1]
    for t in (2, 4, 6):
        expected = (1 - t / 8) * forward[t].probabilities + t / 8 * backward[t].probabilities
        torch.testing.assert_close(both[t].probabilities, expected, atol=1 / 255, rtol=0)


def test_both_carries_an_object_back_over_a_frame_that_is_annotated_with_another(lively_network, images, square, strip):
    both = run(lively_network, images[:7], {3: square, 5: strip}, direction="both")
    backward = run(lively_network, images[:7], {3: square, 5: strip}, direction="backward")[::-1]
    assert [set(p.object_ids) for p in both] == [{1, 5}] * 7
    assert (backward[3].ids == 5).any()
    np.testing.assert_array_equal(both[3].ids == 1, square > 0)
    np.testing.assert_allclose(both[3].probabilities[2], backward[3].probabilities[1], atol=1 / 255)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_a_stream_cannot_be_read_from_its_end(lively_network, images, square, direction):
    with pytest.raises(VideoError, match=r"got a generator\. Give a path, a list or an array"):
        run(lively_network, (image for image in images), square, direction=direction)


def test_no_room_for_the_backward_pass_is_said_in_words(lively_network, images, square, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match="No space left on device"):
        run(lively_network, images[:3], {1: square}, direction="both")


# What is refused


@pytest.mark.parametrize("frame", [0, 3])
def test_a_mask_of_another_size_is_refused_before_any_frame_with_both_sizes(lively_network, images, square, frame):
    masks = {0: square, frame: square[:20, :30]}
    generator = cyclevos.segment(lively_network, images, masks, size=None)
    with pytest.raises(MaskError, match=rf"frame {frame} is 30x20 but the frames are 40x24"):
        next(generator)


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_mask_for_a_frame_that_does_not_exist_is_refused_with_the_last_frame(
    lively_network, images, square, direction
):
    with pytest.raises(MaskError, match=r"frames \[7, 12\], but the video ends with frame 2"):
        run(lively_network, images[:3], {0: square, 7: square, 12: square}, direction=direction)


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (np.zeros((24, 40), np.uint8), "No mask shows an object"),
        (np.full((24, 40), 0.5, np.float32), r"is float32 of shape \(24, 40\) with values 0.5..0.5, a soft mask"),
        (np.full((24, 40), -1), r"values -1\.\.-1"),
        (np.full((24, 40), 256), r"values 256\.\.256"),
        (np.ones((24, 40, 3), np.uint8), r"of shape \(24, 40, 3\)"),
        (np.ones(24, np.uint8), r"of shape \(24,\)"),
        (None, "frame 0 is None"),
    ],
)
def test_what_is_no_mask_is_refused_at_the_call(lively_network, images, mask, text):
    with pytest.raises(MaskError, match=text):
        cyclevos.segment(lively_network, images, {0: mask})


@pytest.mark.parametrize("index", [-1, "00000", 1.5, None])
def test_what_is_no_frame_index_is_refused_at_the_call(lively_network, images, square, index):
    with pytest.raises(MaskError, match=f"{index!r} is not a frame index"):
        cyclevos.segment(lively_network, images, {index: square})


def test_no_mask_at_all_is_refused_at_the_call(lively_network, images):
    with pytest.raises(MaskError, match="No mask"):
        cyclevos.segment(lively_network, images, {})


def test_masks_are_copied_so_that_the_caller_may_go_on_painting(lively_network, images, square):
    masks = {0: square.copy(), 2: square.copy()}
    generator = cyclevos.segment(lively_network, images[:3], masks, size=None)
    masks[2][:] = 0
    np.testing.assert_array_equal(list(generator)[2].ids, square)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"memory_every": 0}, "memory_every must be at least 1, got 0"),
        ({"max_memory_frames": 1}, "max_memory_frames must be at least 2"),
        ({"direction": "backwards"}, "'backwards' is unknown. Choose one of forward, backward, both"),
        ({"size": "none"}, "size 'none' is unknown"),
        ({"size": 15}, "size 15 is too small"),
        ({"size": 1.5}, "size 1.5 is unknown"),
        ({"size": True}, "size True is unknown"),
        ({"memory_every": 1.5}, "memory_every is 1.5; expected a whole number"),
        ({"max_memory_frames": "8"}, "max_memory_frames is '8'"),
        ({"correction": 3}, "The correction is 3; expected a Correction"),
    ],
)
def test_options_out_of_range_are_refused_at_the_call(lively_network, images, square, options, text):
    with pytest.raises(ConfigError, match=text):
        cyclevos.segment(lively_network, images, square, **options)


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([], "No image was given"),
        (["not an image"], "Frame 0 cannot be decoded: not an image"),
        ([np.full((24, 40, 3), 255, np.float32)], "float32 with values from 255 to 255"),
        ([np.zeros((24, 40, 2), np.uint8)], r"shape \(24, 40, 2\)"),
    ],
)
def test_what_is_no_frame_is_refused(lively_network, square, frames, text):
    with pytest.raises(VideoError, match=text):
        run(lively_network, frames, square)


def test_a_path_that_is_no_video_is_refused_at_the_call(lively_network, square, tmp_path):
    with pytest.raises(VideoError, match="does not exist"):
        cyclevos.segment(lively_network, tmp_path / "nowhere.mp4", square)


def test_a_backward_run_continues_from_a_snapshot_and_a_frame(lively_network, images, square, tmp_path):
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index:05d}.png")
    source, masks = open_source(tmp_path), {1: square, 7: square}
    fresh = Propagator(lively_network, None, MemoryPolicy())
    whole = {p.index: p for _, p in segment_frames(fresh.fresh(), source, masks, "backward")}
    begun, again = fresh.fresh(), fresh.fresh()
    first = segment_frames(begun, source, masks, "backward", last=7)
    seen = [next(first)[1] for _ in range(4)]
    first.close()
    again.restore(begun.snapshot())
    seen += [p for _, p in segment_frames(again, source, masks, "backward", last=3)]
    assert [p.index for p in seen] == [7, 6, 5, 4, 3, 2, 1, 0]
    assert all(torch.equal(p.probabilities, whole[p.index].probabilities) for p in seen)


def test_a_mask_past_a_known_end_is_refused_before_the_first_frame(lively_network, images, square):
    with pytest.raises(MaskError, match=rf"frames \[500\], but the video ends with frame {len(images) - 1}"):
        next(cyclevos.segment(lively_network, images, {0: square, 500: square}, size=None))
    with pytest.raises(MaskError, match=r"frames \[500\]"):  # the length of a generator is known at its end only
        list(cyclevos.segment(lively_network, iter(images), {0: square, 500: square}, size=None))


def test_frames_of_a_wrong_kind_are_named(lively_network, square):
    with pytest.raises(VideoError, match="The frames are int; expected a path or an iterable"):
        next(cyclevos.segment(lively_network, 5, square))
