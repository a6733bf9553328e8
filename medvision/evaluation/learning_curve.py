"""A metric by number of training images, and what more images would bring: fitted, extrapolated, with intervals.

Two things make a point of the curve uncertain: which patients were tested, the same at every point, and which images
were trained on from which first weights, of which a repeat is one draw. Both are resampled: patients in all parts at
once, repeats at each size apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision.evaluation.bootstrap import bootstrap_metrics
from medvision.evaluation.headline import Side
from medvision.evaluation.intervals import percentile_interval
from medvision.evaluation.power_law import FEWEST_SIZES, SIZES_FOR_FLOOR, PowerLaws, fit_power_laws

Floats = npt.NDArray[np.float64]

POINT = 0.01
"""What is asked of more images: a point of the metric."""
FARTHEST = 10.0
"""How many times the largest size a curve is followed: what was not measured within a power of ten is a guess."""
FEWEST_REPEATS = 2
STEPS = 41
# A variance of 0, as of a metric of 1 in all resamples, would have all the weight.
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Measured:
    """The metric of one model at every size.

    Args:
        sizes: (K,) float64, numbers of training images, ascending.
        values: (K, R) float64, of R repeats.
        drawn: (K, R, B) float64, the same in B resamples of the test patients; nan where one does not define it.
        patients: that the metric depends on.
    """

    sizes: Floats
    values: Floats
    drawn: Floats
    patients: int


def measure(
    sides: Mapping[int, Sequence[Side]], groups: npt.NDArray[np.int64], *, resamples: int, seed: int
) -> Measured | None:
    """Score every size and repeat, on all test cases and on the same resamples of patients.

    Args:
        sides: {number of training images: the cases of each repeat}, the same cases in the same order.
        groups: (n,) int64, the patient of each case, numbered from 0.
        resamples: of the bootstrap.
        seed: of the draws.

    Returns:
        None where a repeat does not define the metric, or where there is one patient alone or no resample.
    """
    sizes = sorted(sides)
    ones = np.ones((len(groups), 1))
    defined = sides[sizes[0]][0].defined
    if not defined or groups.max() == 0 or resamples == 0:
        return None
    values = np.array([[side.score(ones, defined)[0] for side in sides[size]] for size in sizes])
    if not np.isfinite(values).all():
        return None
    names = {f"{k} {r}": side for k, size in enumerate(sizes) for r, side in enumerate(sides[size])}
    drawn = bootstrap_metrics(
        lambda weights: {name: side.score(weights, defined) for name, side in names.items()}, groups, resamples, seed
    )
    stacked = np.stack([drawn[name] for name in names]).reshape(*values.shape, resamples)
    return Measured(np.array(sizes, dtype=np.float64), values, stacked, sides[sizes[0]][0].patients(defined))


def resample_means(measured: Measured, seed: int) -> Floats:
    """The mean over repeats at every size, in resamples of patients and of repeats.

    R repeats that are drawn from R spread less than their mean does by sqrt((R - 1) / R), which is made good.

    Args:
        measured: two repeats at least.
        seed: of the draws of repeats.

    Returns:
        (K, B') float64, without the resamples of patients that leave a value undefined.
    """
    drawn = measured.drawn[:, :, np.isfinite(measured.drawn).all(axis=(0, 1))]
    repeats = drawn.shape[1]
    means = drawn.mean(axis=1)
    which = np.random.default_rng([seed, repeats]).integers(repeats, size=drawn.shape)
    again = np.take_along_axis(drawn, which, axis=1).mean(axis=1)
    return means + np.sqrt(repeats / (repeats - 1)) * (again - means)


def extrapolate(measured: Measured, seed: int) -> dict[str, Any]:
    """Fit error = a + b n^-c, where the error is 1 - metric, and follow it beyond the largest size.

    Args:
        measured: of one model.
        seed: of the draws of repeats.

    Returns:
        Plain values: `asymptote`, whether `a` was fitted; `a`, `b`, `c` with intervals and `reference`, the number of
        images at which `b` is said; `curve`, the metric from the smallest size on; and `needed`, how many images more
        bring a point. Of three sizes the curve ends at the largest, and `needed` is a least number. Fewer sizes have
        only `needed`, with `why` nothing can be said.
    """
    sizes = measured.sizes
    if len(sizes) < FEWEST_SIZES:
        return {"needed": _unknown(sizes, f"{len(sizes)} size{'s' * (len(sizes) > 1)}: any power law fits")}
    floored = len(sizes) >= SIZES_FOR_FLOOR
    means = resample_means(measured, seed) if measured.values.shape[1] >= FEWEST_REPEATS else None
    if means is not None and 2 * means.shape[1] < measured.drawn.shape[2]:
        means = None
    weights = np.ones(len(sizes)) if means is None else size_weights(means)
    fitted = fit_power_laws(sizes, 1 - measured.values.mean(axis=1, keepdims=True), weights)
    resampled = None if means is None else fit_power_laws(sizes, np.clip(1 - means, 0, None), weights)
    grid = np.geomspace(sizes[0], sizes[-1] * (FARTHEST if floored else 1), STEPS)
    curve = 1 - fitted.error(grid)[:, 0]
    draws = None if resampled is None else 1 - resampled.error(grid)
    names = {"a": "floor", "b": "scale", "c": "slope"}
    return {
        "asymptote": floored,
        "reference": int(sizes[-1]),
        **{
            name: _entry(getattr(fitted, part)[0], getattr(resampled, part, None), measured.patients)
            for name, part in names.items()
        },
        "curve": [
            {"images": float(n), **_entry(value, None if draws is None else draws[k], measured.patients)}
            for k, (n, value) in enumerate(zip(grid, curve, strict=True))
        ],
        "needed": _needed(sizes, fitted, resampled),
    }


def size_weights(means: Floats) -> Floats:
    """One over the variance of the mean at every size.

    The variance at one size is known from a few repeats only: half of it is taken from the mean over sizes.

    Args:
        means: (K, B) float64, resampled.

    Returns:
        (K,) float64.
    """
    variances = np.maximum(means.var(axis=1), LEAST_VARIANCE)
    return 2 / (variances + variances.mean())


def _entry(value: float, drawn: Floats | None, patients: int) -> dict[str, float | None]:
    ends = None if drawn is None else percentile_interval(drawn, patients=patients)
    low, high = (None, None) if ends is None else ends
    return {"value": float(value) if np.isfinite(value) else None, "low": low, "high": high}


def _needed(sizes: Floats, fitted: PowerLaws, resampled: PowerLaws | None) -> dict[str, Any]:
    """How many images beyond the largest size a curve needs for one point more than it has there."""
    estimate = float(_images_more(sizes, fitted)[0])
    if np.isnan(fitted.slope[0]):
        return _unknown(sizes, "no gain: the metric did not rise with the number of images")
    if resampled is None:
        return _unknown(sizes, "one repeat, or too few patients: nothing says how far the curve is to be trusted")
    drawn = np.sort(_images_more(sizes, resampled))
    # Infinite numbers have a place in an order, and no mean with their neighbour.
    low = float(drawn[int(0.025 * (len(drawn) - 1))])
    high = float(drawn[int(np.ceil(0.975 * (len(drawn) - 1)))])
    most = (FARTHEST - 1) * sizes[-1]
    if low > most:
        return _unknown(sizes, "no gain: a point more is beyond ten times the images there are, if it can be had")
    entry = {"points": POINT, "beyond": int(sizes[-1]), "value": estimate, "low": low, "high": high, "why": None}
    if not np.isfinite(estimate) or estimate > most:
        entry["value"] = None
    if len(sizes) < SIZES_FOR_FLOOR:
        why = "three sizes do not show where the curve ends: the number is what it takes if it never does"
        return {**entry, "high": None, "why": why}
    if high > most:
        return {**entry, "high": None, "why": "the interval has no end within ten times the images there are"}
    return entry


def _images_more(sizes: Floats, laws: PowerLaws) -> Floats:
    return laws.images_for(laws.error(sizes[-1:])[0] - POINT) - sizes[-1]


def _unknown(sizes: Floats, why: str) -> dict[str, Any]:
    return {"points": POINT, "beyond": int(sizes[-1]), "value": None, "low": None, "high": None, "why": why}
