"""Clip sampling: what makes sample number n, and what is refused."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader

from cyclevos.datasets.augmentation import Augmentation, Motion
from cyclevos.datasets.clips import ClipDataset, GapCurriculum, collate
from cyclevos.datasets.layouts import Sequence, open_dataset
from cyclevos.datasets.sources import PseudoClipSource, StillSource, VideoSource, read_ids, read_image
from cyclevos.errors import DatasetError

H, W, FRAMES = 40, 56, 12
SMALL = Augmentation(size=(32, 32))
EXACT = Augmentation(
    size=(H, W),
    crop=(1, 1),
    rotate=0,
    shear=0,
    scale=(1, 1),
    contrast=(1, 1),
    brightness=0,
    mirror=0,
)
GAPS = GapCurriculum(start=2, step=2, every=10, maximum=5)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def scene(index: int) -> np.ndarray:
    """Objects 3 and 7 everywhere, object 9 from frame 1 on, a void band."""
    ids = np.zeros((H, W), np.uint8)
    ids[5:20, 5 + index : 20 + index] = 3
    ids[22:36, 8:24] = 7
    if index:
        ids[22:36, 30:44] = 9
    ids[:2] = 255
    return ids


def write_sequence(folder: Path, name: str, masks=scene, annotated=range(FRAMES)) -> Sequence:
    """Frame i is the grey level 20 i, so a clip shows which frames it is made of."""
    frames = [save(folder / name / f"{i:05d}.png", np.full((H, W, 3), 20 * i, np.uint8)) for i in range(FRAMES)]
    files = {f"{i:05d}": save(folder / f"{name}-masks" / f"{i:05d}.png", masks(i)) for i in annotated}
    return Sequence(name, frames, files)


def numbers(frames: torch.Tensor) -> list[int]:
    return [int(frame[0, 0, 0]) // 20 for frame in frames]


@pytest.fixture(scope="module")
def dense(tmp_path_factory) -> VideoSource:
    return VideoSource([write_sequence(tmp_path_factory.mktemp("dense"), name) for name in ("a", "b")])


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> StillSource:
    folder = tmp_path_factory.mktemp("still")
    picture = np.random.default_rng(0).integers(0, 255, (H, W, 3), dtype=np.uint8)
    return StillSource([(save(folder / "a.png", picture), save(folder / "m.png", scene(0)))], Motion())


def dataset(*sources, augmentation=SMALL, **options) -> ClipDataset:
    weighted = [(source, 1.0) for source in sources]
    return ClipDataset(weighted, augmentation, **{"samples": 40, "gaps": GAPS, "min_pixels": 8, **options})


def assert_same(one, other) -> None:
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_sample_depends_on_seed_and_number_alone(dense, still):
    forward, backward = dataset(dense, still), dataset(dense, still, samples=9)
    seen = {n: forward[n] for n in range(5)}
    for n in reversed(range(5)):
        assert_same(seen[n], backward[n])
    assert not torch.equal(seen[0][0], seen[1][0])
    assert not torch.equal(seen[0][0], dataset(dense, still, seed=1)[0][0])


def test_samples_end(dense):
    with pytest.raises(IndexError, match="40"):
        dataset(dense)[40]


@pytest.mark.parametrize(("sample", "gap"), [(0, 2), (9, 2), (10, 4), (20, 5), (10**6, 5)])
def test_the_largest_gap_grows_by_stages(sample, gap):
    assert GAPS.at(sample) == gap


def test_gaps_follow_the_curriculum(dense):
    clips = dataset(dense, augmentation=EXACT)
    for stage, largest in ((0, 2), (10, 4), (20, 5)):
        gaps = np.concatenate([np.diff(numbers(clips[n][0])) for n in range(stage, stage + 10)])
        assert gaps.min() >= 0
        assert gaps.max() <= largest


@given(
    annotated=st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True).map(sorted),
    max_gap=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_frames_come_in_time_order_and_near_where_possible(annotated, max_gap, seed):
    from cyclevos.datasets.sources import _choose_frames

    chosen = _choose_frames(annotated, 3, max_gap, np.random.default_rng(seed))
    assert len(chosen) == 3
    assert set(chosen) <= set(annotated)
    for before, after in itertools.pairwise(chosen):
        later = [i for i in annotated if i > before]
        if later:
            assert before < after <= max(later[0], before + max_gap)
        else:
            assert after == before


def test_sparse_annotations_use_annotated_frames_alone(tmp_path):
    source = VideoSource([write_sequence(tmp_path, "sparse", annotated=(0, 5, 11))])
    frames, labels = dataset(source, augmentation=EXACT, min_pixels=1)[0]
    assert numbers(frames) == [0, 5, 11]
    assert labels.shape == (3, H, W)


@pytest.fixture(scope="module")
def first_alone(tmp_path_factory) -> Sequence:
    """A sequence whose later masks are no masks."""
    sequence = write_sequence(tmp_path_factory.mktemp("first"), "few", annotated=(3, 5, 11))
    for name in ("00005", "00011"):
        sequence.annotations[name].write_bytes(b"no mask")
    return sequence


def test_first_labels_begin_with_the_first_annotated_frame_and_go_on_without(first_alone):
    clips = dataset(VideoSource([first_alone], "first"), augmentation=EXACT, min_pixels=1)
    drawn = [clips[n] for n in range(20)]
    shown = [numbers(frames) for frames, _ in drawn]
    assert {first for first, _, _ in shown} == {3}
    assert all(0 < after - before <= 5 for clip in shown for before, after in itertools.pairwise(clip))
    assert {i for clip in shown for i in clip} >= {4, 5, 6, 7}
    for _, labels in drawn:
        assert set(labels[0].unique().tolist()) == {0, 1, 2, 3, 255}
        assert (labels[1:] == 255).all()


def test_a_clip_at_the_end_of_its_sequence_repeats_what_is_known(first_alone):
    short = Sequence("short", first_alone.frames[:4], {"00003": first_alone.annotations["00003"]})
    clip = VideoSource([short], "first").draw(3, 5, np.random.default_rng(0))
    assert numbers(clip.frames) == [3, 3, 3]
    assert all(torch.equal(clip.ids[0], ids) for ids in clip.ids)


def test_first_frames_can_be_moved_as_stills(first_alone):
    source = PseudoClipSource([first_alone], Motion(), "first")
    frames, labels = dataset(source, augmentation=EXACT)[0]
    assert not torch.equal(labels[0], labels[1])
    assert all(set(each.unique().tolist()) > {0, 1} for each in labels)
    assert all((frame == 60).float().mean() > 0.3 for frame in frames)  # frame 3 alone


def test_all_annotated_frames_can_be_moved_as_stills(tmp_path):
    still = Motion(rotate=0, shear=0, scale=(1, 1), translate=0, perspective=0, elastic=0)
    source = PseudoClipSource([write_sequence(tmp_path, "some", annotated=(3, 5))], still)
    drawn = [source.draw(2, 1, np.random.default_rng(n)) for n in range(12)]
    assert {tuple(numbers(clip.frames)) for clip in drawn} == {(3, 3), (5, 5)}
    for clip in drawn:
        assert (clip.ids.numpy() == scene(numbers(clip.frames)[0])).all()


def test_slots_are_the_same_objects_in_all_frames(dense):
    for n in range(8):
        frames, labels = dataset(dense, augmentation=EXACT, max_objects=5)[n]
        truth = [scene(i) for i in numbers(frames)]
        pairs = {
            (int(i), int(slot))
            for ids, t in zip(truth, labels.numpy(), strict=True)
            for i, slot in zip(ids.flat, t.flat, strict=True)
        }
        slot_of = dict(pairs)
        assert len(pairs) == len(slot_of)  # an id has one slot in the whole clip
        assert slot_of[255] == 255
        assert slot_of[0] == 0
        known = [3, 7] if truth[0].max(initial=0, where=truth[0] < 255) == 7 else [3, 7, 9]
        assert sorted(slot_of[i] for i in known) == list(range(1, len(known) + 1))
        assert slot_of.get(9, 0) == 0 or 9 in known  # came later: background


def test_slots_are_drawn_in_random_order(dense):
    clips = dataset(dense, augmentation=EXACT)
    assert len({int(clips[n][1][0, 30, 10]) for n in range(12)}) > 1


def test_more_objects_than_asked_are_thinned(dense):
    labels = [dataset(dense, augmentation=EXACT, max_objects=1)[n][1] for n in range(12)]
    assert all(set(clip.unique().tolist()) == {0, 1, 255} for clip in labels)
    assert len({bool(clip[0, 30, 10]) for clip in labels}) == 2  # not always the same one


def test_void_is_never_an_object(tmp_path):
    def only_void(index: int) -> np.ndarray:
        return np.full((H, W), 255, np.uint8)

    source = VideoSource([write_sequence(tmp_path, "void", masks=only_void)])
    with pytest.raises(DatasetError, match=r"20 draws.*8 pixels"):
        dataset(source)[0]


def test_an_object_too_small_is_drawn_again_twenty_times_and_then_refused(dense):
    with pytest.raises(DatasetError, match=r"20 draws.*data\.min_pixels"):
        dataset(dense, min_pixels=10_000)[0]


def test_a_still_source_makes_moving_clips(still):
    frames, labels = dataset(still)[0]
    assert not torch.equal(frames[0], frames[1])
    assert not torch.equal(labels[0], labels[1])
    assert labels[0].unique().tolist()[:2] == [0, 1]


def test_sources_are_mixed_by_weight(dense, still):
    clips = ClipDataset([(dense, 1e9), (still, 1e-9)], EXACT, samples=6, gaps=GAPS, min_pixels=8)
    assert all(len(clips[n][0][0].unique()) == 1 for n in range(6))  # flat grey: the video


def test_no_source_is_refused():
    with pytest.raises(DatasetError, match="positive weight"):
        ClipDataset([], SMALL, samples=1, gaps=GAPS)


def test_pasting_adds_objects(dense, still):
    def objects(paste: float) -> float:
        clips = dataset(dense, still, augmentation=EXACT, paste=paste, max_objects=9)
        return float(np.mean([len(clips[n][1][0].unique()) for n in range(20)]))

    assert objects(1.0) > objects(0.0) + 0.3


def test_twins_add_objects_and_objects_left_out_stay_in_sight(dense, still):
    def drawn(**settings: float) -> list[tuple[torch.Tensor, torch.Tensor]]:
        clips = dataset(dense, still, augmentation=EXACT, max_objects=9, **settings)
        return [clips[n] for n in range(20)]

    def objects(samples: list[tuple[torch.Tensor, torch.Tensor]]) -> list[int]:
        return [len({*labels[0].unique().tolist()} - {0, 255}) for _, labels in samples]

    both, one = drawn(twins=1.0), drawn(twins=1.0, leave_out=1.0)
    assert sum(objects(both)) > sum(objects(drawn())) + 5
    assert set(objects(one)) == {1}
    for (frames, _), (same, _) in zip(both, one, strict=True):
        assert torch.equal(frames, same)


def test_objects_are_pasted_from_clips_that_are_labelled_throughout(first_alone, dense):
    few = VideoSource([first_alone], "first")
    clips = ClipDataset([(few, 1e9), (dense, 1e-9)], EXACT, samples=12, gaps=GAPS, max_objects=9, min_pixels=8, paste=1)
    drawn = [clips[n][1] for n in range(12)]
    assert all((labels[1:] == 255).all() for labels in drawn)  # of the first source
    assert max(int(labels[0][labels[0] < 255].max()) for labels in drawn) == 4  # with an object of the second
    with pytest.raises(DatasetError, match=r"data\.paste: no source has labels in all frames"):
        dataset(few, paste=0.5)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_do_not_depend_on_workers(dense, still, workers):
    clips = dataset(dense, still, samples=4)
    loader = DataLoader(clips, batch_size=2, collate_fn=collate, num_workers=workers)
    for i, batch in enumerate(loader):
        expected = collate([clips[2 * i], clips[2 * i + 1]])
        assert_same(batch[:2], expected[:2])
        assert batch.slots == expected.slots


def test_collate_counts_slots_over_the_batch():
    one, three = torch.full((2, 4, 4), 255), torch.zeros(2, 4, 4)
    three[1, 0, 0] = 3
    frames = torch.zeros(2, 3, 4, 4).byte()
    assert collate([(frames, one.byte()), (frames, three.byte())]).slots == 3
    assert collate([(frames, one.byte())]).slots == 1


def test_binary_masks_of_0_and_255_are_one_object(tmp_path):
    binary = np.zeros((4, 4), np.uint8)
    binary[0] = 255
    assert read_ids(save(tmp_path / "b.png", binary)).unique().tolist() == [0, 1]
    assert read_ids(save(tmp_path / "one-bit.png", binary > 0)).unique().tolist() == [0, 1]
    binary[1] = 1
    assert read_ids(save(tmp_path / "v.png", binary)).unique().tolist() == [0, 1, 255]


@pytest.mark.parametrize("pixels", [np.zeros((4, 4, 3), np.uint8), np.full((4, 4), 300, np.uint16)])
def test_masks_other_than_eight_bit_ids_are_refused(tmp_path, pixels):
    with pytest.raises(DatasetError, match=r"m\.png.*indexed or 8-bit grey"):
        read_ids(save(tmp_path / "m.png", pixels))


def test_a_broken_image_is_named(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no")
    with pytest.raises(DatasetError, match=r"broken\.jpg"):
        read_image(tmp_path / "broken.jpg")


def test_a_mask_of_another_size_is_refused(tmp_path):
    source = VideoSource([write_sequence(tmp_path, "odd", masks=lambda i: np.ones((H, W - 2), np.uint8))])
    with pytest.raises(DatasetError, match=r"is 54x40.*56x40"):
        dataset(source)[0]


def test_frames_of_different_sizes_are_refused(tmp_path):
    sequence = write_sequence(tmp_path, "jump")
    for i in range(1, FRAMES):
        save(sequence.frames[i], np.zeros((H, W + 2 * i, 3), np.uint8))
        save(sequence.annotations[f"{i:05d}"], np.ones((H, W + 2 * i), np.uint8))
    with pytest.raises(DatasetError, match="'jump' has frames of different sizes"):
        dataset(VideoSource([sequence]))[0]


def test_real_frames(shared_data):
    found = open_dataset(
        shared_data / "DAVIS-2016",
        "train",
        annotations="Annotations_sparse",
        annotation_root=shared_data / "DAVIS-2017",
        sequences=["bear", "boat"],
    )
    frames, labels = dataset(VideoSource(found.sequences), augmentation=Augmentation(size=(64, 96)))[0]
    assert frames.shape == (3, 3, 64, 96)
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 4, 5, 255}
    assert (labels[0] == 1).any()


def of_ids(*frames: set[int]):
    """Masks with a square for each id."""

    def draw(index: int) -> np.ndarray:
        ids = np.zeros((H, W), np.uint8)
        for place, i in enumerate(sorted(frames[index % len(frames)])):
            ids[5:20, 2 + 18 * place : 16 + 18 * place] = i
        return ids

    return draw


def test_a_training_frame_with_255_alone_gets_no_object_if_the_sequence_has_ids(tmp_path):
    mixed = VideoSource([write_sequence(tmp_path, "mixed", masks=of_ids({3, 255}, {255}))])
    for number in range(10):
        for ids in mixed.draw(3, 2, np.random.default_rng(number)).ids:
            assert set(ids.unique().tolist()) in ({0, 3, 255}, {0, 255})
    binary = VideoSource([write_sequence(tmp_path, "binary", masks=of_ids({255}, set()))])
    seen = [set(ids.unique().tolist()) for n in range(10) for ids in binary.draw(3, 2, np.random.default_rng(n)).ids]
    assert {1} in [ids - {0} for ids in seen]
    assert all(ids <= {0, 1} for ids in seen)


def test_stills_are_decided_once_for_the_source(tmp_path):
    picture = save(tmp_path / "a.png", np.zeros((H, W, 3), np.uint8))
    masks = [save(tmp_path / f"m{k}.png", of_ids(ids)(0)) for k, ids in enumerate(({255}, {4}))]
    for chosen, expected in ((masks, [{0, 255}, {0, 4}]), (masks[:1], [{0, 1}])):
        source = StillSource([(picture, mask) for mask in chosen], Motion())
        source.decide()
        drawn = [set(source.draw(1, 1, np.random.default_rng(n)).ids.unique().tolist()) for n in range(12)]
        assert all(any(ids <= each for each in expected) for ids in drawn)
        assert [each for each in expected if each in drawn] == expected


def test_a_photograph_taken_upright_needs_an_upright_mask(tmp_path):
    frame = Image.fromarray(np.random.default_rng(0).integers(0, 255, (H, W, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees when it is shown
    frame.save(tmp_path / "00000.jpg", exif=exif, quality=100)
    assert read_image(tmp_path / "00000.jpg").shape == (3, W, H)
    for shape, fits in (((W, H), True), ((H, W), False)):
        mask = save(tmp_path / "masks" / "00000.png", np.ones(shape, np.uint8))
        source = VideoSource([Sequence("turned", [tmp_path / "00000.jpg"], {"00000": mask})])
        if fits:
            assert source.draw(1, 1, np.random.default_rng(0)).frames.shape == (1, 3, W, H)
        else:
            with pytest.raises(DatasetError, match=r"56x40, its image .* is 40x56"):
                source.draw(1, 1, np.random.default_rng(0))
