import json

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from medvision.evaluation.training_range import TrainingRange, measure_range, unlike_words

LIKE = {"height": 100, "width": 100, "storage": "8-bit grey", "farness": 0.5}


def words(known, **changes):
    return unlike_words([known] if isinstance(known, TrainingRange) else known, **{**LIKE, **changes})


@pytest.fixture
def known():
    features = np.random.default_rng(0).normal(0, [1, 2, 3], (50, 3))
    return measure_range([100, 200], [100, 300], ["8-bit grey", "8-bit grey"], features)


def test_an_image_like_those_of_the_training_has_no_words(known):
    assert words(known) == []
    # Up to a quarter beyond.
    assert words(known, height=80, width=80) == []
    assert words(known, height=240, width=375) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"height": 79, "width": 79}, "79 x 79 pixels, in training 100 to 300 on the longer side"),
        ({"height": 376, "width": 376}, "376 x 376 pixels, in training 100 to 300 on the longer side"),
        ({"height": 100, "width": 200}, "2 times as wide as high, in training 1 to 1.5"),
        ({"height": 200, "width": 150}, "0.75 times as wide as high, in training 1 to 1.5"),
        ({"storage": "16-bit grey"}, "16-bit grey, in training 8-bit grey"),
        ({"farness": 2.345}, "features 2.3 times as far out as any of 50 images of training and validation"),
    ],
)
def test_each_difference_is_a_phrase(known, changes, expected):
    assert words(known, **changes) == [expected]


def test_everything_is_told_together(known):
    assert len(words(known, height=10, width=1000, storage="8-bit colour", farness=1.01)) == 4


def test_what_nobody_knows_is_not_held_against_an_image():
    known = measure_range([100], [100], [])
    assert words(known, storage="1-bit grey", farness=None) == []


def test_of_several_networks_the_widest_range_counts(known):
    other = measure_range([400], [400], ["8-bit colour"])
    assert words([known, other], height=400, width=400, storage="8-bit colour") == []


def test_distances_are_those_of_mahalanobis_with_a_diagonal(known):
    features = np.random.default_rng(1).normal(0, 5, (4, 3))
    inverse = np.diag(1 / known.features.deviation**2)
    expected = [mahalanobis(row, known.features.mean, inverse) / np.sqrt(3) for row in features]
    np.testing.assert_allclose(known.features.distances(features), expected)


def test_the_farthest_image_itself_is_like_the_training_whoever_adds_up(known):
    assert words(known, farness=1.0) == words(known, farness=1.001) == []


def test_the_limit_is_the_farthest_of_training_and_validation():
    training = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    assert measure_range([1], [1], [], training).features.farthest == pytest.approx(1)
    # (4, 1) is three deviations off in one of two features.
    found = measure_range([1], [1], [], training, np.array([[4.0, 1.0]])).features
    assert found.farthest == pytest.approx(np.sqrt(9 / 2))
    assert found.images == 5


def test_a_feature_that_does_not_move_does_not_decide_alone():
    training = np.array([[0.0, 5.0], [2.0, 5.0]])
    found = measure_range([1], [1], [], training).features
    # Deviations of 1 and 0: their mean is 0.5, a tenth of it the least.
    assert found.deviation.tolist() == [1, 0.05]
    same = measure_range([1], [1], [], np.ones((3, 2))).features
    assert same.distances(np.array([[1.0, 1.0], [1.0, 3.0]])).tolist() == [0, pytest.approx(np.sqrt(2))]


def test_new_images_of_the_same_kind_are_rarely_marked():
    generator = np.random.default_rng(0)
    marked = []
    for _ in range(300):
        known = measure_range([1], [1], [], generator.normal(size=(40, 8)), generator.normal(size=(10, 8)))
        marked.append(known.features.distances(generator.normal(size=(20, 8))) > known.features.farthest)
    # One in 51 by exchangeability; training images lie nearer to their own mean.
    assert 0.015 < np.mean(marked) < 0.035


def test_what_is_saved_is_found_again(known):
    saved = json.loads(json.dumps(known.to_json()))
    found = TrainingRange.from_json(saved)
    assert found.to_json() == known.to_json()
    np.testing.assert_array_equal(found.features.mean, known.features.mean)
    plain = measure_range([1], [2], [])
    assert TrainingRange.from_json(plain.to_json()).features is None
