"""A slow, literal space-time memory network with the released files' tensor names, as an oracle.

Written from the papers' descriptions: one object at a time, concatenations instead of split
convolutions, the whole frame padded and cropped by hand.
"""

import torch
import torchvision
from torch import nn
from torch.nn import functional as F

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


class Encoder(nn.Module):
    def __init__(self, depth, second=None):
        super().__init__()
        resnet = getattr(torchvision.models, f"resnet{depth}")(weights=None)
        self.conv1, self.bn1 = resnet.conv1, resnet.bn1
        if second is not None:
            self.conv1_m = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
            setattr(self, second, nn.Conv2d(1, 64, 7, 2, 3, bias=False))
        self.second = second
        self.maxpool = resnet.maxpool
        self.res2, self.res3, self.res4 = resnet.layer1, resnet.layer2, resnet.layer3

    def forward(self, frame, mask=None, other=None):
        x = self.conv1((frame - MEAN) / STD)
        if mask is not None:
            x = x + self.conv1_m(mask) + getattr(self, self.second)(other)
        r2 = self.res2(self.maxpool(F.relu(self.bn1(x))))
        r3 = self.res3(r2)
        return self.res4(r3), r3, r2


class KeyValue(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.Key, self.Value = nn.Conv2d(channels, 128, 3, padding=1), nn.Conv2d(channels, 512, 3, padding=1)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class Refine(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.convFS = nn.Conv2d(channels, 256, 3, padding=1)
        self.ResFS, self.ResMM = Block(256), Block(256)

    def forward(self, skip, deeper):
        skip = self.ResFS(self.convFS(skip))
        up = F.interpolate(deeper, size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.ResMM(skip + up)


class Decoder(nn.Module):
    def __init__(self, c3, c2):
        super().__init__()
        self.convFM, self.ResMM = nn.Conv2d(1024, 256, 3, padding=1), Block(256)
        self.RF3, self.RF2 = Refine(c3), Refine(c2)
        self.pred2 = nn.Conv2d(256, 2, 3, padding=1)


class ReleasedNetwork(nn.Module):
    def __init__(self, depth, second):
        super().__init__()
        c4, c3, c2 = (1024, 512, 256) if depth == 50 else (256, 128, 64)
        self.Encoder_M, self.Encoder_Q = Encoder(depth, second), Encoder(depth)
        self.KV_M_r4, self.KV_Q_r4 = KeyValue(c4), KeyValue(c4)
        self.Decoder = Decoder(c3, c2)
        self.pads = second == "conv1_o"

    def remember(self, frame, masks):
        keys, values = [], []
        for k in range(1, masks.shape[1]):
            own = masks[:, k : k + 1]
            if self.pads:
                other = sum(masks[:, j : j + 1] for j in range(1, masks.shape[1]) if j != k)
                other = torch.as_tensor(other).expand_as(own).clamp(0, 1)
            else:
                other = (1 - own).clamp(0, 1)
            f16 = self.Encoder_M(self.pad(frame), self.pad(own), self.pad(other))[0]
            keys.append(self.KV_M_r4.Key(f16)), values.append(self.KV_M_r4.Value(f16))
        return torch.cat(keys), torch.cat(values)  # (K,C,h,w)

    def ask(self, frame, memory):
        f16, f8, f4 = self.Encoder_Q(self.pad(frame))
        key, value = self.KV_Q_r4.Key(f16)[0], self.KV_Q_r4.Value(f16)
        h, w = key.shape[-2:]
        foreground = []
        for k in range(memory[0][0].shape[0]):
            memory_key = torch.stack([m[0][k] for m in memory], 1).flatten(1)
            memory_value = torch.stack([m[1][k] for m in memory], 1).flatten(1)
            weights = (memory_key.T @ key.flatten(1) / 128**0.5).softmax(0)
            read = (memory_value @ weights).view(1, 512, h, w)
            x = self.Decoder.ResMM(self.Decoder.convFM(torch.cat([read, value], 1)))
            x = self.Decoder.pred2(F.relu(self.Decoder.RF2(f4, self.Decoder.RF3(f8, x))))
            x = F.interpolate(x, size=self.pad(frame).shape[-2:], mode="bilinear", align_corners=False)
            foreground.append(self.crop(x.softmax(1)[:, 1], frame.shape[-2:]))
        p = torch.cat(foreground)
        p = torch.cat([(1 - p).prod(0, keepdim=True), p]).clamp(1e-7, 1 - 1e-7)
        return (p / (1 - p)).log().softmax(0)[None]

    def pad(self, x):
        if not self.pads:
            return x
        eh, ew = -x.shape[-2] % 16, -x.shape[-1] % 16
        return F.pad(x, (ew // 2, ew - ew // 2, eh // 2, eh - eh // 2))

    def crop(self, x, size):
        top, left = (x.shape[-2] - size[0]) // 2, (x.shape[-1] - size[1]) // 2
        return x[..., top : top + size[0], left : left + size[1]]

    def correct(self, frames, t, mask, first, steps, rate=180.0):
        """Equation 5 by hand: the mask (1,K+1,H,W) of frame t after some steps, whatever values they give."""
        truth, pixels = first[0], first[0, 0].numel()
        y = mask[:, 1:].clone()
        for _ in range(steps):
            leaf = y.detach().requires_grad_()
            with torch.enable_grad():
                whole = torch.cat([1 - leaf.sum(1, keepdim=True), leaf], 1)
                p = self.ask(frames[:1], [self.remember(frames[t : t + 1], whole)])[0]
                entropy = -(p.clamp(min=1e-30).log() * truth).sum(0).flatten()
                hardest = entropy.sort(descending=True).values[: round(0.4 * pixels)]
                low, high = torch.minimum(p, truth)[1:], torch.maximum(p, truth)[1:]
                iou = low.sum((1, 2)) / high.sum((1, 2))
                loss = hardest.mean() + 1 - iou.mean()
            (gradient,) = torch.autograd.grad(loss, leaf)
            y = leaf.detach() - rate * gradient
        return torch.cat([1 - y.sum(1, keepdim=True), y], 1)

    @torch.no_grad()
    def run(self, frames, first, every=5, steps=0, rate=180.0):
        """Frames (T,3,H,W) in [0,1], first masks one-hot (1,K+1,H,W): probabilities (T,K+1,H,W).

        With steps, the mask of every n-th frame is corrected before it goes to memory, as the release does.
        """
        kept, result = [], [first]
        for t in range(1, len(frames)):
            mask = result[-1]
            if steps and t > 1 and (t - 1) % every == 0:
                mask = self.correct(frames, t - 1, mask, first, steps, rate)
            previous = self.remember(frames[t - 1 : t], mask)
            result.append(self.ask(frames[t : t + 1], [*kept, previous]))
            if (t - 1) % every == 0:
                kept.append(previous)
        return torch.cat(result)


def randomise(network, seed=0):
    """Weights as lively as trained ones: norms with statistics, masks that matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(0.5 + torch.rand(value.shape, generator=generator))
            elif name.endswith(("running_mean", "bias")):
                value.copy_(0.1 * torch.randn(value.shape, generator=generator))
            elif name.endswith("weight") and value.ndim == 1:
                value.copy_(0.5 + 0.3 * torch.rand(value.shape, generator=generator))
            elif value.ndim == 4:
                scale = (1.0 / value[0].numel()) ** 0.5
                value.copy_(scale * torch.randn(value.shape, generator=generator))
    return network.eval()
