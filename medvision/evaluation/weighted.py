"""Metrics of weighted cases, many weightings at once.

A weight says how often a case counts. With all weights 1 these are the metrics themselves; with the number of times a
patient was drawn they are the metrics of a bootstrap resample. One definition serves both. The definitions are those
of scikit-learn with `sample_weight`, except that what is undefined is nan here; those of calibration stand in
`calibration.py`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medvision.evaluation.calibration import (
    brier_losses,
    expected_calibration_error,
    fit_intercept,
    fit_slope,
    stated,
)
from medvision.evaluation.cases import Cases

EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Ranking:
    """Cases from the highest to the lowest score.

    Args:
        order: (n,) int64, the cases in this order.
        positive: (n,) bool, whether they show the class, in this order.
        ends: positions of the last case of every distinct score.
    """

    order: np.ndarray
    positive: np.ndarray
    ends: np.ndarray


def rank_cases(scores: np.ndarray, truth: np.ndarray) -> Ranking:
    """Sort cases once, so that any weighting of them can be scored.

    Args:
        scores: (n,) float64.
        truth: (n,) bool.
    """
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return Ranking(order, truth[order], ends)


def ranked_areas(ranking: Ranking, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area under the ROC curve and average precision; ties count half, and as one threshold.

    Args:
        ranking: of n cases.
        weights: (n, R) float64, not negative.

    Returns:
        AUROC and average precision, each (R,) float64; nan where positives or (for AUROC) negatives have no weight.
    """
    ordered = weights[ranking.order]
    total = _cumulate(ordered, ranking.ends)
    ordered[~ranking.positive] = 0
    hits = _cumulate(ordered, ranking.ends)
    alarms = total - hits
    new_hits = np.diff(hits, axis=0, prepend=0)
    new_alarms = np.diff(alarms, axis=0, prepend=0)
    under = np.einsum("ij,ij->j", new_alarms, hits) - np.einsum("ij,ij->j", new_alarms, new_hits) / 2
    precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    auroc = _ratio(under, hits[-1] * alarms[-1])
    return auroc, _ratio(np.einsum("ij,ij->j", new_hits, precision), hits[-1])


def _cumulate(values: np.ndarray, ends: np.ndarray) -> np.ndarray:
    sums = np.cumsum(values, axis=0)
    return sums if len(ends) == len(sums) else sums[ends]


@dataclass(frozen=True)
class Recalibration:
    """The logits of a class, and what recalibrating them gives on all cases, from where resamples are close.

    Args:
        logits: (n,) float64, of the class against all others.
        line: intercept and slope; nan where the logits separate the class.
        intercept: with a slope of 1.
    """

    logits: np.ndarray
    line: tuple[float, float]
    intercept: float


@dataclass(frozen=True)
class Scorer:
    """Scores cases under any weights; what does not depend on the weights is computed once.

    Args:
        cases: what is scored.
    """

    cases: Cases

    @cached_property
    def present(self) -> np.ndarray:
        """(K,) bool, the classes that occur. Means are over these."""
        return np.asarray(self.cases.truth.any(axis=0))

    @cached_property
    def ranked(self) -> dict[int, Ranking]:
        """Rankings of the classes that some cases show and others do not."""
        truth = self.cases.truth
        decided = np.flatnonzero(self.present & ~truth.all(axis=0))
        return {int(k): rank_cases(self.cases.probabilities[:, k], truth[:, k]) for k in decided}

    @cached_property
    def losses(self) -> np.ndarray:
        """(n,) float64, cross-entropy in nats; for several labels the mean of their binary ones."""
        truth, chances = self.cases.truth, np.clip(self.cases.probabilities, EPSILON, 1 - EPSILON)
        if self.cases.multilabel:
            return -np.log(np.where(truth, chances, 1 - chances)).mean(axis=1)
        return -np.log(np.where(truth, chances, 1).prod(axis=1))

    @cached_property
    def squares(self) -> np.ndarray:
        """(n,) float64, what each case adds to the Brier score."""
        return brier_losses(self.cases.probabilities, self.cases.truth, multilabel=self.cases.multilabel)

    @cached_property
    def recalibrated(self) -> dict[int, Recalibration]:
        """Of the second of two classes, otherwise of each class."""
        cases = self.cases
        ones = np.ones((len(cases.truth), 1))
        found = {}
        for k in range(len(cases.classes)) if self._by_class else [1]:
            chances = cases.probabilities[:, k]
            others = 1 - chances if cases.multilabel else np.delete(cases.probabilities, k, axis=1).sum(axis=1)
            logits = np.log(np.maximum(chances, EPSILON)) - np.log(np.maximum(others, EPSILON))
            line = fit_slope(logits, cases.truth[:, k], ones, (0.0, 0.0))[:, 0]
            intercept = fit_intercept(logits, cases.truth[:, k], ones)[0]
            found[k] = Recalibration(logits, (float(line[0]), float(line[1])), float(intercept))
        return found

    @property
    def _by_class(self) -> bool:
        return self.cases.multilabel or len(self.cases.classes) != 2

    @cached_property
    def correct(self) -> np.ndarray:
        """(n,) float64, 1 where exactly the true classes were predicted."""
        return (self.cases.truth == self.cases.predicted).all(axis=1).astype(np.float64)

    @cached_property
    def counted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(K, n) float64 three times: true and predicted, true, predicted."""
        truth, predicted = self.cases.truth.T, self.cases.predicted.T
        hits, truly, said = (array.astype(np.float64) for array in (truth & predicted, truth, predicted))
        return hits, truly, said

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """All metrics under each weighting.

        A mean over classes is over those that occur among the cases, and nan where the weights leave one of them out.

        Args:
            weights: (n, R) float64, not negative, not all 0.

        Returns:
            (R,) float64 for every metric; nan where it is undefined.
        """
        total = weights.sum(axis=0)
        hits, true, said = (rows @ weights for rows in self.counted)
        classes = self._class_metrics(hits, true, said, total) | self._area_metrics(weights)
        metrics = {"accuracy": self.correct @ weights / total}
        if self.cases.multilabel:
            metrics |= {name: self._mean(classes[name]) for name in ("sensitivity", "specificity")}
        else:
            metrics["balanced_accuracy"] = self._mean(classes["sensitivity"])
        metrics["f1"] = self._mean(classes["f1"])
        metrics |= {name: self._area(classes[name]) for name in ("auroc", "average_precision")}
        if not self.cases.multilabel:
            metrics["kappa"] = cohens_kappa(hits.sum(axis=0), (true * said).sum(axis=0), total)
        metrics["log_loss"] = self.losses @ weights / total
        metrics |= self._calibration_metrics(weights, total)
        for name, rows in classes.items():
            metrics |= {f"{name}_{label}": row for label, row in zip(self.cases.classes, rows, strict=True)}
        return metrics

    def _class_metrics(
        self, hits: np.ndarray, true: np.ndarray, said: np.ndarray, total: np.ndarray
    ) -> dict[str, np.ndarray]:
        """(K, R) each. Of an absent class only the specificity says anything."""
        occurs = np.where(true > 0, 1.0, np.nan)
        negatives = total - true
        return {
            "sensitivity": _ratio(hits, true),
            "specificity": _ratio(negatives - (said - hits), negatives),
            "precision": _ratio(hits, said) * occurs,
            "npv": _ratio(negatives - (said - hits), total - said) * occurs,
            "f1": _ratio(2 * hits, true + said) * occurs,
        }

    def _calibration_metrics(self, weights: np.ndarray, total: np.ndarray) -> dict[str, np.ndarray]:
        cases = self.cases
        judged = stated(cases.probabilities, cases.truth, multilabel=cases.multilabel)
        errors = [expected_calibration_error(scores, truth, weights) for scores, truth in judged]
        metrics = {"brier": self.squares @ weights / total, "ece": np.mean(errors, axis=0)}
        for k, known in self.recalibrated.items():
            suffix = f"_{cases.classes[k]}" if self._by_class else ""
            truth, undefined = cases.truth[:, k], np.full(len(total), np.nan)
            # What separates all cases separates any of them.
            separated = np.isnan(known.line[1])
            slope = undefined if separated else fit_slope(known.logits, truth, weights, known.line)[1]
            alone = np.isnan(known.intercept)
            intercept = undefined if alone else fit_intercept(known.logits, truth, weights, known.intercept)
            metrics |= {f"calibration_slope{suffix}": slope, f"calibration_intercept{suffix}": intercept}
        return metrics

    def _area_metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        shape = (len(self.cases.classes), weights.shape[1])
        auroc, precision = np.full(shape, np.nan), np.full(shape, np.nan)
        for k, ranking in self.ranked.items():
            auroc[k], precision[k] = ranked_areas(ranking, weights)
        return {"auroc": auroc, "average_precision": precision}

    def _mean(self, rows: np.ndarray) -> np.ndarray:
        return rows[self.present].mean(axis=0) if self.present.any() else np.full(rows.shape[1], np.nan)

    def _area(self, rows: np.ndarray) -> np.ndarray:
        """Of two exclusive classes the second is the positive one; otherwise the mean."""
        if len(rows) == 2 and not self.cases.multilabel:
            return rows[1]
        decided = sorted(self.ranked)
        return rows[decided].mean(axis=0) if decided else np.full(rows.shape[1], np.nan)


def cohens_kappa(agreed: np.ndarray, chance: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Cohen's kappa without weights between classes (Cohen 1960).

    Args:
        agreed: (R,) sum of the diagonal of the confusion matrix.
        chance: (R,) sum over classes of row sum times column sum.
        total: (R,) sum of the whole matrix.

    Returns:
        (R,) float64; nan where chance alone agrees always.
    """
    return _ratio(agreed * total - chance, total * total - chance)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
