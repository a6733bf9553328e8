"""Grey values and their directions over an image, as numbers with names."""

import cv2
import numpy as np
import numpy.typing as npt

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
GRID = 3
# Side of the window in which the local standard deviation is taken, px.
WINDOW = 5
BINS = 32
INTENSITY_NAMES = (
    "grey_mean",
    "grey_sd",
    *(f"grey_p{percentile}" for percentile in PERCENTILES),
    "grey_skewness",
    "grey_kurtosis",
    "grey_entropy_bits",
    "black_share",
    "local_sd_mean",
    *(f"grey_mean_r{row}c{column}" for row in range(GRID) for column in range(GRID)),
)
# Every image has the same number of features, of whatever size it is: it is brought to this one.
HOG_SIZE, HOG_CELL, HOG_DIRECTIONS = 128, 16, 9
_CELLS = HOG_SIZE // HOG_CELL
HOG_NAMES = tuple(f"hog_{number:04d}" for number in range((_CELLS - 1) ** 2 * 4 * HOG_DIRECTIONS))
HOG_CUT = 0.2
# Keeps blocks without any gradient at 0.
EPSILON = 1e-5


def intensity_features(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """The distribution of grey values, and where in the image they are bright.

    Grey values are from 0 to 255. Skewness and kurtosis are the standardised third and fourth moments, the latter less
    3, so that a normal distribution has 0; an image of one grey value has 0 in both. The entropy is that of a histogram
    of 32 bins. `grey_mean_r0c2` is the mean of the field of a 3 × 3 grid in the first row and third column.

    Args:
        image: (H, W) uint8, at least 3 × 3.

    Returns:
        One value for each of `INTENSITY_NAMES`.
    """
    values = image.astype(np.float64)
    mean, sd = values.mean(), values.std()
    scores = (values - mean) / sd if sd else np.zeros_like(values)
    squares = scores * scores
    histogram = np.bincount(image.ravel() // (256 // BINS), minlength=BINS) / image.size
    filled = histogram[histogram > 0]
    local = cv2.blur(values, (WINDOW, WINDOW))
    variance = cv2.blur(values * values, (WINDOW, WINDOW)) - local**2
    fields = [part.mean() for rows in np.array_split(values, GRID) for part in np.array_split(rows, GRID, axis=1)]
    return np.array(
        [
            mean,
            sd,
            *np.percentile(image, PERCENTILES),
            np.mean(squares * scores),
            np.mean(squares * squares) - 3 if sd else 0.0,
            -np.sum(filled * np.log2(filled)),
            np.mean(image == 0),
            np.sqrt(np.maximum(variance, 0)).mean(),
            *fields,
        ]
    )


def hog_features(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Histograms of oriented gradients (Dalal and Triggs, CVPR 2005).

    The image is brought to 128 × 128 pixels. In cells of 16 × 16 the gradients vote by their strength for one of nine
    directions from 0 to 180 degrees, without interpolation; overlapping blocks of 2 × 2 cells are normalised (L2-Hys,
    cut at 0.2).

    Args:
        image: (H, W) uint8.

    Returns:
        One value from 0 to 1 for each of `HOG_NAMES`: block rows, block columns, cell rows, cell columns, directions.
    """
    larger = min(image.shape) < HOG_SIZE
    resized = cv2.resize(image, (HOG_SIZE, HOG_SIZE), interpolation=cv2.INTER_LINEAR if larger else cv2.INTER_AREA)
    values = resized.astype(np.float64)
    down, across = np.zeros_like(values), np.zeros_like(values)
    down[1:-1] = values[2:] - values[:-2]
    across[:, 1:-1] = values[:, 2:] - values[:, :-2]
    degrees = np.degrees(np.arctan2(down, across)) % 180
    # The remainder of a tiny negative angle rounds to 180 itself, which is the direction 0.
    direction = (degrees // (180 / HOG_DIRECTIONS)).astype(np.int64) % HOG_DIRECTIONS
    cell = np.arange(HOG_SIZE) // HOG_CELL
    bins = (cell[:, None] * _CELLS + cell) * HOG_DIRECTIONS + direction
    votes = np.bincount(bins.ravel(), np.hypot(across, down).ravel(), _CELLS**2 * HOG_DIRECTIONS)
    cells = votes.reshape(_CELLS, _CELLS, HOG_DIRECTIONS) / HOG_CELL**2
    blocks = np.lib.stride_tricks.sliding_window_view(cells, (2, 2), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    rows = blocks.reshape(-1, 4 * HOG_DIRECTIONS)
    return _unit_length(np.minimum(_unit_length(rows), HOG_CUT)).ravel()


def _unit_length(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return rows / np.sqrt((rows**2).sum(axis=1, keepdims=True) + EPSILON**2)
