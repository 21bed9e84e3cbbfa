"""Tiny random networks of the family, and a clip of two moving objects."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sam2_networks import CONFIGS, SIDE, enliven
from torch import Tensor

from cyclevos.masks import ids_to_probabilities, object_ids
from cyclevos.network.sam2.build import build_sam2
from cyclevos.network.sam2.network import Sam2Network


@pytest.fixture(scope="session", params=list(CONFIGS))
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def new_config(variant: str) -> Callable[[int], Any]:
    """Makes the configuration of a network for images of a size."""
    return CONFIGS[variant]


@pytest.fixture(scope="session")
def network(variant: str) -> Sam2Network:
    torch.manual_seed(0)
    return enliven(build_sam2(CONFIGS[variant]()))


class LibrarySession:
    """A video in a session of transformers."""

    def __init__(self, network: Sam2Network) -> None:
        self.model = network.model
        self.dtype = next(network.parameters()).dtype
        name = type(self.model).__name__.removesuffix("Model")
        session = getattr(pytest.importorskip("transformers"), f"{name}InferenceSession")
        self.session = session(video_height=SIDE, video_width=SIDE, dtype=self.dtype)

    def step(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Tensor:
        """Return the logits of the objects' masks (K,S,S)."""
        for i in () if annotation is None else object_ids(annotation):
            mask = torch.from_numpy(annotation == i).to(self.dtype)
            self.session.add_mask_inputs(self.session.obj_id_to_idx(i), index, mask[None, None])
            self.session.obj_with_new_inputs.append(i)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        frame = (torch.from_numpy(image).permute(2, 0, 1) / 255).to(self.dtype)
        answer = self.model(self.session, frame_idx=index, frame=((frame - mean) / std)[None])
        masks = torch.nn.functional.interpolate(answer.pred_masks.to(self.dtype), (SIDE, SIDE), mode="bilinear")
        return masks[:, 0].clone()

    def given(self, i: int, index: int) -> dict[str, Tensor]:
        """Return the memory of an object in a frame that was annotated."""
        return dict(self.session.output_dict_per_obj[self.session.obj_id_to_idx(i)]["cond_frame_outputs"][index])


class Clip(NamedTuple):
    """Ten frames (H,W,3) of two rectangles that move over noise, and their ids (H,W)."""

    images: list[NDArray[np.uint8]]
    ids: list[NDArray[np.uint8]]


@pytest.fixture(scope="session")
def clip() -> Clip:
    random = np.random.default_rng(1)
    background = random.integers(0, 100, (SIDE, SIDE, 3), dtype=np.uint8)
    images, ids = [], []
    for t in range(10):
        shown = np.zeros((SIDE, SIDE), np.uint8)
        shown[70:106, 108 - 8 * t : 126 - 8 * t] = 2
        shown[20 + 4 * t : 52 + 4 * t, 12:60] = 1
        image = background.copy()
        image[shown == 1], image[shown == 2] = (230, 50, 20), (20, 200, 230)
        images.append(image)
        ids.append(shown)
    return Clip(images, ids)


@pytest.fixture(scope="session")
def exact_network(network: Sam2Network) -> Sam2Network:
    """The network in float64: random weights amplify rounding errors from frame to frame."""
    return copy.deepcopy(network).double()


@pytest.fixture(scope="session")
def new_session() -> type[LibrarySession]:
    return LibrarySession


@pytest.fixture(scope="session")
def frames(clip: Clip) -> Tensor:
    """The clip's frames as a network takes them, (10,3,S,S)."""
    return torch.stack([torch.from_numpy(image).permute(2, 0, 1) / 255 for image in clip.images])


@pytest.fixture(scope="session")
def masks(clip: Clip) -> Tensor:
    """Soft masks of the first frame (1,3,S,S), which rise over a few pixels."""
    hard = ids_to_probabilities(clip.ids[0], (1, 2))[None]
    blurred = torch.nn.functional.avg_pool2d(hard, 9, stride=1, padding=4, count_include_pad=False)
    return blurred / blurred.sum(dim=1, keepdim=True)
