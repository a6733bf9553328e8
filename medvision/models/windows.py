"""Images larger than the network's input: window by window, blended."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

# nnU-Net's choice: the standard deviation of the weights as a share of the window.
SIGMA_SHARE = 1 / 8


def sliding_window(
    predict: Callable[[Tensor], Tensor], images: Tensor, size: int, overlap: float = 0.5, batch_size: int = 8
) -> Tensor:
    """Maps of whole images from overlapping square windows.

    Where windows overlap, their maps are averaged. A network sees less around the border of a window, so a pixel
    counts by a Gaussian around the centre (Isensee et al., nnU-Net, Nature Methods 2021).

    Args:
        predict: from windows (b, C, size, size), b at most `batch_size`, to maps (b, K, size, size).
        images: (B, C, H, W) of any size and dtype; a side shorter than a window is padded with zeros at its end.
        size: of a window in pixels.
        overlap: share of a window that its neighbour covers as well, from 0 to below 1; windows are spread evenly, so
            that it may be more.
        batch_size: windows at a time.

    Returns:
        (B, K, H, W) float32.
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, (0, max(size - width, 0), 0, max(size - height, 0)))
    tops = window_starts(padded.shape[-2], size, overlap)
    lefts = window_starts(padded.shape[-1], size, overlap)
    places = list(product(range(len(images)), tops, lefts))
    weight = window_weights(size).to(images.device)
    sums, weights = None, torch.zeros(padded.shape[-2:], dtype=torch.float32, device=images.device)
    for top, left in product(tops, lefts):
        weights[top : top + size, left : left + size] += weight
    for first in range(0, len(places), batch_size):
        chosen = places[first : first + batch_size]
        windows = torch.stack([padded[i, :, top : top + size, left : left + size] for i, top, left in chosen])
        maps = predict(windows).float()
        if sums is None:
            sums = maps.new_zeros(len(images), maps.shape[1], *padded.shape[-2:])
        for (i, top, left), one in zip(chosen, maps, strict=True):
            sums[i, :, top : top + size, left : left + size] += one * weight
    assert sums is not None, "a batch holds at least one image"
    return sums.div_(weights)[..., :height, :width]


def window_starts(length: int, size: int, overlap: float) -> list[int]:
    """Where windows begin along a side: the first at 0, the last so that it ends with the side, the others between.

    Args:
        length: of the side in pixels, at least `size`.
        size: of a window in pixels.
        overlap: least share that two neighbours have in common.

    >>> window_starts(100, 40, 0.5)
    [0, 20, 40, 60]
    >>> window_starts(90, 40, 0.5)
    [0, 17, 33, 50]
    >>> window_starts(40, 40, 0.5)
    [0]
    """
    step = max(int(size * (1 - overlap)), 1)
    gaps = -(-(length - size) // step)
    return [round(gap * (length - size) / gaps) for gap in range(gaps + 1)] if gaps else [0]


def window_weights(size: int) -> Tensor:
    """How much each pixel of a window counts, float32 (size, size) in (0, 1].

    The smallest, in the corners, is about exp(-16). nnU-Net and MONAI raise all weights to 0.001 at least, which makes
    them equal along the border of a window: there, at the border of the image, their seams show.
    """
    offsets = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    row = torch.exp(-(offsets**2) / (2 * (SIGMA_SHARE * size) ** 2))
    return torch.outer(row, row)
