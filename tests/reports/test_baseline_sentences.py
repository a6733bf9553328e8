from typing import get_args

import pytest

from medvision.models.estimators import EstimatorName
from medvision.models.feature_sets import FeatureKind
from medvision.reports.baseline_sentences import (
    baseline_fitting,
    baseline_name,
    baseline_sentence,
    baseline_start,
    is_baseline,
)

MODEL = {
    "task": "baseline",
    "features": "embedding",
    "estimator": "logistic_regression",
    "class_weights": "balanced",
    "backbone": "resnet18",
    "pretrained": "/home/somebody/weights/resnet18.safetensors",
    "bright": 150,
    "c": 0.1,
    "neighbours": 15,
    "clusters": None,
}


def test_only_a_baseline_is_one():
    assert is_baseline(MODEL)
    assert not is_baseline({"task": "classification"})


@pytest.mark.parametrize("estimator", get_args(EstimatorName))
@pytest.mark.parametrize("kind", get_args(FeatureKind))
def test_every_baseline_has_its_sentence(estimator, kind):
    told = baseline_sentence({**MODEL, "estimator": estimator, "features": kind})
    assert told.startswith("No deep learning, a classical baseline: ")
    assert "{" not in told
    assert ("resnet18" in told) == (kind == "embedding")
    assert ("150" in told) == (kind == "edges")


def test_several_features_are_listed():
    model = {**MODEL, "features": ["edges", "hog", "embedding"]}
    assert baseline_name(model) == "logistic regression on edges, hog and resnet18"
    assert "bright bands (grey values above 150), histograms of oriented gradients and the features" in (
        baseline_sentence(model)
    )


def test_weights_are_those_of_the_frozen_network():
    assert baseline_start(MODEL, 1) == "The frozen network has the weights of the file resnet18.safetensors."
    assert baseline_start({**MODEL, "pretrained": False}, 7) == "The frozen network has random weights, seed 7."
    assert baseline_start({**MODEL, "pretrained": True}, 7).endswith("the published weights of resnet18.")
    assert baseline_start({**MODEL, "features": ["edges"]}, 1) is None


def test_settings_are_told_where_they_count():
    told = baseline_fitting(MODEL, "none", 1)
    assert told == (
        "Fitted to the standardised features of the training images: class weights balanced; c 0.1; "
        "augmentation none; one pass over them."
    )
    voting = baseline_fitting({**MODEL, "estimator": "nearest_neighbours"}, "radiograph", 3)
    assert "neighbours 15; augmentation radiograph; 3 passes over them." in voting
    assert "c 0.1" not in voting
    assert baseline_fitting({"estimator": "svm", "features": "hog"}, None, None).endswith("training images.")
