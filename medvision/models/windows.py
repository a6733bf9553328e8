"""Images larger than the network's input: window by window, blended."""

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from medvision.models.window_places import window_starts, window_weights


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
    weight = torch.from_numpy(window_weights(size)).to(images.device)
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
