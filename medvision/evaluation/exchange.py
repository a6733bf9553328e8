"""Whether two models could be exchanged: McNemar's test of cases, swaps of all answers to a patient, signed ranks.

Sources: McNemar, Note on the sampling error of the difference between correlated proportions (Psychometrika 12, 1947);
Fagerland, Lydersen & Laake, The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than exact
conditional (BMC Medical Research Methodology 13, 2013); Davison & Hinkley, Bootstrap Methods and their Application
(1997), chapter 4, for permutations; Smucker, Allan & Carterette, A comparison of statistical significance tests for
information retrieval evaluation (CIKM 2007), for swapping the answers of two systems; Wilcoxon, Individual comparisons
by ranking methods (Biometrics Bulletin 1, 1945).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom, wilcoxon

PERMUTATIONS = 9_999
# So many patients on which models differ are swapped in every way there is.
MOST_EXACT = 13
BLOCK = 1_000
TIE = 1e-9
DIGITS = 12


@dataclass(frozen=True)
class McNemar:
    """The exact test of two proportions of the same cases.

    Args:
        only_first: cases that only the first model answers right.
        only_second: cases that only the second one does.
        p: two-sided, exact.
        p_mid: two-sided, mid-p, which is less cautious.
    """

    only_first: int
    only_second: int
    p: float
    p_mid: float


def mcnemar(first: np.ndarray, second: np.ndarray) -> McNemar:
    """Test whether two models are right equally often; every case of another patient.

    Args:
        first: (n,) bool, whether one model is right.
        second: (n,) bool, whether the other is.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart, fewer = only_first + only_second, min(only_first, only_second)
    if apart == 0:
        return McNemar(0, 0, 1.0, 1.0)
    doubled = 2 * float(binom.cdf(fewer, apart, 0.5))
    return McNemar(only_first, only_second, min(1.0, doubled), doubled - float(binom.pmf(fewer, apart, 0.5)))


@dataclass(frozen=True)
class SwapTest:
    """The test of a metric by swapping both models' answers to patients.

    Args:
        difference: of the second minus the first.
        p: two-sided; nan where the metric is undefined.
        exact: whether all ways to swap were tried.
    """

    difference: float
    p: float
    exact: bool


def swap_patients(
    first: np.ndarray,
    second: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> SwapTest:
    """Test a metric that depends on counts; if the models are alike, whose answers are whose does not matter.

    All answers to a patient are swapped together, so they may go together as they like.

    Args:
        first: (P, L, C) float64, counts of one model for each patient in each of L runs, whose metrics are averaged.
        second: (P, L, C) float64, those of the other.
        score: metric (...,) of summed counts (..., C).
        permutations: to draw where there are too many ways to swap.
        seed: of the draws.
    """
    apart = second - first
    swaps = (apart != 0).any(axis=(1, 2))
    apart, before, after = apart[swaps], first.sum(axis=0), second.sum(axis=0)

    def differ(swapped: np.ndarray) -> np.ndarray:
        moved = np.tensordot(swapped, apart, axes=1)
        return np.asarray((score(after - moved) - score(before + moved)).mean(axis=-1))

    exact = len(apart) <= MOST_EXACT
    difference = float(differ(np.zeros((1, len(apart))))[0])
    if np.isnan(difference):
        return SwapTest(difference, np.nan, exact)
    blocks = _every_way(len(apart)) if exact else _draw_ways(len(apart), permutations, seed)
    drawn = np.concatenate([differ(block) for block in blocks])
    # A swap that leaves the metric undefined counts for the models being alike.
    as_far = int((~(np.abs(drawn) < abs(difference) - TIE)).sum())
    p = as_far / len(drawn) if exact else (as_far + 1) / (permutations + 1)
    return SwapTest(difference, p, exact)


def _every_way(patients: int) -> Iterator[np.ndarray]:
    """All (2^P, P) of 0 and 1, as they are among them."""
    yield ((np.arange(2**patients)[:, None] >> np.arange(patients)) & 1).astype(np.float64)


def _draw_ways(patients: int, permutations: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    for start in range(0, permutations, BLOCK):
        yield generator.integers(2, size=(min(BLOCK, permutations - start), patients)).astype(np.float64)


def signed_ranks(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Wilcoxon's test of paired values; exact of few, normal of many. Pairs without a difference say nothing.

    Args:
        first: (n,) float64, such as the Dice of each patient by one model.
        second: (n,) float64, by the other.

    Returns:
        The smaller sum of ranks and the two-sided p; 0 and 1 where no pair differs.
    """
    # Means of the same values in another order differ in their last digits.
    apart = np.round(second - first, DIGITS)
    apart = apart[apart != 0]
    if len(apart) == 0:
        return 0.0, 1.0
    found = wilcoxon(apart)
    return float(found.statistic), float(found.pvalue)
