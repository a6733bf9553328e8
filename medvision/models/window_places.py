"""Where the windows of a large image lie and what their pixels count; torch-free, for exported networks, too."""

import numpy as np
import numpy.typing as npt

# nnU-Net's choice: the standard deviation of the weights as a share of the window.
SIGMA_SHARE = 1 / 8


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


def window_weights(size: int) -> npt.NDArray[np.float32]:
    """How much each pixel of a window counts, float32 (size, size) in (0, 1].

    The smallest, in the corners, is about exp(-16). nnU-Net and MONAI raise all weights to 0.001 at least, which makes
    them equal along the border of a window: there, at the border of the image, their seams show.
    """
    offsets = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    row = np.exp(-(offsets**2) / np.float32(2 * (SIGMA_SHARE * size) ** 2))
    return np.outer(row, row)
