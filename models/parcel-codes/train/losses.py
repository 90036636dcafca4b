"""What the detector is trained to do: task-aligned assignment and the three losses of the YOLOv8 layout.

Assignment after Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021; box loss CIoU after Zheng et al.,
2020; distribution focal loss after Li et al., 2020. Boxes are xyxy in pixels of the network's input.
"""

import torch
from network import BINS, cells
from torch import Tensor
from torch.nn import functional

TOP = 10  # cells that may learn one box
SMALLEST_REACH = 4.6  # pixels: a box thinner than a cell of stride 8 still gets one
FINEST_ONLY = 20.0  # pixels, square root of the area: smaller boxes are learned at the finest stride alone
FINEST_TOO = 40.0  # pixels: larger ones never there
BOX, SCORE, DISTRIBUTION = 7.5, 0.5, 1.5


def decode(sides: Tensor, centres: Tensor, strides: Tensor) -> Tensor:
    """Side logits (N, cells, 4 * BINS) to boxes (N, cells, 4) xyxy in pixels."""
    shape = sides.shape
    distances = sides.view(*shape[:2], 4, BINS).softmax(3) @ torch.arange(BINS, dtype=sides.dtype)
    low, high = centres - distances[..., :2], centres + distances[..., 2:]
    return torch.cat((low, high), -1) * strides


def losses(heads: Tensor, boxes: Tensor, classes: Tensor, real: Tensor, size: int) -> dict[str, Tensor]:
    """Raw heads (N, 4 * BINS + C, cells) against boxes (N, M, 4), classes (N, M), ``real`` (N, M) where not padding."""
    heads = heads.float().transpose(1, 2)
    sides, logits = heads.split((4 * BINS, heads.shape[2] - 4 * BINS), 2)
    centres, strides = cells(size, size)
    predicted = decode(sides, centres, strides)
    with torch.no_grad():
        finest = strides[:, 0] == strides.min()
        chosen, which, weight = _assign(
            predicted, logits.sigmoid(), centres * strides, finest, boxes, classes, real
        )
        targets = torch.zeros_like(logits)
        found = classes.gather(1, which)
        targets.scatter_(2, found[..., None], (weight * chosen)[..., None])
        total = targets.sum().clamp(min=1.0)
    score = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / total
    if not chosen.any():
        zero = score.new_zeros(())
        return {"score": SCORE * score, "box": zero, "distribution": zero}
    wanted = boxes.gather(1, which[..., None].expand(-1, -1, 4))[chosen]
    share = weight[chosen]
    box = ((1 - _ciou(predicted[chosen], wanted)) * share).sum() / total
    cell = chosen.nonzero()[:, 1]
    in_strides = wanted / strides[cell]
    goal = torch.cat((centres[cell] - in_strides[:, :2], in_strides[:, 2:] - centres[cell]), 1)
    spread = _distribution(sides[chosen].view(-1, 4, BINS), goal.clamp(0, BINS - 1.01))
    distribution = (spread.mean(1) * share).sum() / total
    return {"score": SCORE * score, "box": BOX * box, "distribution": DISTRIBUTION * distribution}


def _assign(
    predicted: Tensor,
    scores: Tensor,
    centres_px: Tensor,
    finest: Tensor,
    boxes: Tensor,
    classes: Tensor,
    real: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """For each cell: whether it learns a box (N, cells), which one, and with what target score."""
    middle, reach = (boxes[..., :2] + boxes[..., 2:]) / 2, (boxes[..., 2:] - boxes[..., :2]) / 2
    away = (centres_px[None, None] - middle[:, :, None]).abs()
    inside = (away < reach.clamp(min=SMALLEST_REACH)[:, :, None]).all(-1) & real[..., None]  # (N, M, cells)
    extent = (4 * reach.prod(-1)).sqrt()[..., None]
    inside &= torch.where(finest, extent < FINEST_TOO, extent >= FINEST_ONLY)
    overlap = _iou(boxes[:, :, None], predicted[:, None]).clamp(min=0) * inside
    own = scores.transpose(1, 2).gather(1, classes[..., None].expand(-1, -1, scores.shape[1]))
    align = own.sqrt() * overlap.pow(6) * inside + 1e-9 * inside
    at = align.topk(TOP, 2).indices
    taken = torch.zeros_like(align).scatter_(2, at, 1.0).bool() & inside
    crowded = taken.sum(1, keepdim=True) > 1
    winner = torch.zeros_like(taken).scatter_(
        1, overlap.masked_fill(~taken, -1).argmax(1, keepdim=True), value=True
    )
    taken &= winner | ~crowded
    align = align * taken
    scaled = align * (overlap * taken).amax(2, keepdim=True) / align.amax(2, keepdim=True).clamp(min=1e-9)
    return taken.any(1), taken.to(torch.int64).argmax(1), scaled.amax(1)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(-1)
    area = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    return shared / (area - shared + 1e-7)


def _ciou(a: Tensor, b: Tensor) -> Tensor:
    overlap = _iou(a, b)
    hull = torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:]) - (b[..., :2] + b[..., 2:])).square().sum(-1) / 4
    extent_a, extent_b = (a[..., 2:] - a[..., :2]).clamp(min=1e-3), (b[..., 2:] - b[..., :2]).clamp(min=1e-3)
    angle = torch.atan(extent_b[..., 0] / extent_b[..., 1]) - torch.atan(extent_a[..., 0] / extent_a[..., 1])
    shape = 4 / torch.pi**2 * angle.square()
    with torch.no_grad():
        weight = shape / (1 - overlap + shape + 1e-7)
    return overlap - apart / (hull.square().sum(-1) + 1e-7) - weight * shape


def _distribution(logits: Tensor, goal: Tensor) -> Tensor:
    """Cross entropy (K, 4) to the two bins on either side of ``goal`` (K, 4), in bins."""
    left = goal.long()
    right_share = goal - left
    flat = logits.reshape(-1, BINS)
    low = functional.cross_entropy(flat, left.reshape(-1), reduction="none").view_as(goal)
    high = functional.cross_entropy(flat, left.reshape(-1) + 1, reduction="none").view_as(goal)
    return low * (1 - right_share) + high * right_share
