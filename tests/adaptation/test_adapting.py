"""A network adapts to a video: what changes, what stays, and what comes of videos that give it nothing to do."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace
from itertools import islice
from pathlib import Path

import families
import numpy as np
import pytest
import torch
from PIL import Image

import cyclevos
from cyclevos import ConfigError, MaskError, VideoError
from cyclevos.adaptation import adapting
from cyclevos.adaptation.adapting import Adapter, adapt, adapt_to_clips
from cyclevos.adaptation.drawn_frames import images_at, reachable_frames
from cyclevos.adaptation.draws import Draw, Reach, draw_frames
from cyclevos.adaptation.given_clips import GivenClip
from cyclevos.adaptation.settings import Adaptation
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.open_source import open_source

FEW = Adaptation(
    steps=3, rate=1e-3, size=None, gap=4, least_area=1e-6, guard=False
)  # masks of random weights are small
DEMO = Path(cyclevos.__file__).parent / "demo"


@pytest.fixture
def network():
    return families.build("stm-shared")


def weights(network) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def differ(first, second) -> bool:
    return any(not torch.equal(first[name], second[name]) for name in first)


def test_the_given_network_stays_and_the_adapted_one_is_like_it_but_for_its_weights(network, images, square):
    before = weights(network)
    adapted = adapt(network, images, {0: square}, FEW)
    assert not differ(weights(network), before)
    assert differ(weights(adapted), before)
    assert not any(parameter.requires_grad for parameter in adapted.parameters())
    assert adapted.traits == network.traits
    masks = [p.ids for p in cyclevos.segment(adapted, images, {0: square}, size=None)]
    assert len(masks) == len(images)


@pytest.mark.parametrize("name", ["cutie", "sam2.1", "toy"])
def test_networks_of_every_family_are_adapted(name, images, square):
    network = families.build(name)
    before = weights(network)
    adapted = adapt(network, images[:3], {0: square}, replace(FEW, steps=1, size=64))
    assert not differ(weights(network), before)
    assert differ(weights(adapted), before)


def test_a_size_that_the_network_cannot_take_is_named_as_the_adaptations(images, square):
    with pytest.raises(ConfigError, match=r"The adaptation's size does not suit .* multiples of 32 pixels, got 240"):
        adapt(families.build("sam2.1"), images, {0: square}, replace(FEW, size=240))


def test_no_step_leaves_every_weight_as_it_is(network, images, square):
    for given in (network, copy.deepcopy(network).bfloat16()):
        adapted = adapt(given, images, {0: square}, replace(FEW, steps=0))
        assert not differ(weights(adapted), weights(given))


def test_the_same_seed_gives_the_same_weights_and_another_one_others(network, images, square):
    first, again, other = (weights(adapt(network, images, {0: square}, replace(FEW, seed=seed))) for seed in (1, 1, 2))
    assert not differ(first, again)
    assert differ(first, other)


def test_what_objects_are_called_and_their_order_change_nothing(network, images, square, strip):
    ids = np.where(square == 1, 1, strip).astype(np.uint8)
    swapped = np.select([ids == 1, ids == 5], [9, 2]).astype(np.uint8)
    first, second = (adapt(network, images, {0: mask}, replace(FEW, rate=1e-5)) for mask in (ids, swapped))
    one, two = (
        list(cyclevos.segment(adapted, images, {0: mask}, size=None))
        for adapted, mask in ((first, ids), (second, swapped))
    )
    for p, q in zip(one, two, strict=True):
        assert torch.allclose(p.probabilities, q.probabilities[[0, 2, 1]], atol=1e-3)


def test_the_loss_falls_on_a_real_clip():
    network = cyclevos.load_network("default", dtype="float32")
    frames = cyclevos.media.open_source.open_source(DEMO / "car-shadow.mp4")
    mask = cyclevos.pictures.mask_files.read_mask(DEMO / "car-shadow.png").ids
    adapter = Adapter(network, Adaptation(size=96, rate=1e-4))
    draw = Draw(0, (10, 20))
    adapter.see([GivenClip("", frames, {0: mask})], [draw])
    losses = [adapter.step(draw) for _ in range(4)]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(("count", "index", "direction"), [(1, 0, "forward"), (10, 9, "forward"), (10, 0, "backward")])
def test_a_video_without_a_frame_to_go_to_leaves_the_network_as_it_is(
    network, images, square, count, index, direction, caplog
):
    adapted = adapt(network, images[:count], {index: square}, FEW, direction=direction)
    assert not differ(weights(adapted), weights(network))
    assert "the network stays as it was: there is nothing to adapt on" in caplog.text


def test_a_frame_without_an_object_is_nothing_to_come_back_to(network, images, square, caplog):
    adapted = adapt(network, images, {0: np.zeros_like(square), 9: square}, FEW)
    assert not differ(weights(adapted), weights(network))
    assert "no other frame comes after an annotated one" in caplog.text


def test_masks_that_nothing_can_be_reconstructed_from_leave_the_network_as_it_is(
    network, images, square, monkeypatch, caplog
):
    monkeypatch.setattr(adapting, "cyclic_loss", lambda *arguments: None)
    adapted = adapt(network, images, {0: square}, FEW)
    assert not differ(weights(adapted), weights(network))
    assert "no mask could be carried to another frame and back" in caplog.text


def test_two_frames_are_enough(network, images, square):
    told = []
    adapt(network, images[:2], {0: square}, FEW, progress=lambda done, loss: told.append((done, loss)))
    assert [done for done, _ in told] == [1, 2, 3]
    assert all(loss > 0 for _, loss in told)


def test_a_loss_that_is_no_number_takes_everything_back_by_name(network, images, square, monkeypatch, caplog):
    losses = iter([0, 0, float("nan")])
    real = adapting.cyclic_loss
    monkeypatch.setattr(adapting, "cyclic_loss", lambda *arguments: real(*arguments) + next(losses))
    adapted = adapt(network, images, {0: square}, FEW)
    assert not differ(weights(adapted), weights(network))
    assert "the loss of step 3 is not a finite number" in caplog.text


def test_frames_are_in_memory_for_a_few_steps_and_the_weights_are_the_same(network, images, square, monkeypatch):
    settings = replace(FEW, steps=2)
    at_once = weights(adapt(network, images, {0: square}, settings))
    held = []
    see = Adapter.see
    monkeypatch.setattr(Adapter, "see", lambda self, *given: (see(self, *given), held.append(len(self._frames))))
    monkeypatch.setattr(adapting, "_IN_MEMORY", 1)
    assert not differ(weights(adapt(network, images, {0: square}, settings)), at_once)
    assert len(held) == 2
    assert max(held) <= 3


class Frames(ImageFiles):
    """Files whose number is not known before they are read, and of which one cannot be read."""

    len_hint = None
    broken: int | None = None

    def iterate(self, *, reverse=False, start=None):
        self.read = []
        for frame in super().iterate(reverse=reverse, start=start):
            if frame.index == self.broken:
                raise VideoError("Frame 6 is torn.", "Mend it.")
            self.read.append(frame.index)
            yield frame


@pytest.fixture
def files(images, tmp_path) -> list[Path]:
    paths = [tmp_path / f"{index:05d}.png" for index in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_a_long_video_is_not_read_to_its_end_to_count_its_frames(files):
    source = Frames(files)
    assert reachable_frames(source, [1, 3], gap=2) == 8
    assert source.read[0] == 3, "frames before the last annotated one need no counting"
    assert reachable_frames(source, [1, 3], gap=20) == 10
    known = draw_frames([Reach([3], 10)], "forward", replace(FEW, gap=2))
    assert draw_frames([Reach([3], 8)], "forward", replace(FEW, gap=2)) == known


def test_a_frame_that_cannot_be_read_is_left_out_with_a_warning(files, images, caplog):
    source = Frames(files)
    source.broken = 6
    found = dict(images_at(source, [2, 5, 6, 8]))
    assert list(found) == [2, 5, 8]
    np.testing.assert_array_equal(found[8], images[8])
    assert "leaves out 1 frame, which cannot be read: Frame 6 is torn." in caplog.text


def test_frames_that_come_only_once_are_refused(network, images, square):
    with pytest.raises(VideoError, match="got a list_iterator, which is read once"):
        adapt(network, iter(images), {0: square}, FEW)


def test_draws_lie_in_the_video_and_go_the_ways_that_masks_will_be_carried():
    settings = Adaptation(steps=200, gap=7)
    forward = draw_frames([Reach([2, 8], 20)], "forward", settings)
    assert len(forward) == 200
    assert {draw.reference for draw in forward} == {2, 8}
    for draw in forward:
        path = [draw.reference, *draw.later]
        assert all(1 <= b - a <= 7 for a, b in itertools.pairwise(path))
        assert path[-1] < 20
    both = draw_frames([Reach([8], 20)], "both", settings)
    assert {np.sign(draw.later[0] - 8) for draw in both} == {-1, 1}


def test_clips_take_turns_and_those_with_nowhere_to_go_have_none():
    reach = [Reach([0], 5), Reach([3], 4), Reach([0, 9], 30)]
    draws = draw_frames(reach, "forward", Adaptation(steps=20, gap=7))
    assert [draw.clip for draw in draws] == [0, 2] * 10
    assert max(draws[0::2], key=lambda draw: draw.later[-1]).later[-1] < 5
    assert {draw.reference for draw in draws[1::2]} == {0, 9}


def test_one_clip_draws_what_it_drew_before_there_were_several():
    draws = draw_frames([Reach([0, 7], 40)], "both", Adaptation(steps=3))
    assert draws == [Draw(7, (23, 36)), Draw(7, (6, 5)), Draw(7, (0,))]


def test_segmenting_with_an_adaptation_is_adapting_then_segmenting(network, images, square):
    before = weights(network)
    how = {"size": None, "direction": "both", "correction": None}
    told = cyclevos.segment(network, images, square, **how, adaptation=FEW)
    adapted = adapt(network, images, square, FEW, direction="both")
    expected = cyclevos.segment(adapted, images, square, **how)
    for p, q in zip(told, expected, strict=True):
        assert torch.equal(p.probabilities, q.probabilities)
    plain = cyclevos.segment(network, images, square, **how)
    assert not torch.equal(list(plain)[-1].probabilities, p.probabilities)
    assert not differ(weights(network), before)
    with pytest.raises(ConfigError, match="preset 'best' is unknown"):
        cyclevos.segment(None, images, square, adaptation="best")
    with pytest.raises(VideoError, match="which is read once"):
        cyclevos.segment(network, iter(images), square, adaptation=FEW)


def test_one_clip_alone_gives_the_weights_of_adapting_to_it():
    clip, settings = (DEMO / "car-shadow.mp4", DEMO / "car-shadow.png"), Adaptation(steps=2, size=64, guard=False)
    network = cyclevos.load_network("default", dtype="float32")
    one, alone = weights(adapt_to_clips(network, [clip], settings)), weights(adapt(network, *clip, settings))
    assert not differ(one, alone)
    assert differ(one, weights(network))


def test_clips_keep_their_own_sizes_and_objects_and_all_of_them_count(network, images, square, monkeypatch):
    taken = []
    step = Adapter.step

    def noted(self, draw):
        taken.append((draw.clip, step(self, draw)))
        return taken[-1][1]

    monkeypatch.setattr(Adapter, "step", noted)
    small = [image[:16, :32] for image in images]
    two = np.where(square[:16, :32] == 1, 7, 0).astype(np.uint8)
    two[:3, 20:30] = 9
    adapt_to_clips(network, [(images, {0: square}), (small, {0: two})], replace(FEW, steps=4))
    assert [clip for clip, _ in taken] == [0, 1, 0, 1]
    assert all(loss > 0 for _, loss in taken)


def test_clips_with_nothing_to_adapt_on_are_left_out_by_name(network, images, square, caplog):
    clips = [(images, {0: square}), (images, {0: np.zeros_like(square)}), (images, {9: square})]
    one = weights(adapt_to_clips(network, clips, FEW))
    assert not differ(one, weights(adapt(network, images, {0: square}, FEW)))
    assert "clip 2 is left out of the adaptation. No mask shows an object" in caplog.text
    assert "clip 3 is left out of the adaptation: there is nothing to adapt on" in caplog.text
    with pytest.raises(MaskError, match="No mask shows an object"):
        adapt_to_clips(network, clips[1:2], FEW)
    with pytest.raises(MaskError, match="There is no clip to adapt to"):
        adapt_to_clips(network, [], FEW)


def test_clips_that_no_step_is_left_for_are_named(network, images, square, caplog):
    adapt_to_clips(network, [(images, {0: square})] * 2, replace(FEW, steps=1))
    assert "clip 2 is left out of the adaptation: 1 step for 2 clips leave none for this one." in caplog.text


@pytest.mark.parametrize(("name", "value"), [("steps", -1), ("rate", 0), ("size", 16), ("gap", 0), ("seed", "x")])
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"The adaptation's {name} is {value!r}"):
        Adaptation(**{name: value})


def test_unknown_presets_and_settings_are_named():
    with pytest.raises(ConfigError, match="preset 'best' is unknown"):
        Adaptation.preset("best")
    with pytest.raises(ConfigError, match="no setting 'speed'"):
        Adaptation.preset("default", speed=2)


@pytest.fixture(scope="module")
def demo_clip():
    """Four frames of a bundled clip, half as large, and the first mask."""
    source = islice(open_source(DEMO / "car-shadow.mp4"), 4)
    frames = [np.asarray(Image.fromarray(frame.image).reduce(2)) for frame in source]
    mask = Image.open(DEMO / "car-shadow.png").resize(frames[0].shape[1::-1], Image.Resampling.NEAREST)
    return frames, np.array(mask)


def test_an_adaptation_that_unlearns_the_annotated_frame_is_taken_back(demo_clip, caplog):
    network, (frames, mask) = cyclevos.load_network("default"), demo_clip
    how = Adaptation(steps=2, rate=3e-3, size=96, gap=2, decoder=True)
    clips = [GivenClip("", frames, {0: mask})]
    adapted, outcome = adapting.adapt_to(network, clips, how)
    assert not outcome.kept
    assert outcome.known_before > 0.9
    assert outcome.known_after < outcome.known_before - 0.01
    assert not differ(weights(adapted), weights(network))
    assert "segmented the annotated frames worse afterwards" in caplog.text
    adapted, outcome = adapting.adapt_to(network, clips, replace(how, guard=False))
    assert (outcome.kept, outcome.known_before) == (True, None)
    assert differ(weights(adapted), weights(network))


def test_the_decoder_learns_only_where_it_is_asked_to(demo_clip):
    network, (frames, mask) = cyclevos.load_network("default"), demo_clip
    changed = {}
    for decoder in (False, True):
        how = Adaptation(steps=1, rate=1e-3, size=96, gap=2, decoder=decoder, guard=False)
        adapted = weights(adapt(network, frames, {0: mask}, how))
        before = weights(network)
        changed[decoder] = {name for name in before if not torch.equal(before[name], adapted[name])}
    assert changed[False] == {name for name in changed[True] if "decoder" not in name}
    assert changed[False] < changed[True]


def test_a_network_that_is_a_decoder_alone_says_how_it_can_learn():
    alone = torch.nn.ModuleDict({"decoder": torch.nn.Linear(2, 2)})
    with pytest.raises(ConfigError, match=r"left to learn.*--adapt-set decoder=true"):
        Adapter(alone, Adaptation())
    Adapter(alone, Adaptation(decoder=True))
