"""Probes on drawn features: what they find, and what they must not look at."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.preprocessing import StandardScaler

from medvision.evaluation.probes import PENALTIES, PROBES, TEMPERATURE, Sides, linear_probe, nearest_neighbours


def features_and_targets(n=150, apart=5.0, seed=0):
    generator = np.random.default_rng(seed)
    targets = generator.integers(3, size=n)
    features = generator.normal(size=(n, 12)) + apart * np.eye(3, 12)[targets]
    return np.hstack([features, np.ones((n, 1))]), targets


def sides(n=150):
    return Sides(np.arange(0, n - 60), np.arange(n - 60, n - 30), np.arange(n - 30, n))


@pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))
def test_probes_find_what_is_there(probe):
    features, targets = features_and_targets()
    answer = probe(features, targets, sides())
    assert answer.probabilities.shape == (30, 3)
    assert answer.probabilities.sum(axis=1) == pytest.approx(1)
    assert answer.probabilities.min() >= 0
    assert accuracy_score(targets[120:], answer.probabilities.argmax(axis=1)) > 0.85


@pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))
def test_probes_find_nothing_where_nothing_is(probe):
    features, targets = features_and_targets(n=400, apart=0.0)
    answer = probe(features, targets, sides(400))
    assert accuracy_score(targets[370:], answer.probabilities.argmax(axis=1)) < 0.65


@pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))
def test_the_images_that_are_tested_teach_nothing(probe):
    features, targets = features_and_targets()
    before = probe(features, targets, sides())
    targets[120:] = (targets[120:] + 1) % 3
    assert (probe(features, targets, sides()).probabilities == before.probabilities).all()
    # Nor do the other tested images: one alone has the same answer.
    rows = sides()
    alone = probe(features, targets, Sides(rows.train, rows.val, rows.test[:1]))
    assert alone.probabilities[0] == pytest.approx(before.probabilities[0])


def test_the_linear_probe_is_a_logistic_regression():
    features, targets = features_and_targets(apart=1.0)
    answer = linear_probe(features, targets, sides())
    chosen = answer.settings["C"]
    assert chosen in PENALTIES
    scaler = StandardScaler().fit(features[:90])
    losses = {}
    for penalty in PENALTIES:
        fitted = LogisticRegression(C=penalty, class_weight="balanced", max_iter=5000)
        fitted.fit(scaler.transform(features[:90]), targets[:90])
        said = fitted.predict_proba(scaler.transform(features[90:120]))[np.arange(30), targets[90:120]]
        losses[penalty] = np.mean([-np.log(said[targets[90:120] == k]).mean() for k in range(3)])
        if penalty == chosen:
            assert answer.probabilities == pytest.approx(
                fitted.predict_proba(scaler.transform(features[120:])), abs=1e-4
            )
    assert chosen == min(losses, key=losses.get)


def test_neighbours_vote_by_likeness():
    features, targets = features_and_targets(n=110)
    rows = Sides(np.arange(0, 30), np.arange(30, 60), np.arange(60, 110))
    answer = nearest_neighbours(features, targets, rows)
    assert answer.settings == {"neighbours": 20, "temperature": TEMPERATURE}
    values = StandardScaler().fit(features[:30, :12]).transform(features[:, :12])
    for number, row in enumerate(rows.test[:5]):
        near = []
        for other in rows.train:
            cosine = values[row] @ values[other] / np.linalg.norm(values[row]) / np.linalg.norm(values[other])
            near.append((cosine, targets[other]))
        votes = np.zeros(3)
        for cosine, target in sorted(near, reverse=True)[:20]:
            votes[target] += np.exp(cosine / 0.07)
        assert answer.probabilities[number] == pytest.approx(votes / votes.sum())


def test_few_training_images_are_all_neighbours():
    features, targets = features_and_targets(n=12)
    answer = nearest_neighbours(features, targets, Sides(np.arange(6), np.arange(6, 9), np.arange(9, 12)))
    assert answer.settings["neighbours"] == 6


@pytest.mark.parametrize("probe", PROBES.values(), ids=list(PROBES))
def test_several_labels_an_image_are_asked_one_by_one(probe):
    features, targets = features_and_targets()
    shown = np.stack([targets == 0, targets != 1, np.zeros(150)], axis=1).astype(np.float32)
    answer = probe(features, shown, sides())
    assert answer.probabilities.shape == (30, 3)
    said = answer.probabilities > 0.5
    assert accuracy_score(shown[120:, 0], said[:, 0]) > 0.85
    assert accuracy_score(shown[120:, 1], said[:, 1]) > 0.85
    # Nobody shows the third.
    assert answer.probabilities[:, 2] == pytest.approx(0)
