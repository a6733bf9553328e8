"""The points of ROC, precision-recall, reliability and decision curves, with bands, as they stand in `curves.json`.

Sources: Fawcett, An introduction to ROC analysis (Pattern Recognition Letters 27, 2006), for bands at fixed
specificities; Davis & Goadrich, The relationship between precision-recall and ROC curves (ICML 2006), for why precision
is not interpolated; Vickers & Elkin, Decision curve analysis (Medical Decision Making 26, 2006), for the net benefit.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.evaluation.bootstrap import bootstrap_metrics
from medvision.evaluation.calibration import reliability_points
from medvision.evaluation.cases import Cases, cases_by_level
from medvision.evaluation.decision import undo_temperature
from medvision.evaluation.folds import Decisions, any_temperature, first_repeat, thresholds_by_fold
from medvision.evaluation.intervals import percentile_interval
from medvision.evaluation.metrics import patients_behind
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.predictions import check_predictions
from medvision.evaluation.weighted import Ranking, Scorer

Floats = npt.NDArray[np.float64]
Points = dict[str, Any]

# Divided, so that 0.29 is the double that 29 cases of 100 give.
GRID: Floats = np.arange(101) / 100
# At 1 the odds are infinite.
THRESHOLDS: Floats = GRID[:-1]
ODDS: Floats = THRESHOLDS / (1 - THRESHOLDS)
DECIMALS = 5
# Products of shares and counts differ in their last digits from whole numbers.
TIE = 1e-9


def curves(
    table: pd.DataFrame,
    classes: Sequence[str],
    *,
    multilabel: bool = False,
    resamples: int = 2000,
    seed: int = 0,
    decision: Decisions = UNCHANGED,
) -> dict[str, Points]:
    """The points of all curves of one split, at every level, with pointwise 95 % bands over patients.

    Of a repeated cross-validation these are the curves of the first repeat: a mean of curves is the curve of no model.

    Args:
        table: the rows of one split of the prediction table, calibrated and decided.
        classes: their names in order; of two exclusive ones only the second has curves.
        multilabel: several classes an image, or none.
        resamples: of the bootstrap over patients; 0 for no bands.
        seed: of the bootstrap.
        decision: what has been applied to the table.

    Returns:
        {level: {`roc`, `pr`: {class: {x, y, low, high}}, `pr` with the `prevalence`; `operating_point`: {class:
        {sensitivity, specificity, precision, threshold}}, of folds with `thresholds`, {fold: threshold}, and a
        `threshold` only where it is that of all folds; `reliability`: {calibrated, uncalibrated: {class or top:
        {predicted, observed, low, high, n}}}; `net_benefit`: {class: {threshold, model, low, high, all}}}}. Lists of
        numbers with 5 decimals, None where undefined. A class that no case shows, or every case, has no curves; three
        exclusive classes or more have no operating points and no net benefit; `uncalibrated` is there where the
        temperature is not 1. A ROC curve starts in (0, 0), so its x has 0 twice. Without resamples, or of one patient,
        `low` and `high` are empty.

    Raises:
        DataError: the table is not one that can be scored.
    """
    table = first_repeat(table)
    check_predictions(table, classes, multilabel=multilabel)
    levels = cases_by_level(table, classes, multilabel=multilabel, decision=decision)
    before: dict[str, Cases] = {}
    if any_temperature(decision):
        raw = undo_temperature(table, classes, decision, multilabel=multilabel)
        before = cases_by_level(raw, classes, multilabel=multilabel, decision=decision)
    found = {}
    for level, cases in levels.items():
        reliability = {"calibrated": _reliability(cases, resamples, seed)}
        if level in before:
            reliability["uncalibrated"] = _reliability(before[level], resamples, seed)
        found[level] = {
            **ranked_curves(cases, resamples=resamples, seed=seed),
            "operating_point": _operating_points(cases, level, decision),
            "reliability": reliability,
        }
    return found


def ranked_curves(cases: Cases, *, resamples: int, seed: int) -> dict[str, Points]:
    """`roc`, `pr` and `net_benefit` of the cases of one level, as in `curves`.

    Args:
        cases: images, studies or patients.
        resamples: of the bootstrap over patients; 0 for no bands.
        seed: of the bootstrap.
    """
    curved = [_Curved(cases, k, ranking) for k, ranking in _rankings(cases).items()]
    found: dict[str, Points] = {"roc": {}, "pr": {}, "net_benefit": {}}
    if not curved:
        return found

    def score(weights: Floats) -> dict[str, Floats]:
        # (R, G) each: the bootstrap joins blocks of resamples along the first axis.
        return {f"{kind} {one.name}": rows for one in curved for kind, rows in one.draw(weights).items()}

    lines = score(np.ones((len(cases.truth), 1)))
    drawn = bootstrap_metrics(score, cases.groups, resamples, seed) if resamples and cases.patients > 1 else {}
    behind = patients_behind(cases)
    for one in curved:
        name, prevalence = one.name, one.prevalence
        roc, pr = f"roc {name}", f"pr {name}"
        start = [0.0] if drawn else []
        band = _band(drawn.get(roc), behind[f"auroc_{name}"])
        found["roc"][name] = {
            "x": [0.0, *GRID.tolist()],
            "y": [0.0, *_plain(lines[roc][0])],
            **{key: [*start, *ends] for key, ends in band.items()},
        }
        band = _band(drawn.get(pr), behind[f"average_precision_{name}"])
        found["pr"][name] = {"x": GRID.tolist(), "y": _plain(lines[pr][0]), **band, "prevalence": _round(prevalence)}
        if _decided_apart(cases):
            benefit = f"net_benefit {name}"
            found["net_benefit"][name] = {
                "threshold": THRESHOLDS.tolist(),
                "model": _plain(lines[benefit][0]),
                **_band(drawn.get(benefit), cases.patients),
                "all": _plain(prevalence - (1 - prevalence) * ODDS),
            }
    return found


def _rankings(cases: Cases) -> dict[int, Ranking]:
    """The classes that have curves: of two exclusive ones the second."""
    ranked = Scorer(cases).ranked
    return {k: ranking for k, ranking in ranked.items() if cases.multilabel or len(cases.classes) > 2 or k == 1}


def _decided_apart(cases: Cases) -> bool:
    """Whether each class that has curves has a threshold, too."""
    return cases.multilabel or len(cases.classes) == 2


class _Curved:
    """A class whose curves are drawn under any weights.

    Args:
        cases: n of one level.
        k: the class.
        ranking: of the cases by its probability.
    """

    def __init__(self, cases: Cases, k: int, ranking: Ranking) -> None:
        self.name = cases.classes[k]
        self.prevalence = float(ranking.positive.mean())
        self.ranking = ranking
        self.said = None
        if _decided_apart(cases):
            scores = cases.probabilities[:, k]
            self.said = len(scores) - np.searchsorted(np.sort(scores), THRESHOLDS)

    def draw(self, weights: Floats) -> dict[str, Floats]:
        """Weights (n, R) -> {kind of curve: (R, G)}; nan where the weights leave one side without cases."""
        ordered = weights[self.ranking.order].T.copy()
        counted = np.cumsum(ordered, axis=1)
        shown = np.cumsum(ordered * self.ranking.positive, axis=1)
        said, hits = counted[:, self.ranking.ends], shown[:, self.ranking.ends]
        lines = {"roc": sensitivity_at(hits, said - hits), "pr": precision_at(hits, said)}
        if self.said is not None:
            said, hits = (_after_none(sums)[:, self.said] for sums in (counted, shown))
            lines["net_benefit"] = (hits - (said - hits) * ODDS) / counted[:, -1:]
        return lines


def _after_none(sums: Floats) -> Floats:
    """Sums over the first 1, 2, … cases, with the sum over none before them."""
    return np.pad(sums, ((0, 0), (1, 0)))


def sensitivity_at(hits: Floats, alarms: Floats) -> Floats:
    """The ROC curve at the values of 1 - specificity of `GRID`, its upper end where it is vertical.

    Args:
        hits: (R, m) float64, weight of the cases with the class up to each of m thresholds, highest first.
        alarms: (R, m) float64, of those without.

    Returns:
        (R, 101) float64; nan where one side has no weight.
    """
    answer = np.full((len(hits), len(GRID)), np.nan)
    for row, (true, false) in enumerate(zip(_after_none(hits), _after_none(alarms), strict=True)):
        if true[-1] > 0 and false[-1] > 0:
            answer[row] = np.interp(GRID, false / false[-1], true / true[-1])
    return answer


def precision_at(hits: Floats, said: Floats) -> Floats:
    """The precision at the sensitivities of `GRID`: that of the highest threshold which reaches each.

    The area under these steps is the average precision of scikit-learn. At sensitivity 0 stands the precision of the
    highest threshold that finds any case.

    Args:
        hits: (R, m) float64, weight of the cases with the class up to each of m thresholds, highest first.
        said: (R, m) float64, of all cases.

    Returns:
        (R, 101) float64; nan where no case with the class has weight.
    """
    answer = np.full((len(hits), len(GRID)), np.nan)
    for row, (true, total) in enumerate(zip(hits, said, strict=True)):
        if true[-1] > 0:
            wanted = np.maximum(GRID * true[-1], true[true > 0][0])
            first = np.searchsorted(true, wanted - TIE)
            answer[row] = true[first] / total[first]
    return answer


def _band(drawn: Floats | None, patients: int) -> dict[str, list[float | None]]:
    """Low and high from the resamples (R, G), a pair a point."""
    if drawn is None:
        return {"low": [], "high": []}
    ends = [percentile_interval(column, patients=patients) or (np.nan, np.nan) for column in drawn.T]
    return {"low": _plain([low for low, _ in ends]), "high": _plain([high for _, high in ends])}


def _operating_points(cases: Cases, level: str, decision: Decisions) -> Points:
    """What the decisions give, of the classes that have curves and a threshold."""
    points: Points = {}
    for k in _rankings(cases) if _decided_apart(cases) else ():
        true, said, name = cases.truth[:, k], cases.predicted[:, k], cases.classes[k]
        shares = {
            "sensitivity": said[true].mean(),
            "specificity": (~said[~true]).mean(),
            "precision": true[said].mean() if said.any() else np.nan,
        }
        rounded = dict(zip(shares, _plain(list(shares.values())), strict=True))
        points[name] = {**rounded, **thresholds_by_fold(decision, level, name)}
    return points


def _reliability(cases: Cases, resamples: int, seed: int) -> Points:
    found = reliability_points(cases, resamples, seed)
    return {
        name: {key: values if key == "n" else _plain(values) for key, values in points.items()}
        for name, points in found.items()
    }


def _plain(values: Sequence[float] | Floats) -> list[float | None]:
    """Numbers as they stand in a JSON file."""
    return [_round(value) for value in values]


def _round(value: float) -> float | None:
    return round(float(value), DECIMALS) if np.isfinite(value) else None
