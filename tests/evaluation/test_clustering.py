"""K-means on drawn features whose groups are known."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_samples

from medvision.errors import ConfigError
from medvision.evaluation.clustering import (
    MOST_COMPARED,
    cluster_candidates,
    exemplars,
    find_clusters,
    reduce_features,
    silhouette,
    standardise,
)


def blobs(sizes, features=20, apart=4.0, seed=0):
    """Groups of features around different middles, and the group of each row."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    middles = apart * generator.normal(size=(len(sizes), features))
    return generator.normal(size=(len(truth), features)) + middles[truth], truth


def test_features_are_standardised_without_those_that_stand_still():
    values = standardise(np.array([[1, 5, 0.1], [2, 5, 0.1], [6, 5, 0.1]]))
    assert values.shape == (3, 1)
    assert values[:, 0] == pytest.approx((np.array([1, 2, 6]) - 3) / np.sqrt(14 / 3))


def test_a_large_still_feature_is_still():
    assert standardise(np.array([[1e6, 0.0], [1e6 + 1e-3, 1.0]])).shape == (2, 1)


def test_only_the_direction_of_features_counts():
    features, _ = blobs([30, 30])
    reduced = reduce_features(features, 0)
    values = standardise(features)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    expected = PCA(20, svd_solver="full").fit(values)
    assert np.abs(reduced.points[:, 0]) == pytest.approx(np.abs(expected.transform(values)[:, 0]))
    assert reduced.shares == pytest.approx(expected.explained_variance_ratio_)
    # Nothing is lost where there are few features: distances stay.
    assert np.linalg.norm(reduced.points[0] - reduced.points[1]) == pytest.approx(np.linalg.norm(values[0] - values[1]))


def test_one_loud_image_gets_no_cluster_of_its_own():
    features, truth = blobs([40, 40])
    features[0] *= 100
    found = find_clusters(reduce_features(features, 0).points, 2, 0)
    assert np.bincount(found.labels).min() >= 39
    assert adjusted_rand_score(truth, found.labels) > 0.9


def test_equal_images_have_nothing_to_cluster():
    with pytest.raises(ConfigError, match="all images are the same"):
        reduce_features(np.ones((5, 3)), 0)


def test_groups_are_found_and_the_largest_comes_first():
    features, truth = blobs([10, 40, 25])
    points = reduce_features(features, 0).points
    found = find_clusters(points, 3, 0)
    assert adjusted_rand_score(truth, found.labels) == 1
    assert np.bincount(found.labels).tolist() == [40, 25, 10]
    assert found.k == 3
    for k, expected in enumerate((1, 2, 0)):
        assert found.centres[k] == pytest.approx(points[truth == expected].mean(axis=0))
    assert found.distances == pytest.approx(np.linalg.norm(points - found.centres[found.labels], axis=1))


def test_the_same_seed_finds_the_same_clusters():
    points = np.random.default_rng(1).normal(size=(60, 5))
    first, second = (find_clusters(points, 4, 3) for _ in range(2))
    assert (first.labels == second.labels).all()


@pytest.mark.parametrize("k", [0, 1, 4, 50])
def test_there_are_two_clusters_or_more_and_none_without_an_image(k):
    points = np.repeat(np.arange(3.0)[:, None], 2, axis=0)
    with pytest.raises(ConfigError, match=f"-k {k}: of 3 different images there can be 2 to 3 clusters"):
        find_clusters(points, k, 0)


def test_the_silhouette_is_that_of_all_images():
    features, _ = blobs([20, 20, 20], apart=1)
    found = find_clusters(features, 3, 0)
    assert silhouette(features, found, 0) == pytest.approx(silhouette_samples(features, found.labels).mean())


def test_the_silhouette_of_many_images_is_that_of_some_of_them():
    features, _ = blobs([MOST_COMPARED, MOST_COMPARED], features=4)
    found = find_clusters(features, 2, 0)
    every = silhouette_samples(features, found.labels).mean()
    assert silhouette(features, found, 0) == pytest.approx(every, abs=0.01)
    assert silhouette(features, found, 0) != every


def test_single_images_have_no_silhouette():
    points = np.arange(3.0)[:, None]
    assert silhouette(points, find_clusters(points, 3, 0), 0) is None


def test_the_silhouette_finds_the_number_of_groups():
    points = reduce_features(blobs([20, 20, 20, 20])[0], 0).points
    candidates = cluster_candidates(points, 0)
    assert list(candidates) == list(range(2, 11))
    assert max(candidates, key=lambda k: silhouette(points, candidates[k], 0)) == 4


def test_few_images_have_few_candidates():
    assert list(cluster_candidates(np.arange(5.0)[:, None], 0)) == [2, 3, 4]
    assert list(cluster_candidates(np.arange(2.0)[:, None], 0)) == [2]
    assert list(cluster_candidates(np.arange(9.0)[:, None], 0, [4])) == [4]


def test_exemplars_are_near_the_centre_and_of_different_patients():
    points = np.array([0.0, 0.1, 0.2, 0.3, 1.0, 10.0, 10.1])[:, None] * [[1.0]]
    found = find_clusters(points, 2, 0)
    assert found.centres[:, 0] == pytest.approx([0.32, 10.05])
    patients = np.array([5, 5, 1, 1, 2, 3, 3])
    near, far = exemplars(found, patients, 4)
    # Distances of the first cluster: 0.32, 0.22, 0.12, 0.02, 0.68.
    assert near.tolist() == [3, 1, 4, 2]
    assert sorted(far.tolist()) == [5, 6]
