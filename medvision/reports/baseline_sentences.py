"""What a run knows of a classical baseline, in sentences: features, classifier, how it was fitted."""

from collections.abc import Mapping
from typing import Any

from medvision.reports.data_sentences import listed
from medvision.reports.privacy import file_name

_ESTIMATORS = {
    "logistic_regression": "logistic regression",
    "svm": "a support vector machine with a radial kernel",
    "random_forest": "a random forest",
    "gradient_boosting": "gradient-boosted trees",
    "nearest_neighbours": "nearest neighbours",
    "kmeans": "K-means clusters that answer with the classes of the training images in them",
}
_FEATURES = {
    "edges": "edges, gradients and bright bands (grey values above {bright})",
    "hog": "histograms of oriented gradients",
    "intensity": "the distribution of grey values",
    "embedding": "the features of the frozen network {backbone}",
}


def is_baseline(model: Mapping[str, Any]) -> bool:
    """Whether the `model` section of an experiment asks for a classical baseline."""
    return model.get("task") == "baseline"


def baseline_name(model: Mapping[str, Any]) -> str:
    """What is fitted, in few words.

    >>> baseline_name({"estimator": "svm", "features": ["edges", "embedding"], "backbone": "resnet18"})
    'svm on edges and resnet18'
    """
    kinds = [model["backbone"] if kind == "embedding" else kind for kind in _kinds(model)]
    return f"{str(model['estimator']).replace('_', ' ')} on {listed(kinds)}"


def baseline_sentence(model: Mapping[str, Any]) -> str:
    """Kind of classifier, and what it is given."""
    told = [
        _FEATURES[kind].format(bright=model.get("bright"), backbone=model.get("backbone")) for kind in _kinds(model)
    ]
    return f"No deep learning, a classical baseline: {_ESTIMATORS[model['estimator']]} on {listed(told)}."


def baseline_start(model: Mapping[str, Any], seed: int | None) -> str | None:
    """The weights of the frozen network; None without one."""
    if "embedding" not in _kinds(model):
        return None
    weights = model.get("pretrained")
    if weights is False:
        return f"The frozen network has random weights, seed {seed}."
    if weights is True:
        return f"The frozen network has the published weights of {model['backbone']}."
    return f"The frozen network has the weights of the file {file_name(str(weights))}."


def baseline_fitting(model: Mapping[str, Any], augmentation: str | None, passes: int | None) -> str:
    """How it was fitted: to which images, with which settings.

    Args:
        model: the `model` section of the experiment.
        augmentation: of the training images; None where it is not known.
        passes: over the training images; None where it is not known.
    """
    told = [f"class weights {model['class_weights']}"] if "class_weights" in model else []
    own = {"c": ("logistic_regression", "svm"), "neighbours": ("nearest_neighbours",), "clusters": ("kmeans",)}
    told += [
        f"{setting} {model[setting]}"
        for setting, estimators in own.items()
        if model["estimator"] in estimators and model.get(setting) is not None
    ]
    told += [] if augmentation is None else [f"augmentation {augmentation}"]
    told += [] if passes is None else ["one pass over them" if passes == 1 else f"{passes} passes over them"]
    return f"Fitted to the standardised features of the training images{': ' if told else ''}{'; '.join(told)}."


def _kinds(model: Mapping[str, Any]) -> list[str]:
    kinds = model["features"]
    return [kinds] if isinstance(kinds, str) else list(kinds)
