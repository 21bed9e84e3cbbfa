"""Validation: J of propagation against the truth, and the picture of a clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cyclevos.datasets.clips import ClipBatch
from cyclevos.errors import ConfigError
from cyclevos.training import validation
from cyclevos.training.schema import ValidationConfig
from cyclevos.training.validation import sample_picture, validate


class Copier:
    """Stands for the propagator: keeps answering with the first mask."""

    def __init__(self, network, size, policy, correction) -> None:
        assert correction is None
        self.given: list[np.ndarray] = []

    def advance(self, index, image, annotation=None):
        assert image.shape == (4, 6, 3)
        if annotation is not None:
            self.given.append(annotation)
            assert annotation.max() < 255
        return type("Prediction", (), {"ids": self.given[0]})


def write(root, masks) -> None:
    for i, mask in enumerate(masks):
        for folder, pixels in (("JPEGImages", np.zeros((4, 6, 3), np.uint8)), ("Annotations", mask)):
            if pixels is not None:
                path = root / folder / "clip" / f"{i:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)


def test_j_by_hand(tmp_path, monkeypatch, tiny_network):
    first, later = np.zeros((4, 6), np.uint8), np.zeros((4, 6), np.uint8)
    first[0], first[3] = 1, 2
    first[1] = 255
    later[0, :3], later[3] = 1, 2
    later[0, 3] = 255  # nobody knows: neither hit nor miss
    later[2] = 3  # came later, was never given
    write(tmp_path, [first, None, later])
    monkeypatch.setattr(validation, "Propagator", Copier)
    result = validate(tiny_network, ValidationConfig(root=tmp_path, sequences=("clip",)))
    assert result.mean == pytest.approx((3 / 5 + 1) / 2)
    assert result.sequences == {"clip": result.mean}


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_left_in_its_mode(training_data, tiny_network, training):
    tiny_network.train(training)
    config = ValidationConfig(root=training_data, sequences=("held", "one"), size=32, max_frames=3)
    result = validate(tiny_network, config)
    assert list(result.sequences) == ["held", "one"]
    assert 0 <= result.mean <= 1
    assert tiny_network.training is training
    assert not any(p.grad is not None for p in tiny_network.parameters())


def test_validation_without_sequences_is_refused(training_data, tiny_network):
    with pytest.raises(ConfigError, match=r"validation\.sequences"):
        validate(tiny_network, ValidationConfig(root=training_data))


def test_picture_shows_truth_above_prediction():
    frames = torch.full((1, 3, 3, 8, 10), 100, dtype=torch.uint8)
    labels = torch.zeros(1, 3, 8, 10, dtype=torch.uint8)
    labels[0, 1, :4] = 1
    labels[0, 2] = 255
    logits = torch.zeros(1, 2, 2, 8, 10)
    logits[0, :, 0] = 1
    logits[0, 1, 1, 4:] = 5
    picture = sample_picture(ClipBatch(frames, labels, 1), logits)
    assert (picture.shape, picture.dtype) == ((3, 16, 20), torch.uint8)
    coloured = (picture != 100).any(dim=0)
    expected = torch.zeros(16, 20, dtype=torch.bool)
    expected[:4, :10] = True  # truth of frame 2
    expected[12:, 10:] = True  # prediction of frame 3, whose truth is unknown
    assert torch.equal(coloured, expected)
