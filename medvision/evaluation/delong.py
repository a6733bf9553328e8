"""Two areas under the ROC curve of the same cases.

Sources: DeLong, DeLong & Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
characteristic curves (Biometrics 44, 1988); Obuchowski, Nonparametric analysis of clustered ROC curve data (Biometrics
53, 1997), which is the same where every patient has one case; Sun & Xu, Fast implementation of DeLong's algorithm (IEEE
Signal Processing Letters 21, 2014), for placements from ranks.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import rankdata

# A standard error below this is one of rounding.
TIE = 1e-12


@dataclass(frozen=True)
class AreaTest:
    """The test of a difference between two areas.

    Args:
        difference: of the second minus the first.
        error: its standard error; nan where one patient alone shows the class, or alone does not.
        statistic: difference by error, normal where both areas are the same; nan where undefined.
        p: two-sided; nan where undefined.
    """

    difference: float
    error: float
    statistic: float
    p: float


def placements(scores: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How well each case lies on its side: the share of cases of the other kind that it is ranked right against.

    Args:
        scores: (n,) float64; ties count half.
        truth: (n,) bool, with cases of both kinds.

    Returns:
        (n,) float64 in [0, 1]; the mean of those of either kind is the AUROC.
    """
    placed = np.empty(len(scores))
    everyone = rankdata(scores)
    for kind in (True, False):
        own = truth == kind
        below = (everyone[own] - rankdata(scores[own])) / np.count_nonzero(~own)
        placed[own] = below if kind else 1 - below
    return placed


def compare_areas(first: np.ndarray, second: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> AreaTest:
    """Test whether two areas of the same cases differ; cases of a patient may go together.

    Args:
        first: (n,) float64, placements by one model, or their mean over several runs of it.
        second: (n,) float64, by another.
        truth: (n,) bool, with cases of both kinds.
        groups: (n,) int64, the patient of each case, numbered from 0.
    """
    gained = second - first
    difference = float(gained[truth].mean())
    error = _difference_error(gained, difference, truth, groups)
    if np.isnan(error):
        return AreaTest(difference, error, np.nan, np.nan)
    if error < TIE:
        same = abs(difference) < TIE
        return AreaTest(difference, 0.0, 0.0 if same else np.nan, 1.0 if same else np.nan)
    z = difference / error
    return AreaTest(difference, error, z, float(2 * ndtr(-abs(z))))


def _difference_error(gained: np.ndarray, difference: float, truth: np.ndarray, groups: np.ndarray) -> float:
    """Obuchowski's standard error, of sums over patients (1997, section 3)."""
    patients = int(groups.max()) + 1
    sides, variance = [], 0.0
    for kind in (truth, ~truth):
        sums = np.bincount(groups[kind], gained[kind] - difference, minlength=patients)
        with_any = len(np.unique(groups[kind]))
        if with_any < 2:
            return float(np.nan)
        cases = np.count_nonzero(kind)
        variance += with_any / (with_any - 1) * float(sums @ sums) / cases**2
        sides.append(sums / cases)
    # Patients with cases of both kinds.
    variance += 2 * patients / (patients - 1) * float(sides[0] @ sides[1])
    return float(np.sqrt(max(variance, 0.0)))
