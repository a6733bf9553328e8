"""Edges and bright bands of an image, as numbers with names: what a reader of ultrasound would measure by hand."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

EDGE_NAMES = (
    "edge_density",
    "gradient_mean",
    "gradient_sd",
    "gradient_p90",
    "gradient_p99",
    "gradient_vertical_share",
    "bright_share",
    "bright_mean",
    "band_count",
    "band_share",
    "band_length_px",
    "band_length_sum_px",
    "band_thickness_px",
    "band_thickness_mean_px",
    "band_curvature_per_px",
    "band_tilt_deg",
    "band_row_share",
    "second_line_share",
    "second_line_distance_px",
    "second_line_distance_sd_px",
)
# Speckle is smoothed away before edges are looked for; standard deviation in pixels. Bands are measured as they are.
SIGMA = 1.0
# Canny's thresholds, for sums of the absolute derivatives by the Sobel operator, which are 8 grey values where the
# image changes by 1 a pixel.
CANNY = (60, 150)
# A band is this much longer than thick, and crosses this share of the image.
SLENDER = 3.0
SHORTEST_SHARE = 0.1
# How far from the longest band a second line is looked for, as a share of the image's height.
REACH_SHARE = 0.25
MOST_REGIONS = 64


@dataclass(frozen=True)
class Band:
    """A connected bright band, described by the parabola through its pixels.

    Args:
        number: of the region in the map of regions.
        area: pixels.
        length: of the parabola, px.
        thickness: area by length, px.
        curvature: of the parabola at its middle, 1 / px; 0 is straight.
        tilt: of its main axis to the horizontal, 0 to 90 degrees.
        row: mean row, px.
    """

    number: int
    area: int
    length: float
    thickness: float
    curvature: float
    tilt: float
    row: float


def edge_features(image: npt.NDArray[np.uint8], bright: int = 150) -> npt.NDArray[np.float64]:
    """Edges (Canny 1986), gradients (Sobel), and bright bands of an image.

    Lengths are in pixels of the image that is given, gradients in grey values a pixel, shares from 0 to 1. What is
    asked of the longest band is 0 where there is no band; `band_count` tells the two apart. A second line is a bright
    run that lies above or below the longest band in the same column, with darker pixels between: over cartilage it is
    the double contour.

    Args:
        image: (H, W) uint8.
        bright: grey value above which a pixel is bright.

    Returns:
        One value for each of `EDGE_NAMES`.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), SIGMA)
    across, down = (cv2.Sobel(image, cv2.CV_32F, dx, dy, ksize=3) / 8 for dx, dy in ((1, 0), (0, 1)))
    gradient = np.hypot(across, down)
    level, upright = float(np.abs(across).sum()), float(np.abs(down).sum())
    shining = image > bright
    regions, bands = find_bands(shining)
    return np.array(
        [
            np.mean(cv2.Canny(smooth, *CANNY) > 0),
            gradient.mean(),
            gradient.std(),
            *np.percentile(gradient, (90, 99)),
            upright / (level + upright) if level + upright else 0.0,
            shining.mean(),
            image[shining].mean() if shining.any() else 0.0,
            *_of_bands(regions, bands),
        ],
        dtype=np.float64,
    )


def find_bands(shining: Mask) -> tuple[npt.NDArray[np.int32], list[Band]]:
    """The slender ones of the connected regions of a mask.

    Args:
        shining: (H, W) bool.

    Returns:
        (H, W) int32 numbers of all regions, 0 outside, and the bands, the longest first.
    """
    _, regions, stats, _ = cv2.connectedComponentsWithStats(shining.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    shortest = SHORTEST_SHARE * max(shining.shape)
    bands = []
    for region in 1 + np.argsort(-areas, kind="stable")[:MOST_REGIONS]:
        left, top, width, height = (int(value) for value in stats[region, :4])
        if np.hypot(width, height) < shortest:
            continue
        rows, columns = np.nonzero(regions[top : top + height, left : left + width] == region)
        band = _measure(int(region), rows + top, columns + left)
        if band.length >= max(shortest, SLENDER * band.thickness):
            bands.append(band)
    return regions, sorted(bands, key=lambda band: -band.length)


def _measure(number: int, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Band:
    points = np.stack([columns - columns.mean(), rows - rows.mean()])
    _, vectors = np.linalg.eigh(points @ points.T)
    along, across = vectors[:, 1] @ points, vectors[:, 0] @ points
    span = float(np.ptp(along))
    # Three columns of pixels along the axis are the least that a parabola can be drawn through.
    bend, slope, _ = np.polyfit(along, across, 2) if span >= 2 else (0.0, 0.0, 0.0)
    steps = np.linspace(along.min(), along.max(), 65)
    slopes = slope + 2 * bend * steps
    # Pixels are 1 wide: the ends lie half a pixel outside the outermost centres.
    length = float(np.trapezoid(np.hypot(1, slopes), steps)) + 1
    return Band(
        number=number,
        area=len(rows),
        length=length,
        thickness=len(rows) / length,
        curvature=float(abs(2 * bend) / (1 + slopes[32] ** 2) ** 1.5),
        tilt=float(np.degrees(np.arctan2(abs(vectors[1, 1]), abs(vectors[0, 1])))),
        row=float(rows.mean()),
    )


def _of_bands(regions: npt.NDArray[np.int32], bands: list[Band]) -> list[float]:
    if not bands:
        return [0.0] * (len(EDGE_NAMES) - EDGE_NAMES.index("band_count"))
    longest, height = bands[0], regions.shape[0]
    in_band = np.isin(regions, [band.number for band in bands])
    return [
        len(bands),
        sum(band.area for band in bands) / regions.size,
        longest.length,
        sum(band.length for band in bands),
        longest.thickness,
        float(np.mean([band.thickness for band in bands])),
        longest.curvature,
        longest.tilt,
        longest.row / (height - 1) if height > 1 else 0.0,
        *second_line(regions == longest.number, in_band, REACH_SHARE * height),
    ]


def second_line(line: Mask, in_band: Mask, reach: float) -> tuple[float, float, float]:
    """Whether another bright run accompanies a line from above or below.

    Args:
        line: (H, W) bool, the line.
        in_band: (H, W) bool, all bands, the line among them.
        reach: px, how far away the middle of the other run may be.

    Returns:
        Share of the line's columns that have another run, the median distance of the middles in px, and the standard
        deviation of the distance, small where both are parallel; zeros where there is no other run.
    """
    columns = np.flatnonzero(line.any(axis=0))
    # Runs of true pixels from the top down, one column after the other.
    sides = np.diff(np.pad(in_band[:, columns].T.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (column, start), end = np.nonzero(sides == 1), np.nonzero(sides == -1)[1]
    middle = (start + end - 1) / 2
    own = np.flatnonzero(line[start, columns[column]])
    # The line itself may have two runs in a column, where both contours meet at their ends: the upper one is the line.
    first = own[np.unique(column[own], return_index=True)[1]]
    distance = np.abs(middle - middle[first][column])
    distance[first] = np.inf
    nearest = np.full(len(columns), np.inf)
    np.minimum.at(nearest, column, distance)
    found = nearest[nearest <= reach]
    if not len(found):
        return 0.0, 0.0, 0.0
    return len(found) / len(columns), float(np.median(found)), float(np.std(found))
