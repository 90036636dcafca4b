"""The detector: an anchor-free network in the layout of YOLOv8, small enough for two cores.

Plain 3 × 3 convolutions in cross-stage blocks, a two-way feature pyramid with strides 8, 16 and 32 and a slim level of
stride 4 below it for codes of a dozen pixels, and a decoupled head that gives each box side as a distribution over 16
distances (Li et al., "Generalized Focal Loss", 2020). All layers quantise well: ReLU instead of SiLU, no attention, no
depthwise convolutions.
"""

import torch
from torch import Tensor, nn

STRIDES = (4, 8, 16, 32)
BINS = 16  # a box side reaches at most 15 strides from its cell


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
            nn.ReLU(inplace=True),
        )


class Block(nn.Module):
    """Half of the channels go on as they are, half through ``depth`` residual pairs; all halves are joined (C2f)."""

    def __init__(self, inputs: int, outputs: int, *, depth: int = 1, residual: bool = True) -> None:
        super().__init__()
        self.half = outputs // 2
        self.residual = residual
        self.enter = Convolution(inputs, outputs, 1)
        self.pairs = nn.ModuleList(
            nn.Sequential(Convolution(self.half, self.half), Convolution(self.half, self.half))
            for _ in range(depth)
        )
        self.leave = Convolution((2 + depth) * self.half, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) to (N, outputs, H, W)."""
        parts = list(self.enter(x).chunk(2, 1))
        for pair in self.pairs:
            parts.append(parts[-1] + pair(parts[-1]) if self.residual else pair(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Pooling(nn.Module):
    """Three maximum poolings one after the other, joined: a view of the whole frame for the deepest level (SPPF)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = Convolution(channels, channels // 2, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.leave = Convolution(channels * 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Head(nn.Module):
    """Two branches for a level: the four sides as distributions, and a score for each class."""

    def __init__(self, channels: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.sides = nn.Sequential(
            Convolution(channels, hidden), Convolution(hidden, hidden), nn.Conv2d(hidden, 4 * BINS, 1)
        )
        self.scores = nn.Sequential(
            Convolution(channels, hidden), Convolution(hidden, hidden), nn.Conv2d(hidden, classes, 1)
        )
        nn.init.constant_(self.sides[-1].bias, 1.0)
        nn.init.constant_(self.scores[-1].bias, -5.0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 * BINS + classes, H * W)."""
        return torch.cat((self.sides(x), self.scores(x)), 1).flatten(2)


class Detector(nn.Module):
    """Pictures to raw heads; ``export`` wraps it with the decoding that belongs into the ONNX file."""

    def __init__(self, classes: int, widths: tuple[int, ...] = (16, 32, 64, 96, 128), neck: int = 64) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = widths
        self.classes = classes
        self.to_4 = nn.Sequential(Convolution(3, w1, 3, 2), Convolution(w1, w2, 3, 2), Block(w2, w2))
        self.to_8 = nn.Sequential(Convolution(w2, w3, 3, 2), Block(w3, w3, depth=2))
        self.to_16 = nn.Sequential(Convolution(w3, w4, 3, 2), Block(w4, w4, depth=2))
        self.to_32 = nn.Sequential(Convolution(w4, w5, 3, 2), Block(w5, w5), Pooling(w5))
        self.up = nn.Upsample(scale_factor=2.0, mode="nearest")
        self.down_to_16 = Block(w5 + w4, neck + 16, residual=False)
        self.down_to_8 = Block(neck + 16 + w3, neck, residual=False)
        self.stride_to_16 = Convolution(neck, neck, 3, 2)
        self.up_at_16 = Block(neck + neck + 16, neck + 16, residual=False)
        self.stride_to_32 = Convolution(neck + 16, neck + 16, 3, 2)
        self.up_at_32 = Block(neck + 16 + w5, neck + 32, residual=False)
        self.heads = nn.ModuleList(
            Head(channels, hidden, classes)
            for channels, hidden in ((neck, 48), (neck + 16, 48), (neck + 32, 48))
        )
        self.down_to_4 = Block(neck + w2, 32, residual=False)
        self.finest_head = Head(32, 24, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), 0 to 1, to raw heads (N, 4 * BINS + classes, cells), the strides in turn."""
        at_4 = self.to_4(pictures)
        at_8 = self.to_8(at_4)
        at_16 = self.to_16(at_8)
        at_32 = self.to_32(at_16)
        mid = self.down_to_16(torch.cat((self.up(at_32), at_16), 1))
        fine = self.down_to_8(torch.cat((self.up(mid), at_8), 1))
        mid = self.up_at_16(torch.cat((self.stride_to_16(fine), mid), 1))
        coarse = self.up_at_32(torch.cat((self.stride_to_32(mid), at_32), 1))
        finest = self.finest_head(self.down_to_4(torch.cat((self.up(fine), at_4), 1)))
        levels = (fine, mid, coarse)
        return torch.cat([finest, *(head(level) for head, level in zip(self.heads, levels, strict=True))], 2)


def cells(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres (cells, 2) as x, y in units of their stride, and the strides (cells, 1) in pixels."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(
            torch.arange(height // stride) + 0.5, torch.arange(width // stride) + 0.5, indexing="ij"
        )
        centres.append(torch.stack((columns, rows), -1).reshape(-1, 2))
        strides.append(torch.full((len(centres[-1]), 1), float(stride)))
    return torch.cat(centres), torch.cat(strides)
