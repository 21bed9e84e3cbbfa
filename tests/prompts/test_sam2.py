"""SAM 2 and EdgeTAM as prompters, tiny and with random weights, against the pipeline of transformers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sam2_networks import CONFIGS, SIDE, enliven
from torch.testing import assert_close

from cyclevos.errors import MaskError, PromptError
from cyclevos.network.sam2.build import build_sam2, load_image_model, save_sam2
from cyclevos.prompts.loading import load_prompter
from cyclevos.prompts.sam2 import MOST_READ, Sam2Prompter, load_sam2_prompter

transformers = pytest.importorskip("transformers", reason="the extra sam2 is not installed")

CLASSES = {"sam2": "Sam2Model", "edgetam": "EdgeTamModel"}
ON_THE_CAR = (430, 250)
BOX = (250.5, 120, 620, 380)


@pytest.fixture(scope="module", params=list(CONFIGS))
def variant(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(variant, tmp_path_factory) -> Path:
    """A folder of the model for videos, as it is published."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = enliven(build_sam2(CONFIGS[variant]()))
        # Prompts have to count beside the picture, whose features random weights make much larger.
        network.model.prompt_encoder.mask_embed.conv3.weight.mul_(3)
    path = tmp_path_factory.mktemp(variant) / "net"
    save_sam2(network, path)
    return path


@pytest.fixture(scope="module")
def model(folder):
    return load_image_model(folder)


@pytest.fixture
def prompter(model) -> Sam2Prompter:
    """One that has not seen any image."""
    return Sam2Prompter(model, "net")


@pytest.fixture(scope="module")
def pipeline(variant, folder):
    """What a user of transformers writes: logits (M,H,W) and expected IoUs (M,) of one image and its prompts."""
    model = getattr(transformers, CLASSES[variant]).from_pretrained(folder, local_files_only=True).eval()
    processor = transformers.Sam2Processor(transformers.Sam2ImageProcessor(size={"height": SIDE, "width": SIDE}))

    def run(picture, several, masks=None, **prompts):
        inputs = processor(images=picture, return_tensors="pt", **prompts)
        with torch.no_grad():
            said = model(**inputs, input_masks=masks, multimask_output=several)
        (logits,) = processor.post_process_masks(said.pred_masks, inputs["original_sizes"], binarize=False)
        return logits[0], said.iou_scores[0, 0]

    return run


def test_a_click_gives_the_masks_of_the_library_best_first(prompter, car_frame, pipeline):
    found = prompter.candidates(car_frame, [ON_THE_CAR])
    logits, scores = pipeline(car_frame, True, input_points=[[[list(ON_THE_CAR)]]], input_labels=[[[1]]])
    order = scores.argsort(descending=True)
    assert len(found) == 3
    for ours, theirs in zip(found, logits[order].sigmoid(), strict=True):
        column, row = ON_THE_CAR
        theirs[row, column] = theirs[row, column].clamp(min=0.6) if theirs[row, column] <= 0.5 else theirs[row, column]
        assert_close(torch.from_numpy(ours), theirs, atol=1e-5, rtol=0)
        assert ours.dtype == np.float32
        assert ours.shape == car_frame.shape[:2]
    assert scores[order[0]] > scores[order[1]] > scores[order[2]]
    assert np.abs(found[0] - found[1]).max() > 0.1, "the candidates are alike"
    assert np.array_equal(prompter(car_frame, [ON_THE_CAR]), found[0])


@pytest.mark.parametrize(
    ("points", "labels", "box"),
    [
        ([ON_THE_CAR, (40, 60)], [1, 0], None),
        ([], None, BOX),
        ([(500.25, 260), (40, 60), ON_THE_CAR], [1, 0, 1], BOX),
    ],
    ids=["two clicks", "a box", "both"],
)
def test_what_means_one_thing_gives_the_mask_of_the_library(prompter, car_frame, pipeline, points, labels, box):
    (found,) = prompter.candidates(car_frame, points, labels, box)
    asked = {} if not points else {"input_points": [[[list(p) for p in points]]], "input_labels": [[labels]]}
    asked |= {} if box is None else {"input_boxes": [[list(box)]]}
    expected = pipeline(car_frame, False, **asked)[0][0].sigmoid().numpy()
    untouched = np.ones(found.shape, bool)
    for x, y in points:
        untouched[int(y), int(x)] = False
    assert np.abs(found - expected)[untouched].max() < 1e-5
    assert 0.01 < (found > 0.5).mean() < 0.99, "the mask is empty or full"


def test_a_mask_to_repair_goes_in_as_the_library_takes_it(prompter, car_frame, pipeline):
    mask = np.zeros(car_frame.shape[:2], bool)
    mask[100:300, 200:500] = True
    found = prompter(car_frame, [ON_THE_CAR], mask=mask)
    logits = torch.from_numpy(mask).float()[None, None] * 20 - 10
    asked = {"input_points": [[[list(ON_THE_CAR)]]], "input_labels": [[[1]]]}
    expected = pipeline(car_frame, False, logits, **asked)[0][0].sigmoid().numpy()
    assert np.quantile(np.abs(found - expected), 0.9999) < 1e-5
    assert np.abs(found - prompter(car_frame, [ON_THE_CAR, (431, 250)])).max() > 0.01, "the mask does not matter"
    assert np.array_equal(prompter(car_frame, [ON_THE_CAR], mask=mask.astype(np.float32)), found)
    softer = np.where(mask, 0.7, 0.2)
    assert np.abs(prompter(car_frame, [ON_THE_CAR], mask=softer) - found).max() > 1e-3, "probabilities are not kept"


def test_an_empty_mask_is_none(prompter, car_frame):
    nothing = np.zeros(car_frame.shape[:2], bool)
    with_it, without = (prompter.candidates(car_frame, [ON_THE_CAR], mask=mask) for mask in (nothing, None))
    assert len(with_it) == 3
    assert np.array_equal(with_it, without)


def test_clicks_and_boxes_matter(prompter, car_frame):
    masks = [prompter(car_frame, [place, (700, 400)], [1, 0]) for place in (ON_THE_CAR, (100, 100))]
    masks += [prompter(car_frame, [ON_THE_CAR, (700, 400)], [1, 1]), prompter(car_frame, box=BOX)]
    masks += [prompter(car_frame, box=(0, 0, 80, 60))]
    different = [np.abs(a - b).max() > 1e-3 for i, a in enumerate(masks) for b in masks[:i]]
    assert all(different)


def test_clicks_are_always_obeyed(prompter, car_frame):
    random = np.random.default_rng(0)
    points = random.uniform((0, 0), (854, 480), (40, 2))
    labels = random.integers(0, 2, 40)
    for count in (1, 2, 40):
        for mask in prompter.candidates(car_frame, points[:count], labels[:count]):
            at = [bool(mask[int(y), int(x)] > 0.5) for x, y in points[:count]]
            assert at == [bool(label) for label in labels[:count]]


@pytest.fixture
def encoded(model) -> Iterator[list[int]]:
    """A list that grows by one whenever an image is encoded."""
    calls: list[int] = []
    hook = model.vision_encoder.register_forward_hook(lambda *_: calls.append(1))
    yield calls
    hook.remove()


def test_an_image_is_encoded_once_for_all_its_clicks(prompter, encoded, car_frame):
    first = prompter(car_frame, [ON_THE_CAR])
    prompter(car_frame.copy(), [ON_THE_CAR, (60, 60)], [1, 0])
    prompter(car_frame, box=BOX)
    assert np.array_equal(prompter(car_frame, [ON_THE_CAR]), first)
    assert len(encoded) == 1


def test_another_image_and_one_that_was_drawn_on_are_encoded_anew(prompter, encoded, car_frame):
    drawn = car_frame.copy()
    before = prompter(drawn, [ON_THE_CAR])
    drawn[100:400, 100:700] = (255, 0, 0)
    after = prompter(drawn, [ON_THE_CAR])
    assert len(encoded) == 2
    assert np.abs(before - after).max() > 1e-3
    prompter(drawn[:240], [(430, 20)])
    assert len(encoded) == 3
    assert np.array_equal(prompter(car_frame, [ON_THE_CAR]), before)


def test_of_a_long_stroke_the_model_reads_some_clicks_and_all_are_obeyed(prompter, car_frame):
    read = []
    hook = prompter.model.prompt_encoder.register_forward_hook(
        lambda module, args, kwargs, out: read.append(kwargs["input_labels"][0, 0].tolist()), with_kwargs=True
    )
    stroke = [(100 + 0.2 * i, 200 + 30 * np.sin(i / 200)) for i in range(3000)]
    beside = [(50.0, 40.0 + i) for i in range(5)]
    mask = prompter(car_frame, stroke + beside, [1] * 3000 + [0] * 5)
    hook.remove()
    assert all(mask[int(y), int(x)] > 0.5 for x, y in stroke)
    assert all(mask[int(y), int(x)] < 0.5 for x, y in beside)
    (labels,) = read
    assert MOST_READ / 2 < labels.count(1) <= MOST_READ
    assert labels.count(0) == 5


@pytest.mark.parametrize("shape", [(8, 8, 3), (3, 40, 3), (1, 1), (2160, 3840, 3), (60, 80)])
def test_pictures_of_any_size(prompter, shape):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    height, width = size = shape[:2]
    for mask in prompter.candidates(image, [(width - 0.5, height - 0.5)]):
        assert mask.shape == size
        assert mask[-1, -1] > 0.5
    assert prompter(image, box=(-5, -5, 10_000, 10_000)).shape == size


def test_a_flat_picture_is_read_row_by_row(prompter, pipeline):
    """A picture of three rows may not be taken for one with the channels first."""
    image = np.random.default_rng(0).integers(0, 255, (3, 40, 3), dtype=np.uint8)
    expected = pipeline(Image.fromarray(image), False, input_boxes=[[[5, 0, 20, 3]]])[0][0].sigmoid().numpy()
    assert np.abs(prompter(image, box=(5, 0, 20, 3)) - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("prompts", "error", "problem"),
    [
        ({}, PromptError, "neither a point nor a box"),
        ({"points": [(854, 10)]}, PromptError, "lies outside the picture of 854x480"),
        ({"box": (900, 0, 950, 20)}, PromptError, "lies outside"),
        ({"points": [ON_THE_CAR], "mask": np.zeros((4, 4), bool)}, MaskError, "The mask is 4x4"),
        ({"points": [ON_THE_CAR], "mask": np.full((480, 854), 7)}, MaskError, "outside of 0 to 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(prompter, encoded, car_frame, prompts, error, problem):
    with pytest.raises(error, match=problem):
        prompter(car_frame, **prompts)
    assert encoded == []


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_dtypes_agree(folder, car_frame, prompter, dtype):
    other = load_sam2_prompter(folder, "net", torch.device("cpu"), dtype)
    seen = []
    other.model.vision_encoder.register_forward_hook(lambda module, args, out: seen.append(out.fpn_hidden_states[0]))
    asked = {"points": [ON_THE_CAR, (60, 60)], "labels": [1, 0]}
    ours, exact = other(car_frame, **asked), prompter(car_frame, **asked)
    assert seen[0].dtype == dtype
    assert ours.dtype == np.float32
    assert np.abs(ours - exact).mean() < (0.05 if dtype == torch.bfloat16 else 1e-4)
    assert {parameter.dtype for parameter in other.model.parameters()} == {torch.promote_types(dtype, torch.float32)}


def test_the_same_prompts_give_the_same_mask(model, folder, car_frame, prompter):
    expected = prompter(car_frame, [ON_THE_CAR])
    for again in (Sam2Prompter(model, "net"), load_prompter(folder, device="cpu", dtype="float32")):
        assert np.array_equal(again(car_frame, [ON_THE_CAR]), expected)
