"""How an image differs from those that a network was trained on: size, shape, storage, and what the network sees.

The distance of features is that of Mahalanobis (1936) with a diagonal covariance: every feature in standard deviations
of the training images, root mean square over the features. The limit is the largest distance among the images of the
run's own training and validation splits, so that of n new images of the same kind about 1 in (n of these + 1) is marked
by chance (more, as far as the network has learned its training images by heart).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

TOLERANCE = 1.25
"""By how much sides and proportions may leave the range of the training images before an image is called unlike."""

# A feature that hardly moves in training must not decide alone: its deviation counts as so much of the mean one.
LEAST_DEVIATION = 0.1
# Another processor, or an exported network, adds in another order: the farthest image of the training is like itself.
LAST_DIGITS = 0.005


@dataclass(frozen=True, eq=False)
class FeatureRange:
    """Where the features of training images lie.

    Args:
        mean: (F,) of the training images.
        deviation: (F,) likewise, positive.
        farthest: the largest distance among images of training and validation.
        images: how many these were.
    """

    mean: Floats
    deviation: Floats
    farthest: float
    images: int

    def distances(self, features: npt.NDArray[Any]) -> Floats:
        """How far images lie from the training images, in standard deviations: (N, F) to (N,)."""
        standard = (np.asarray(features, dtype=np.float64) - self.mean) / self.deviation
        return np.asarray(np.sqrt(np.mean(standard**2, axis=1)))


@dataclass(frozen=True, eq=False)
class TrainingRange:
    """What the training images of a run are like.

    Args:
        longer: least and most pixels of their longer side.
        proportions: least and most width divided by height.
        storages: how they are stored, such as `8-bit grey`; empty where no file tells.
        features: None of a network that does not tell its features.
    """

    longer: tuple[int, int]
    proportions: tuple[float, float]
    storages: tuple[str, ...]
    features: FeatureRange | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they stand in `training_range.json`."""
        found = self.features
        return {
            "longer": list(self.longer),
            "proportions": list(self.proportions),
            "storages": list(self.storages),
            "features": None
            if found is None
            else {
                "mean": _rounded(found.mean),
                "deviation": _rounded(found.deviation),
                "farthest": found.farthest,
                "images": found.images,
            },
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "TrainingRange":
        """What `to_json` has made plain."""
        found = saved["features"]
        features = (
            None
            if found is None
            else FeatureRange(**{**found, "mean": np.array(found["mean"]), "deviation": np.array(found["deviation"])})
        )
        low, high = saved["longer"]
        narrow, wide = saved["proportions"]
        return cls((low, high), (narrow, wide), tuple(saved["storages"]), features)


def measure_range(
    heights: Sequence[int],
    widths: Sequence[int],
    storages: Sequence[str],
    training: npt.NDArray[Any] | None = None,
    validation: npt.NDArray[Any] | None = None,
) -> TrainingRange:
    """What some training images are like.

    Args:
        heights: in pixels, at least one.
        widths: likewise.
        storages: of the files that could be asked.
        training: (n, F) features of training images; None without features.
        validation: (m, F) features of validation images, m may be 0.
    """
    sides = np.maximum(heights, widths)
    proportions = np.asarray(widths) / np.asarray(heights)
    return TrainingRange(
        (int(sides.min()), int(sides.max())),
        (float(proportions.min()), float(proportions.max())),
        tuple(sorted(set(storages))),
        None if training is None else _measure_features(training, validation),
    )


def _measure_features(training: npt.NDArray[Any], validation: npt.NDArray[Any] | None) -> FeatureRange:
    values = np.asarray(training, dtype=np.float64)
    deviation = values.std(axis=0)
    floor = LEAST_DEVIATION * float(deviation.mean())
    # All images look the same to it: any other counts in the unit of the features.
    deviation = np.maximum(deviation, floor) if floor > 0 else np.ones_like(deviation)
    known = values if validation is None else np.concatenate([values, np.asarray(validation, dtype=np.float64)])
    saved = FeatureRange(np.array(_rounded(values.mean(axis=0))), np.array(_rounded(deviation)), 0.0, len(known))
    return FeatureRange(saved.mean, saved.deviation, float(saved.distances(known).max()), len(known))


def unlike_words(
    ranges: Sequence[TrainingRange], height: int, width: int, storage: str, farness: float | None
) -> list[str]:
    """In what an image differs from those that networks were trained on, a phrase each; empty where in nothing.

    Args:
        ranges: of each network; an image is like theirs if it is like those of any of them, in its features if it is
            so on average.
        height: of the original image in pixels.
        width: likewise.
        storage: how it is stored.
        farness: its distance in features by the largest one of training, the mean over networks; None if unknown.
    """
    found = []
    longer = max(height, width)
    low, high = min(one.longer[0] for one in ranges), max(one.longer[1] for one in ranges)
    if not low / TOLERANCE <= longer <= high * TOLERANCE:
        found.append(f"{width} x {height} pixels, in training {_span(low, high)} on the longer side")
    shape = width / height
    low_shape, high_shape = min(one.proportions[0] for one in ranges), max(one.proportions[1] for one in ranges)
    if not low_shape / TOLERANCE <= shape <= high_shape * TOLERANCE:
        found.append(f"{shape:.2g} times as wide as high, in training {_span(f'{low_shape:.2g}', f'{high_shape:.2g}')}")
    storages = sorted({name for one in ranges for name in one.storages})
    if storages and storage not in storages:
        found.append(f"{storage}, in training {' or '.join(storages)}")
    if farness is not None and farness > 1 + LAST_DIGITS:
        count = max(one.features.images for one in ranges if one.features is not None)
        found.append(f"features {farness:.2g} times as far out as any of {count} images of training and validation")
    return found


def _span(low: Any, high: Any) -> str:
    return f"{low}" if low == high else f"{low} to {high}"


def _rounded(values: Floats) -> list[float]:
    """Five digits, so that the file stays small."""
    return [float(f"{value:.5g}") for value in values]
