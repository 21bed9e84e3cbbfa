"""Loading and saving."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from cyclevos.errors import MissingExtraError, OutputError, WeightsError
from cyclevos.network.sam2.build import build_sam2, load_sam2, save_sam2, traits_of


@pytest.fixture
def folder(network, tmp_path):
    save_sam2(network, tmp_path / "network")
    return tmp_path / "network"


def _rewrite(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _change_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def test_what_was_saved_is_loaded(network, folder, frames, masks):
    loaded = load_sam2(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    present = torch.ones(1, 2, dtype=torch.bool)
    features = [each.encode_query(frames[:1]) for each in (network, loaded)]
    old, new = (each.encode_memory(f, masks, present) for each, f in zip((network, loaded), features, strict=True))
    assert torch.equal(old.tokens, new.tokens)
    answers = [
        each.segment(f, m.alone(), present) for each, f, m in zip((network, loaded), features, (old, new), strict=True)
    ]
    assert torch.equal(answers[0].logits, answers[1].logits)


def test_saving_replaces_a_network(network, folder, new_config):
    other = build_sam2(new_config(128))
    save_sam2(other, folder)
    loaded = load_sam2(folder)
    assert all(torch.equal(t, loaded.state_dict()[name]) for name, t in other.state_dict().items())


def test_half_precision_is_loaded_in_float32(network, folder):
    _rewrite(folder, lambda tensors: tensors.update({name: t.half() for name, t in tensors.items()}))
    assert {parameter.dtype for parameter in load_sam2(folder).parameters()} == {torch.float32}


def test_loading_prints_and_logs_nothing_and_leaves_the_settings(folder, capfd, caplog):
    from transformers.utils import logging as library

    before = library.get_verbosity(), library.is_progress_bar_enabled()
    with caplog.at_level(logging.DEBUG):
        load_sam2(folder)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("transformers")] == []
    assert (library.get_verbosity(), library.is_progress_bar_enabled()) == before


def test_every_missing_tensor_is_named(folder):
    def change(tensors):
        del tensors["no_memory_embedding"], tensors["mask_downsample.bias"]

    _rewrite(folder, change)
    with pytest.raises(WeightsError, match=r"missing: mask_downsample\.bias, no_memory_embedding\."):
        load_sam2(folder)


def test_every_tensor_that_is_left_over_is_named(folder):
    _rewrite(folder, lambda tensors: tensors.update(another=torch.zeros(1), extra=torch.zeros(1)))
    with pytest.raises(WeightsError, match="left over: another, extra"):
        load_sam2(folder)


def test_every_tensor_of_another_shape_is_named(folder):
    _rewrite(folder, lambda tensors: tensors.update({"mask_downsample.weight": torch.zeros(1, 1, 2, 2)}))
    with pytest.raises(
        WeightsError, match=r"of another shape: mask_downsample\.weight \(1, 1, 2, 2\), expected \(1, 1, 4, 4\)"
    ):
        load_sam2(folder)


def test_a_damaged_file_is_refused(folder):
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_sam2(folder)


def test_weights_that_are_missing_are_not_looked_for_elsewhere(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"cannot be loaded.*Expected config\.json and model\.safetensors"):
        load_sam2(folder)


def test_a_pickle_is_not_loaded(network, folder):
    (folder / "model.safetensors").unlink()
    torch.save(network.model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_sam2(folder)


@pytest.mark.parametrize("load", [load_sam2, traits_of])
def test_the_model_for_images_is_refused_with_the_right_one(folder, variant, load):
    _change_config(folder, model_type=variant)
    with pytest.raises(WeightsError, match=rf"type '{variant}'.*the one for videos \({variant}_video\)"):
        load(folder)


@pytest.mark.parametrize("load", [load_sam2, traits_of])
def test_other_models_are_refused(folder, load):
    _change_config(folder, model_type="bert")
    with pytest.raises(WeightsError, match=r"type 'bert'\. Expected 'sam2_video' or 'edgetam_video'"):
        load(folder)


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_folder_without_a_configuration_is_refused(folder, text):
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=r"config\.json"):
        traits_of(folder)


def test_traits_come_from_the_configuration_alone(network, folder):
    (folder / "model.safetensors").unlink()
    assert traits_of(folder) == network.traits
    _change_config(folder, image_size=[512, 512])
    assert traits_of(folder).size == 512


def test_a_folder_that_cannot_be_made_is_an_output_error(network, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_sam2(network, tmp_path / "file")


def test_without_transformers_the_pip_line_is_given(folder, new_config, monkeypatch):
    config = new_config(128)
    monkeypatch.setitem(sys.modules, "transformers", None)
    for attempt in (lambda: load_sam2(folder), lambda: build_sam2(config)):
        with pytest.raises(MissingExtraError, match=r"pip install 'cyclevos\[sam2\]'"):
            attempt()
    assert traits_of(folder).family == "sam2"
