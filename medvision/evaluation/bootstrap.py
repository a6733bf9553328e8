"""Resamples that draw or leave out patients: images of one patient are not independent of each other."""

from collections.abc import Callable, Iterator

import numpy as np

LEVEL = 0.95
# Values of a block of weights; larger ones leave the processor's cache and are slower.
BLOCK = 250_000
# Parts of the patients, left out one after the other; the acceleration is known well enough from as many.
MOST_LEFT_OUT = 500


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


def jackknife_metrics(
    score: Callable[[np.ndarray], dict[str, np.ndarray]], groups: np.ndarray
) -> dict[str, np.ndarray]:
    """Score all cases but those of one patient, for each in turn; of many patients several are left out at once.

    Args:
        score: metrics of weights (n, R), (R,) each.
        groups: (n,) int64, the patient of each case, numbered from 0.

    Returns:
        (J,) float64 for every metric, J the number of patients, `MOST_LEFT_OUT` at most.
    """
    parts_of = groups % MOST_LEFT_OUT
    patients = int(parts_of.max()) + 1
    block = max(1, BLOCK // len(groups))
    parts = [
        score((parts_of[:, None] != np.arange(start, min(start + block, patients))).astype(np.float64))
        for start in range(0, patients, block)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
