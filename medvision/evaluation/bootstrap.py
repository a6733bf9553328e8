"""Intervals from a bootstrap that draws patients: images of one patient are not independent of each other."""

from collections.abc import Callable, Iterator

import numpy as np

LEVEL = 0.95
# Values of a block of weights; larger ones leave the processor's cache and are slower.
BLOCK = 250_000


def draw_patients(patients: int, resamples: int, seed: int, block: int) -> Iterator[np.ndarray]:
    """How often each patient is drawn in each resample, with replacement, as many draws as there are patients.

    Args:
        patients: how many there are.
        resamples: how many resamples.
        seed: the same seed gives the same draws, whatever the block.
        block: how many resamples to hold at once.

    Yields:
        (patients, up to `block`) float64.
    """
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        counts = [np.bincount(generator.integers(patients, size=patients), minlength=patients) for _ in range(size)]
        yield np.array(counts, dtype=np.float64).T.copy()


def bootstrap_metrics(
    score: Callable[[np.ndarray], dict[str, np.ndarray]], groups: np.ndarray, resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Score resamples of patients; all images of a patient are drawn together.

    Args:
        score: metrics of weights (n, R), (R,) each.
        groups: (n,) int64, the patient of each case, numbered from 0.
        resamples: how many, at least 1.
        seed: of the draws.

    Returns:
        (resamples,) float64 for every metric.
    """
    block = max(1, BLOCK // len(groups))
    draws = draw_patients(int(groups.max()) + 1, resamples, seed, block)
    parts = [score(counts[groups]) for counts in draws]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def percentile_interval(values: np.ndarray, level: float = LEVEL) -> tuple[float, float] | None:
    """The middle part of the resampled values.

    Args:
        values: (R,) float64; nan where a resample does not define the metric.
        level: how much of them the interval holds.

    Returns:
        Low and high end; None where less than half of the resamples define the metric, for the others would then say
        more about which patients were drawn than about the metric.
    """
    defined = values[np.isfinite(values)]
    if len(defined) == 0 or 2 * len(defined) < len(values):
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
