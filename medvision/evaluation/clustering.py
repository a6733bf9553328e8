"""Groups of images that K-means finds in features: nobody tells it what the images show."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score
from threadpoolctl import threadpool_limits

from medvision.errors import ConfigError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MOST_DIMENSIONS = 50
STARTS = 10
FEWEST, MOST = 2, 10
# A silhouette compares every image with every other one.
MOST_COMPARED = 2000
# A feature that varies less than this is rounding.
STILL = 1e-7


@dataclass(frozen=True)
class Reduced:
    """Features as K-means sees them.

    Args:
        points: (N, D) float64, principal components of standardised features of length 1, the widest first.
        shares: (D,) float64, of the variance that each holds.
    """

    points: Floats
    shares: Floats


@dataclass(frozen=True)
class Clusters:
    """What K-means found.

    Args:
        labels: (N,) int64, the cluster of each image, 0 to k - 1, the largest cluster first.
        centres: (k, D) float64.
        distances: (N,) float64, of each image to the centre of its cluster.
    """

    labels: Integers
    centres: Floats
    distances: Floats

    @property
    def k(self) -> int:
        """How many clusters there are."""
        return len(self.centres)


def standardise(features: npt.ArrayLike) -> Floats:
    """Features with mean 0 and standard deviation 1; those that do not vary are left out.

    Args:
        features: (N, F) float.

    Returns:
        (N, up to F) float64.
    """
    values = np.asarray(features, dtype=np.float64)
    spread = values.std(axis=0)
    varies = spread > STILL * np.maximum(np.abs(values).max(axis=0, initial=0), 1)
    return np.asarray((values[:, varies] - values[:, varies].mean(axis=0)) / spread[varies])


def reduce_features(features: npt.ArrayLike, seed: int) -> Reduced:
    """The widest directions of standardised features of length 1.

    Only the direction of the features of an image counts (Dhillon & Modha, Machine Learning 42, 2001): by their length
    K-means gives a few loud images a cluster of their own. The first principal components span the space in which the
    best centres lie, as far as it can be told without trying all (Ding & He, ICML 2004).

    Args:
        features: (N, F) float.
        seed: of the decomposition of large tables.

    Raises:
        ConfigError: the features of all images are the same.
    """
    values = standardise(features)
    if not values.shape[1]:
        raise ConfigError("the features of all images are the same: there is nothing to cluster")
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    values = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > STILL)
    dimensions = min(MOST_DIMENSIONS, len(values) - 1, values.shape[1])
    found = PCA(dimensions, random_state=seed).fit(values)
    return Reduced(found.transform(values), found.explained_variance_ratio_)


def find_clusters(points: Floats, k: int, seed: int) -> Clusters:
    """K-means, the best of ten starts with k-means++ (Arthur & Vassilvitskii 2007).

    Args:
        points: (N, D) float64.
        k: how many clusters, 2 to the number of different points.
        seed: of the starts.

    Raises:
        ConfigError: more clusters than different images.
    """
    different = len(np.unique(points, axis=0))
    if not FEWEST <= k <= different:
        raise ConfigError(f"-k {k}: of {different} different images there can be {FEWEST} to {different} clusters")
    # One thread adds up in one order on every machine.
    with threadpool_limits(1, user_api="openmp"):
        fitted = KMeans(k, n_init=STARTS, random_state=seed).fit(points)
    order = np.argsort(-np.bincount(fitted.labels_, minlength=k), kind="stable")
    labels = np.argsort(order)[fitted.labels_]
    centres = fitted.cluster_centers_[order]
    return Clusters(labels, centres, np.linalg.norm(points - centres[labels], axis=1))


def silhouette(points: Floats, clusters: Clusters, seed: int) -> float | None:
    """How much nearer images are to their own cluster than to the next, from -1 to 1 (Rousseeuw 1987).

    Args:
        points: (N, D) float64.
        clusters: of the points.
        seed: of the choice of images, where there are too many to compare all.

    Returns:
        The mean over images; None where every image is a cluster of its own.
    """
    rows = np.arange(len(points))
    if len(points) > MOST_COMPARED:
        rows = np.sort(np.random.default_rng(seed).choice(len(points), MOST_COMPARED, replace=False))
    labels = clusters.labels[rows]
    if not 2 <= len(np.unique(labels)) < len(rows):
        return None
    return float(silhouette_score(points[rows], labels))


def cluster_candidates(points: Floats, seed: int, counts: Sequence[int] | None = None) -> dict[int, Clusters]:
    """K-means for each number of clusters.

    Args:
        points: (N, D) float64.
        seed: of the starts.
        counts: how many clusters; None for 2 to 10, as far as there are images enough.
    """
    if counts is None:
        counts = range(FEWEST, max(FEWEST, min(MOST, len(np.unique(points, axis=0)) - 1)) + 1)
    return {k: find_clusters(points, k, seed) for k in counts}


def exemplars(clusters: Clusters, patients: Integers, most: int) -> list[Integers]:
    """The images nearest to each centre, of different patients as far as there are any.

    Args:
        clusters: of the images.
        patients: (N,) int64, the patient of each image.
        most: images a cluster.

    Returns:
        Rows for each cluster, the first image of each patient nearest first, then their further images.
    """
    found = []
    for k in range(clusters.k):
        rows = np.flatnonzero(clusters.labels == k)
        rows = rows[np.argsort(clusters.distances[rows], kind="stable")]
        _, first = np.unique(patients[rows], return_index=True)
        later = np.ones(len(rows), dtype=bool)
        later[first] = False
        found.append(rows[np.argsort(later, kind="stable")][:most])
    return found
