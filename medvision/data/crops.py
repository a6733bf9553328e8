"""Windows of images that keep their own size: what the network sees of them in training."""

import numpy as np

from medvision.data.masks import IGNORE

ON_FOREGROUND = 1 / 3
BACKGROUND = 0


def random_window(image: np.ndarray, mask: np.ndarray, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A random window of an image and its mask; every third one is centred on a pixel of the foreground.

    Small structures would otherwise be in few windows (nnU-Net does the same: Isensee et al., Nature Methods 2021).

    Args:
        image: (H, W) or (H, W, 3) uint8.
        mask: (H, W) uint8 class numbers.
        seed: of this image in this epoch.
        size: side of the window in pixels.

    Returns:
        (size, size[, 3]) and (size, size); around a smaller image black, and ignored.
    """
    generator = np.random.default_rng(seed)
    on_foreground = generator.random() < ON_FOREGROUND
    share = generator.random(2)
    spare = np.maximum(np.array(mask.shape) - size, 0)
    corner = np.floor(share * (spare + 1)).astype(np.int64)
    if on_foreground:
        rows, columns = np.nonzero((mask != BACKGROUND) & (mask != IGNORE))
        if len(rows):
            chosen = int(generator.integers(len(rows)))
            corner = np.clip(np.array([rows[chosen], columns[chosen]]) - size // 2, 0, spare)
    return _cut(image, size, corner, 0), _cut(mask, size, corner, IGNORE)


def central_window(image: np.ndarray, mask: np.ndarray, seed: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The middle of an image and of its mask whatever the seed, see `random_window`."""
    corner = np.maximum(np.array(mask.shape) - size, 0) // 2
    return _cut(image, size, corner, 0), _cut(mask, size, corner, IGNORE)


def _cut(image: np.ndarray, size: int, corner: np.ndarray, outside: int) -> np.ndarray:
    """A square from `corner` on; an image that is smaller lies in its middle."""
    top, left = corner
    part = image[top : top + size, left : left + size]
    window = np.full((size, size, *image.shape[2:]), outside, np.uint8)
    above, before = (size - part.shape[0]) // 2, (size - part.shape[1]) // 2
    window[above : above + part.shape[0], before : before + part.shape[1]] = part
    return window
