"""`cyclevos.segment` with frames and masks of every kind, names of objects, and detections for supervision."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from families import TinyFamily
from PIL import Image

import cyclevos
from cyclevos.errors import ConfigError, MaskError, MissingExtraError, VideoError
from cyclevos.network import registry
from cyclevos.pictures.palette import DAVIS_PALETTE


def ids_of(network, frames, masks, **options):
    return [p.ids for p in cyclevos.segment(network, frames, masks, size=None, **options)]


@pytest.fixture
def files(images, tmp_path):
    paths = [tmp_path / f"shot_{index}.png" for index in range(4)]
    for image, path in zip(images, paths, strict=False):
        Image.fromarray(image).save(path)
    return paths


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_frames_of_every_kind_give_the_same_masks(lively_network, images, files, square, direction):
    masks = {0: square, 3: square}
    options = {"direction": direction}
    stack = np.stack(images[:4])
    expected = ids_of(lively_network, images[:4], masks, **options)
    for frames in (
        files,
        [*map(str, files)],
        files[0].parent,
        [Image.fromarray(image) for image in stack],
        stack,
        torch.from_numpy(stack),
        torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 255,
        [stack[0], Image.fromarray(stack[1]), files[2], torch.from_numpy(stack[3]).permute(2, 0, 1)],
    ):
        np.testing.assert_array_equal(ids_of(lively_network, frames, masks, **options), expected)


def test_annotated_frames_ahead_are_references_whatever_the_frames_are(lively_network, images, square):
    how = cyclevos.Correction(steps=2, every=1, rate=500.0, apply_to="both", reference="all")
    stack, masks = np.stack(images[:4]), {0: square, 3: np.roll(square, 6, axis=1)}
    expected = ids_of(lively_network, list(stack), masks, correction=how)
    assert not np.array_equal(expected, ids_of(lively_network, iter(stack), masks, correction=how))
    for frames in (torch.from_numpy(stack), [Image.fromarray(image) for image in stack]):
        np.testing.assert_array_equal(ids_of(lively_network, frames, masks, correction=how), expected)


def test_frames_of_a_reader_and_of_a_generator_of_paths(lively_network, images, files, square):
    expected = ids_of(lively_network, images[:4], square)
    np.testing.assert_array_equal(ids_of(lively_network, (path for path in files), square), expected)
    opencv = cyclevos.bgr_frames(image[..., ::-1] for image in images[:4])
    np.testing.assert_array_equal(ids_of(lively_network, opencv, square), expected)


def test_a_failed_read_is_named_when_it_is_reached_and_what_came_before_stays(lively_network, images, square):
    predictions = cyclevos.segment(lively_network, [*images[:2], None], square, size=None)
    assert [next(predictions).index, next(predictions).index] == [0, 1]
    with pytest.raises(VideoError, match="Image 2 is None, so reading frame 2 has failed"):
        next(predictions)


def test_masks_of_files_are_matched_to_the_frames_names(lively_network, files, square, tmp_path):
    folder = tmp_path / "masks"
    folder.mkdir()
    Image.fromarray(square).save(folder / "shot_2.png")
    first, *_, last = cyclevos.segment(lively_network, files, folder, size=None)
    assert not first.ids.any()
    assert last.ids.any()
    assert not next(cyclevos.segment(lively_network, files, {1: folder / "shot_2.png"}, size=None)).ids.any()


def test_a_mask_of_another_size_is_refused(lively_network, files, images, square):
    for frames in (files, images[:4]):
        with pytest.raises(MaskError, match="frame"):
            next(cyclevos.segment(lively_network, frames, square[:20], size=None))


def test_a_prediction_carries_its_frame_and_the_names_and_colours_of_its_objects(lively_network, files, square, strip):
    picture = Image.fromarray(square + strip)
    palette = bytes([0, 0, 0, 9, 8, 7]) + DAVIS_PALETTE[6:]
    picture.putpalette(palette)
    for p in cyclevos.segment(lively_network, files, {0: {"car": square, "box": strip}, 2: picture}, size=None):
        assert p.names == {1: "car", 2: "box"}
        assert p.appearance.palette == palette
        assert (p.frame.name, p.frame.path) == (files[p.index].stem, files[p.index])
    (p,) = cyclevos.segment(lively_network, files[:1], square, size=None)
    assert p.names == {}


def test_a_networks_name_loads_it(images, square, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_installed_families", lambda: (TinyFamily(),))
    weights = tmp_path / "stm.tiny"
    weights.touch()
    (p, *_) = cyclevos.segment(weights, images[:2], square, size=None)
    np.testing.assert_array_equal(p.ids, square)


def test_what_is_no_network_is_refused(images, square):
    with pytest.raises(ConfigError, match="The network is Linear; expected one from"):
        cyclevos.segment(torch.nn.Linear(1, 1), images, square)


def test_the_network_is_loaded_after_frames_and_masks_have_been_checked(images, square):
    with pytest.raises(MaskError):
        cyclevos.segment("no such network", images, {0: None})


# supervision


def test_detections_have_boxes_masks_ids_names_and_reliability(lively_network, images, square, strip):
    supervision = pytest.importorskip("supervision", reason="supervision is not installed")
    first, second = cyclevos.segment(lively_network, images[:2], {0: {"car": square, "box": strip}}, size=None)
    found = first.as_detections()
    assert isinstance(found, supervision.Detections)
    np.testing.assert_array_equal(found.xyxy, supervision.mask_to_xyxy(np.stack([square > 0, strip > 0])))
    np.testing.assert_array_equal(found.mask, np.stack([square > 0, strip > 0]))
    assert found.class_id.tolist() == found.tracker_id.tolist() == [1, 2]
    assert found.data["class_name"].tolist() == ["car", "box"]
    assert found.confidence.tolist() == [1, 1]
    later = second.as_detections()
    assert later.confidence == pytest.approx([second.reliability[i] for i in later.class_id.tolist()])
    assert supervision.MaskAnnotator().annotate(images[0].copy(), found).shape == images[0].shape


def test_objects_without_pixels_are_no_detections(lively_network, images, square):
    pytest.importorskip("supervision", reason="supervision is not installed")
    first, second = cyclevos.segment(lively_network, images[:2], {1: square}, size=None)
    assert len(first.as_detections()) == 0
    assert second.as_detections().data["class_name"].tolist() == ["object 1"]


def test_without_supervision_the_pip_line_is_told(lively_network, images, square, monkeypatch):
    (p,) = cyclevos.segment(lively_network, images[:1], square, size=None)
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(MissingExtraError, match="pip install supervision"):
        p.as_detections()
