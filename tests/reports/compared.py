"""Drawn predictions of several models on the same patients, and what a page of their comparison tells."""

from dataclasses import replace

import numpy as np
import pandas as pd

from medvision.evaluation.comparison import compare_predictions
from medvision.evaluation.decision import UNCHANGED
from medvision.reports.comparison_inputs import ComparisonInputs, ModelFacts

SKILLS = {"scratch": 1.0, "transfer": 3.0, "baseline": 0.9}
SETTINGS = {
    "scratch": {"task": "classification", "backbone": "vgg_small", "pretrained": False},
    "transfer": {"task": "classification", "backbone": "resnet18", "pretrained": "/home/ann/weights/net.safetensors"},
    "baseline": {"task": "baseline", "features": ["edges", "hog"], "estimator": "random_forest"},
}
RUN = {"device": "Some CPU", "training_seconds": 60.0, "seconds_per_image": 0.002, "peak_memory_mib": 1024}
QUESTION = "Is the tendon torn?"


def draw_table(skill, seed, classes=("whole", "torn"), patients=30, images=3):
    """A prediction table of the test split: the truth is the same for every skill and seed."""
    truth = np.repeat(np.random.default_rng(5).integers(0, len(classes), patients), images)
    logits = np.random.default_rng(seed).normal(size=(len(truth), len(classes)))
    logits += skill * np.eye(len(classes))[truth]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {
            "image": [f"{k}.png" for k in range(len(truth))],
            "patient": [f"p{k // images}" for k in range(len(truth))],
            "split": "test",
            "fold": np.arange(len(truth)) // images % 5,
            "target": names[truth],
            "predicted": names[chances.argmax(axis=1)],
        }
    )
    return pd.concat([table, pd.DataFrame(chances, columns=[f"p_{name}" for name in classes])], axis=1)


def experiment(name):
    """The resolved experiment of a model, as plain values."""
    data = {"name": "tendons", "root": "/home/ann/tendons", "image_size": 96 if name == "scratch" else 224}
    return {"name": name, "question": QUESTION, "seed": 7, "data": data, "model": SETTINGS[name]}


def draw_comparison(names=("scratch", "transfer"), classes=("whole", "torn"), **changes):
    """The inputs of a page; `changes` are fields of `ComparisonInputs`."""
    tables = {name: draw_table(SKILLS[name], seed, classes) for seed, name in enumerate(names)}
    decisions = dict.fromkeys(tables, UNCHANGED)
    models = [
        ModelFacts(
            name=name,
            experiment=experiment(name),
            runs=[{**RUN, "model": {"parameters": 1000 * seed + 500, "trained_parameters": 500}}],
            report=f"parts/{name}/report.html",
        )
        for seed, name in enumerate(names)
    ]
    inputs = ComparisonInputs(
        folder="20260101-120000-ab12",
        comparison=compare_predictions(tables, decisions, list(classes), resamples=60, interval="percentile"),
        models=models,
        classes=list(classes),
        counts=dict.fromkeys(classes, (30, 10)),
        citation="Somebody et al. 2025, A set of tendons.",
        licence="CC BY 4.0",
        url="https://example.org/tendons",
    )
    return replace(inputs, **changes)


def entry(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, "n": 90, "patients": 30, **more}


def pair(difference, p=0.01, tests=(), needed=None):
    """`transfer − scratch` of the AUROC."""
    differences = {"auroc": {**difference, "p": p, "error": 0.05}}
    return {"a": "scratch", "b": "transfer", "differences": differences, "tests": list(tests), "needed": needed or {}}


def one_test(p=0.012, p_holm=0.024, **more):
    test = {"test": "obuchowski", "metric": "auroc", "statistic": 2.51234, "p": p, "p_holm": p_holm, "n": 90}
    return {**test, "patients": 30, "source": "Obuchowski, Biometrics 53 (1997)", **more}


def by_hand(scratch, transfer, one_pair, **changes):
    """A comparison of two models by their AUROC, worked by hand."""
    level = {
        "n": 90,
        "patients": 30,
        "metrics": {
            "scratch": {"accuracy": entry(0.7), "auroc": scratch},
            "transfer": {"accuracy": entry(0.8), "auroc": transfer},
        },
        "pairs": [one_pair],
        "holm": {"tests": len(one_pair["tests"]), "family": "all tests of this level"},
    }
    comparison = {"models": ["scratch", "transfer"], "levels": {"image": level}, "notes": ["A note."]}
    return draw_comparison(comparison=comparison, **changes)


WON = by_hand(entry(0.7, 0.6, 0.8), entry(0.9, 0.85, 0.95), pair(entry(0.2, 0.1, 0.3), tests=[one_test()], needed={}))
UNDECIDED = by_hand(
    entry(0.72, 0.6, 0.8),
    entry(0.7, 0.6, 0.8),
    pair(
        entry(-0.02, -0.1, 0.06),
        p=0.6,
        tests=[one_test(0.61, 1.0)],
        needed={"auroc": {"patients": 1234, "power": 0.8, "alpha": 0.05, "difference": -0.02}},
    ),
)
