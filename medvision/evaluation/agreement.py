"""How far clusters are the classes, and whether they are patients instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

from medvision.evaluation.intervals import Entry, Method, interval_entry, resample

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

AGAINST = {"adjusted_rand": "adjusted Rand index", "nmi": "normalised mutual information", "accuracy": "accuracy"}
TOGETHER = {
    "same_patient": "same patient, same class",
    "same_class": "other patient, same class",
    "other_class": "other patient, other class",
}
"""Pairs of images; what is measured is in how many both are in one cluster."""
GAPS = {"patient_gap": ("same_patient", "same_class"), "class_gap": ("same_class", "other_class")}


@dataclass(frozen=True)
class AgreementScorer:
    """Scores clusters against classes under any weights of the images.

    Args:
        clusters: (n,) int64, 0 to k - 1.
        classes: (n,) int64, 0 to K - 1.
        groups: (n,) int64, the patient of each image, numbered from 0.
        k: how many clusters there are, also where none of these images is in the last.
        count: K, how many classes there are.
    """

    clusters: Integers
    classes: Integers
    groups: Integers
    k: int
    count: int

    @cached_property
    def _cells(self) -> Floats:
        """(k * K, n), 1 where an image is in the cell of its cluster and class."""
        cells = np.zeros((self.k * self.count, len(self.clusters)))
        cells[self.clusters * self.count + self.classes, np.arange(len(self.clusters))] = 1
        return cells

    @cached_property
    def _patients(self) -> Floats:
        """(P, k * K), how many images of each patient are in each cell."""
        counts = np.zeros((int(self.groups.max()) + 1, len(self._cells)))
        np.add.at(counts, (self.groups, self.clusters * self.count + self.classes), 1)
        return counts

    def __call__(self, weights: Floats) -> dict[str, Floats]:
        """All scores under each weighting; the weight of a patient is that of each of the images.

        Args:
            weights: (n, R) float64, not negative, not all 0.

        Returns:
            (R,) float64 for every score; nan where it is undefined.
        """
        shape = (self.k, self.count, -1)
        sums = (self._cells @ weights).reshape(shape)
        squares = (self._cells @ weights**2).reshape(shape)
        scores = {
            "adjusted_rand": adjusted_rand(sums, squares),
            "nmi": normalised_information(sums),
            "accuracy": matched_share(sums),
            **self._together(weights),
        }
        for gap, (more, less) in GAPS.items():
            scores[gap] = scores[more] - scores[less]
        return scores

    def _together(self, weights: Floats) -> dict[str, Floats]:
        """The share of the pairs of images of each kind of which both are in one cluster."""
        _, first = np.unique(self.groups, return_index=True)
        drawn = weights[first]
        cells = self._patients.reshape(-1, self.k, self.count)
        of_class, of_cluster, of_patient = cells.sum(axis=1), cells.sum(axis=2), cells.sum(axis=(1, 2))[:, None]
        same_cell, same_class = (_pairs_across(counts, drawn) for counts in (self._patients, of_class))
        same_cluster, everyone = (_pairs_across(counts, drawn) for counts in (of_cluster, of_patient))
        return {
            "same_patient": _ratio(_pairs_within(self._patients, drawn), _pairs_within(of_class, drawn)),
            "same_class": _ratio(same_cell, same_class),
            "other_class": _ratio(same_cluster - same_cell, everyone - same_class),
        }


def _pairs_within(counts: Floats, drawn: Floats) -> Floats:
    """Pairs of images of one patient in one column of (P, C) counts, (R,); patients count as often as drawn (P, R)."""
    return np.asarray((counts * (counts - 1)).sum(axis=1) @ drawn / 2)


def _pairs_across(counts: Floats, drawn: Floats) -> Floats:
    """The same of two patients."""
    both = ((counts.T @ drawn) ** 2).sum(axis=0)
    return np.asarray((both - (counts**2).sum(axis=1) @ drawn**2) / 2)


def adjusted_rand(sums: Floats, squares: Floats) -> Floats:
    """The adjusted Rand index (Hubert & Arabie 1985): 1 for the same groups, 0 in the mean for groups by chance.

    A pair of images weighs as the product of their weights; an image drawn twice is no pair with itself, which would
    agree always.

    Args:
        sums: (k, K, R) float64, the weights of the images in each cluster and class.
        squares: likewise, of their squared weights.

    Returns:
        (R,) float64; nan where clusters and classes both put all images together or all apart.
    """
    agreed = _pairs(sums, squares).sum(axis=(0, 1))
    by_cluster = _pairs(sums.sum(axis=1), squares.sum(axis=1)).sum(axis=0)
    by_class = _pairs(sums.sum(axis=0), squares.sum(axis=0)).sum(axis=0)
    everyone = _pairs(sums.sum(axis=(0, 1)), squares.sum(axis=(0, 1)))
    chance = _ratio(by_cluster * by_class, everyone)
    return _ratio(agreed - chance, (by_cluster + by_class) / 2 - chance)


def _pairs(sums: Floats, squares: Floats) -> Floats:
    return np.asarray((sums**2 - squares) / 2)


def normalised_information(sums: Floats) -> Floats:
    """What clusters and classes say of each other, as a share of the mean of what each says: 0 nothing, 1 all.

    The mean is that of the two entropies (Vinh, Epps & Bailey 2010). It is not adjusted for chance, and the more
    groups there are the larger it is.

    Args:
        sums: (k, K, R) float64, the weights of the images in each cluster and class.

    Returns:
        (R,) float64; nan where neither says anything.
    """
    shares = sums / sums.sum(axis=(0, 1))
    clusters, classes = _entropy(shares.sum(axis=1)), _entropy(shares.sum(axis=0))
    both = _entropy(shares.reshape(-1, shares.shape[-1]))
    return _ratio(clusters + classes - both, (clusters + classes) / 2)


def _entropy(shares: Floats) -> Floats:
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    return np.asarray(-(shares * logs).sum(axis=0))


def matched_share(sums: Floats) -> Floats:
    """The accuracy of clusters that are each named after one class, in the best way (Kuhn 1955).

    No class gives its name to two clusters: the images of a cluster without a name are all wrong.

    Args:
        sums: (k, K, R) float64, the weights of the images in each cluster and class.

    Returns:
        (R,) float64.
    """
    columns = np.moveaxis(sums, -1, 0)
    best = [table[linear_sum_assignment(-table)].sum() for table in columns]
    return np.asarray(best / sums.sum(axis=(0, 1)))


def match_clusters(counts: npt.ArrayLike) -> list[int | None]:
    """The class after which each cluster is named.

    Args:
        counts: (k, K), images by cluster and class.

    Returns:
        The number of the class of each cluster; None where another cluster has its name.
    """
    table = np.asarray(counts)
    named = dict(zip(*(map(int, side) for side in linear_sum_assignment(-table)), strict=True))
    return [named.get(row) for row in range(len(table))]


def count_table(clusters: Integers, classes: Integers, k: int, count: int) -> Integers:
    """Images by cluster and class, (k, count) int64."""
    return np.bincount(clusters * count + classes, minlength=k * count).reshape(k, count)


def score_agreement(
    clusters: Integers,
    classes: Integers,
    groups: Integers,
    names: Sequence[str],
    k: int,
    *,
    resamples: int,
    seed: int,
    interval: Method,
) -> dict[str, Any]:
    """How far the clusters of some images are their classes.

    Args:
        clusters: (n,) int64, 0 to k - 1.
        classes: (n,) int64.
        groups: (n,) int64, the patient of each image, numbered from 0.
        names: of the classes.
        k: how many clusters there are.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.

    Returns:
        n, patients; `metrics` with an entry for each of `AGAINST`, `TOGETHER` and `GAPS`; `counts` (k, K); `classes`;
        `matched`, the class of each cluster or None; `largest_class`, the share of the images that have it.
    """
    score = AgreementScorer(clusters, classes, groups, k, len(names))
    resampled = resample(score, groups, resamples=resamples, seed=seed, method=interval)
    patients = int(groups.max()) + 1
    values = score(np.ones((len(clusters), 1)))
    entries: dict[str, Entry] = {
        name: {**interval_entry(name, float(value[0]), resampled, patients), "n": len(clusters), "patients": patients}
        for name, value in values.items()
    }
    counts = count_table(clusters, classes, k, len(names))
    matched = match_clusters(counts)
    return {
        "n": len(clusters),
        "patients": patients,
        "metrics": entries,
        "classes": list(names),
        "counts": counts.tolist(),
        "matched": [None if number is None else names[number] for number in matched],
        "largest_class": float(counts.sum(axis=0).max() / len(clusters)),
    }


def compare_partitions(clusters: Integers, others: Mapping[str, Integers]) -> dict[str, dict[str, float]]:
    """Clusters against other groups of the same images, such as classes and patients, adjusted for chance or not.

    The adjusted mutual information (Vinh, Epps & Bailey 2010) is 0 in the mean for groups by chance, however many
    there are: with it classes and patients can be compared, with the normalised one they cannot.

    Args:
        clusters: (n,) int64.
        others: name -> (n,) int64.
    """
    return {
        name: {
            "adjusted_rand": float(adjusted_rand_score(groups, clusters)),
            "nmi": float(normalized_mutual_info_score(groups, clusters)),
            "ami": float(adjusted_mutual_info_score(groups, clusters)),
            "groups": len(np.unique(groups)),
        }
        for name, groups in others.items()
    }


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 1e-12)
