"""Tiny random networks of the SAM 2 family."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cyclevos.network.sam2.network import Sam2Network

SIDE = 128
CHANNELS = 128  # a pointer is two tokens of the memory's 64 channels, which transformers has fixed


def _common(side: int) -> dict[str, Any]:
    return {
        "image_size": side,
        "prompt_encoder_config": {
            "hidden_size": CHANNELS,
            "image_size": side,
            "patch_size": 16,
            "mask_input_channels": 16,
        },
        "mask_decoder_config": {
            "hidden_size": CHANNELS,
            "mlp_dim": 64,
            "num_attention_heads": 2,
            "iou_head_hidden_dim": 32,
        },
        "memory_attention_hidden_size": CHANNELS,
        "memory_attention_num_layers": 2,
        "memory_attention_rope_feat_sizes": [side // 16, side // 16],
        "memory_encoder_hidden_size": CHANNELS,
        "mask_downsampler_embed_dim": CHANNELS,
        "memory_fuser_embed_dim": CHANNELS,
        "memory_fuser_intermediate_dim": 64,
    }


def _neck(side: int) -> dict[str, Any]:
    return {
        "backbone_channel_list": [32, 24, 16, 8],
        "backbone_feature_sizes": [[side // stride] * 2 for stride in (4, 8, 16)],
        "fpn_hidden_size": CHANNELS,
    }


def sam2_config(side: int = SIDE) -> Any:
    transformers = pytest.importorskip("transformers")
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[side, side],
        embed_dim_per_stage=[8, 16, 24, 32],
        blocks_per_stage=[1, 1, 2, 1],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 7, 7],
        global_attention_blocks=[3],
    )
    vision = transformers.Sam2VisionConfig(backbone_config=backbone, **_neck(side))
    return transformers.Sam2VideoConfig(
        vision_config=vision, memory_attention_feed_forward_hidden_size=64, **_common(side)
    )


def edgetam_config(side: int = SIDE) -> Any:
    transformers = pytest.importorskip("transformers")
    trunk = {"features_only": True, "in_chans": 3, "out_indices": [0, 1, 2, 3]}
    trunk |= {"embed_dim": [8, 16, 24, 32], "depth": [1, 1, 1, 1]}
    backbone = transformers.TimmWrapperConfig(architecture="repvit_m1", model_args=trunk)
    return transformers.EdgeTamVideoConfig(
        vision_config=transformers.EdgeTamVisionConfig(backbone_config=backbone, **_neck(side)),
        memory_attention_mlp_hidden_size=64,
        memory_attention_rope_k_sizes=[2, 2],
        perceiver_resampler_num_latents=3,
        perceiver_resampler_num_latents_2d=4,
        perceiver_resampler_mlp_intermediate_size=32,
        perceiver_resampler_num_layers=1,
        **_common(side),
    )


CONFIGS = {"sam2": sam2_config, "edgetam": edgetam_config}


def enliven(network: Sam2Network) -> Sam2Network:
    """Give a network weights under which its masks depend on frames, masks and memory, and its gradients survive.

    Initial weights shrink signals from layer to layer, and tokens and position embeddings are zero.
    """
    generator = torch.Generator().manual_seed(6)

    def normal(tensor: Tensor, scale: float) -> None:
        tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))

    in_modules = set()
    with torch.no_grad():
        for module in network.model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                fan_in = module.weight[0].numel() if not isinstance(module, nn.ConvTranspose2d) else module.in_channels
                normal(module.weight, math.sqrt(2 / fan_in))
                in_modules.add(module.weight)
                if module.bias is not None:
                    normal(module.bias, 0.1)
                    in_modules.add(module.bias)
            elif isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
                in_modules.update(module.parameters())
        for parameter in network.model.parameters():
            if parameter not in in_modules:
                normal(parameter, 0.5)
        for name, parameter in network.model.named_parameters():
            if name.endswith(("q_proj.weight", "k_proj.weight", "o_proj.weight")):
                parameter.mul_(1.5)  # attention that tells tokens apart, and counts
        for to_masks in network.model.mask_decoder.output_hypernetworks_mlps:
            to_masks.proj_out.weight.mul_(0.1)  # masks that are not saturated
        network.model.mask_decoder.pred_obj_score_head.proj_out.bias.add_(3)  # objects count as visible
        _calibrate(network.model.vision_encoder, generator)
    return network


def _calibrate(trunk: nn.Module, generator: torch.Generator) -> None:
    """Let the batch norms, if there are any, and the neck normalise noise; else images would all look alike."""
    noise = torch.randn(2, 3, SIDE, SIDE, generator=generator)
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    trunk.train()
    trunk(noise)
    trunk.eval()
    cells = trunk(noise).fpn_hidden_states[-1]
    deepest, at_cells, *_ = trunk.neck.convs  # their sum is what the cells hold
    scale = cells.std(dim=(0, 2, 3))
    for conv in (deepest, at_cells):
        conv.weight.div_(scale[:, None, None, None])
        conv.bias.div_(scale)
    at_cells.bias.sub_(cells.mean(dim=(0, 2, 3)) / scale)
