import hashlib
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import skops.io
from scipy.special import softmax
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from medvision.errors import ModelError
from medvision.models import estimators
from medvision.models.estimators import ClusterClassifier, Estimator, EstimatorName

NAMES = get_args(EstimatorName)


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(estimators, "TREES", 20)


def clouds(classes=3, images=40, features=4, seed=0):
    """Clouds of points around centres that lie 4 standard deviations apart, in columns of very different scale."""
    generator = np.random.default_rng(seed)
    targets = np.repeat(np.arange(classes), images)
    points = generator.normal(size=(len(targets), features)) + 4 * np.eye(classes, features)[targets]
    return (points * 10.0 ** np.arange(features)).astype(np.float32), targets


def labels(seed=0):
    points, _ = clouds(3, seed=seed)
    return points, (points / 10.0 ** np.arange(4) > 2)[:, :3].astype(np.int64)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [2, 3])
def test_every_classifier_tells_clouds_apart(name, classes):
    features, targets = clouds(classes)
    estimator = Estimator(name, classes)
    assert not estimator.fitted
    estimator.fit(features, targets)
    fresh, truth = clouds(classes, seed=1)
    probabilities = estimator.probabilities(fresh)
    assert probabilities.shape == (len(fresh), classes)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == truth).mean() > 0.9
    area = roc_auc_score(truth, probabilities[:, 1] if classes == 2 else probabilities, multi_class="ovr")
    assert area > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_several_classes_at_once_are_asked_one_by_one(name):
    features, targets = labels()
    estimator = Estimator(name, 3, multilabel=True, clusters=8)
    estimator.fit(features, targets)
    fresh, truth = labels(seed=1)
    probabilities = estimator.probabilities(fresh)
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    assert ((probabilities > 0.5) == truth).mean() > 0.85


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_answers_bit_by_bit(name, multilabel):
    features, targets = labels() if multilabel else clouds()
    first, second, restored = (Estimator(name, 3, multilabel=multilabel, seed=5) for _ in range(3))
    first.fit(features, targets)
    second.fit(features, targets)
    content = first.to_bytes()
    assert content == second.to_bytes()
    restored.load_bytes(content)
    assert np.array_equal(restored.probabilities(features), first.probabilities(features))
    assert restored.to_bytes() == content


def test_another_process_writes_the_same_bytes():
    program = (
        "import hashlib; from tests.models.test_estimators import clouds; from medvision.models import estimators\n"
        "estimators.TREES = 20\n"
        "forest = estimators.Estimator('random_forest', 3, seed=2); forest.fit(*clouds())\n"
        "print(hashlib.sha256(forest.to_bytes()).hexdigest())"
    )
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True).stdout
    forest = Estimator("random_forest", 3, seed=2)
    forest.fit(*clouds())
    assert printed.strip() == hashlib.sha256(forest.to_bytes()).hexdigest()


def test_nothing_but_known_classes_is_read():
    class Stranger:
        pass

    foreign = skops.io.dumps({"scaler": Stranger(), "members": []})
    with pytest.raises(ModelError, match="the saved svm cannot be read: Untrusted types"):
        Estimator("svm", 2).load_bytes(foreign)
    with pytest.raises(ModelError, match="cannot be read"):
        Estimator("svm", 2).load_bytes(b"not an archive")


def test_before_it_is_fitted_all_classes_are_as_likely():
    features = np.zeros((2, 3), np.float32)
    assert Estimator("svm", 4).probabilities(features).tolist() == [[0.25] * 4] * 2
    assert Estimator("svm", 4, multilabel=True).probabilities(features).tolist() == [[0.5] * 4] * 2
    empty = Estimator("svm", 4)
    assert empty.to_bytes() == b""
    empty.load_bytes(b"")
    assert not empty.fitted


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_was_not_there_has_no_probability(name):
    features, targets = clouds(2)
    estimator = Estimator(name, 4)
    estimator.fit(features, 2 * targets)
    probabilities = estimator.probabilities(features)
    assert (probabilities.argmax(axis=1) == 2 * targets).mean() > 0.9
    if name != "svm":
        assert not probabilities[:, [1, 3]].any()


@pytest.mark.parametrize("name", NAMES)
def test_of_one_class_alone_that_is_the_answer(name):
    features, targets = clouds(2)
    estimator = Estimator(name, 2)
    estimator.fit(features, np.ones_like(targets))
    assert (estimator.probabilities(features).argmax(axis=1) == 1).all()


def test_logistic_regression_is_that_of_scikit_learn():
    features, targets = clouds(3)
    ours = Estimator("logistic_regression", 3)
    ours.fit(features, targets)
    scaled = StandardScaler().fit_transform(features.astype(float))
    theirs = LogisticRegression(C=10 / 4, max_iter=10_000).fit(scaled, targets).predict_proba(scaled)
    np.testing.assert_allclose(ours.probabilities(features), theirs)
    strict = Estimator("logistic_regression", 3, c=1e-9)
    strict.fit(features, targets)
    np.testing.assert_allclose(strict.probabilities(features), 1 / 3, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nearest_neighbours"])
def test_a_heavier_class_is_answered_more_often(name):
    generator = np.random.default_rng(0)
    targets = np.repeat([0, 1], [90, 30])
    features = generator.normal(size=(120, 2)) + targets[:, None]
    light, heavy = Estimator(name, 2), Estimator(name, 2, class_weights=np.array([0.2, 5.0]))
    light.fit(features, targets)
    heavy.fit(features, targets)
    fresh = generator.normal(size=(200, 2)) + 0.5
    assert heavy.probabilities(fresh)[:, 1].mean() > light.probabilities(fresh)[:, 1].mean() + 0.05


def test_the_share_of_trees_follows_the_seed():
    features, targets = clouds(2)
    fresh = np.random.default_rng(3).normal(size=(50, 4)) * 10.0 ** np.arange(4)
    answers = []
    for seed in (1, 1, 2):
        estimator = Estimator("random_forest", 2, seed=seed)
        estimator.fit(features, targets)
        answers.append(estimator.probabilities(fresh))
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_neighbours_vote():
    features = np.array([[0.0], [1.0], [2.0], [10.0], [11.0]])
    estimator = Estimator("nearest_neighbours", 2, neighbours=3)
    estimator.fit(features, np.array([0, 0, 1, 1, 1]))
    np.testing.assert_allclose(estimator.probabilities(np.array([[0.0], [11.0]])), [[2 / 3, 1 / 3], [0, 1]])
    everyone = Estimator("nearest_neighbours", 2, neighbours=99)
    everyone.fit(features, np.array([0, 0, 1, 1, 1]))
    np.testing.assert_allclose(everyone.probabilities(features), [[0.4, 0.6]] * 5)


def test_clusters_answer_with_their_classes():
    # Two clusters around 0 and 100, five images each; the mean squared distance to a centre is 2.
    features = np.array([[-2.0], [-1], [0], [1], [2], [98], [99], [100], [101], [102]])
    targets = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
    classifier = ClusterClassifier(2, seed=0).fit(features, targets)
    low, high = np.argsort(classifier.centres_[:, 0])
    np.testing.assert_allclose(classifier.shares_[[low, high]], [[5 / 7, 2 / 7], [1 / 7, 6 / 7]])
    np.testing.assert_allclose(classifier.predict_proba(np.array([[-1.0], [130]])), [[5 / 7, 2 / 7], [1 / 7, 6 / 7]])
    # In the middle both count the same; one closer to 0 by 1, its squared distance is 100 × 2 × 1 smaller by hand.
    half = (np.array([5 / 7, 2 / 7]) + np.array([1 / 7, 6 / 7])) / 2
    np.testing.assert_allclose(classifier.predict_proba(np.array([[50.0]]))[0], half)
    parts = softmax(np.array([0.0, -(50.01**2 - 49.99**2) / (2 * 2)]))
    by_hand = parts @ np.array([[5 / 7, 2 / 7], [1 / 7, 6 / 7]])
    np.testing.assert_allclose(classifier.predict_proba(np.array([[49.99]]))[0], by_hand)


def test_clusters_are_those_of_scikit_learn_and_know_no_labels():
    features, targets = clouds(3)
    scaled = StandardScaler().fit_transform(features.astype(float))
    theirs = KMeans(3, n_init=10, random_state=4).fit(scaled)
    ours = ClusterClassifier(3, seed=4).fit(scaled, targets)
    shuffled = ClusterClassifier(3, seed=4).fit(scaled, np.random.default_rng(0).permutation(targets))
    np.testing.assert_allclose(ours.centres_, theirs.cluster_centers_)
    np.testing.assert_array_equal(ours.centres_, shuffled.centres_)
    assert ours.spread_ == pytest.approx(theirs.inertia_ / len(scaled))


def test_there_are_no_more_clusters_than_images():
    features = np.array([[0.0], [0.0], [5.0]])
    classifier = ClusterClassifier(9, seed=0).fit(features, np.array([0, 1, 1]))
    np.testing.assert_allclose(classifier.predict_proba(features), [[0.5, 0.5], [0.5, 0.5], [1 / 3, 2 / 3]])
