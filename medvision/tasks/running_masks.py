"""Metrics of masks of one epoch, at the size that the network sees, for curves and schedules."""

import torch
from torch import Tensor

from medvision.data.masks import IGNORE

MASK_METRIC_NAMES = ("dice", "iou", "sensitivity", "precision")


def mask_counts(logits: Tensor, mask: Tensor) -> Tensor:
    """Pixels of each image and class that agree, were predicted, and are true.

    Args:
        logits: (B, K, H, W).
        mask: (B, H, W) uint8 class numbers; `IGNORE` is counted nowhere.

    Returns:
        (B, K, 3) int64.
    """
    classes = logits.shape[1]
    known = mask != IGNORE
    # Several times as fast as argmax where classes do not lie side by side in memory.
    predicted = logits.max(dim=1).indices
    columns = []
    for number in range(classes):
        said, true = (predicted == number) & known, mask == number
        columns.append(torch.stack([pixels.count_nonzero(dim=(1, 2)) for pixels in (said & true, said, true)], dim=-1))
    return torch.stack(columns, dim=1)


def mask_metrics(counts: Tensor) -> dict[str, float]:
    """Dice, IoU, sensitivity and precision: means over images, then over the foreground classes.

    An image without a class, neither in the mask nor in the prediction, is not counted for it; with false pixels its
    Dice, IoU and precision are 0. Sensitivity needs a true pixel, precision a predicted one. A metric that no image
    defines is nan.

    Args:
        counts: (N, K, 3) int64 of `mask_counts`, the background first.
    """
    both, said, true = counts[:, 1:].cpu().double().unbind(-1)
    ratios = {
        "dice": 2 * both / (said + true),
        "iou": both / (said + true - both),
        "sensitivity": both / true,
        "precision": both / said,
    }
    return {name: float(ratio.nanmean(dim=0).nanmean()) for name, ratio in ratios.items()}
