"""A `learning_curve.json` whose numbers are chosen, so that what is told of them is known."""

import numpy as np

from medvision.evaluation.power_law import SIZES_FOR_FLOOR

NAMES = ("small", "large")


def told(models=NAMES, sizes=(100, 200, 400, 800), repeats=2, *, simulated=False):
    """Metrics rise by 0.05 a size; `large` is better by 0.05."""
    level = {
        "headline": "auroc",
        "metrics": {model: metrics(sizes, 0.05 * k, repeats) for k, model in enumerate(models)},
        "fits": {model: fit(sizes, 0.05 * k) for k, model in enumerate(models)},
    }
    if len(models) > 1:
        level["pairs"] = {str(size): [pair(*models[:2])] for size in sizes}
    return {
        "question": "Is this patient sick?",
        "sizes": list(sizes),
        "repeats": repeats,
        "group": "patient",
        "training": [
            {
                "images": size,
                "groups": [size // 2, size // 2 + 1][:repeats],
                "classes": [{"well": size // 2, "sick": size // 2}, {"well": size // 2 - 1, "sick": size // 2 + 1}],
            }
            for size in sizes
        ],
        "test": {"images": 120, "groups": 60, "classes": {"well": 60, "sick": 60}},
        "classes": ["well", "sick"],
        "mask_classes": [],
        "simulated": simulated,
        "citation": "Somebody et al. 2025, A set of images.",
        "licence": "CC BY 4.0",
        "url": "https://example.org",
        "resamples": 2000,
        "models": {model: facts(model, sizes, repeats) for model in models},
        "levels": {"image": level},
        "parts": [
            {"name": f"{model}-{size}-{repeat}", "model": model, "images": size, "repeat": repeat}
            for model in models
            for size in sizes
            for repeat in range(repeats)
        ],
    }


def entry(value, repeats):
    found = {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 120, "patients": 60}
    if repeats == 1:
        return {**found, "sd": None}
    return {**found, "repeats": [value - 0.02, value + 0.02], "sd": 0.02}


def metrics(sizes, more, repeats):
    values = {"auroc": 0.7, "accuracy": 0.6, "f1": 0.55}
    return {
        str(size): {name: entry(round(value + more + 0.05 * k, 6), repeats) for name, value in values.items()}
        for k, size in enumerate(sizes)
    }


def ends(value, low, high):
    return {"value": value, "low": low, "high": high}


def needed(sizes, **changes):
    found = {"points": 0.01, "beyond": sizes[-1], "value": 123.4, "low": 56.7, "high": 1234.5, "why": None}
    return {**found, **changes}


def fit(sizes, more):
    if len(sizes) < 3:
        return {"needed": needed(sizes, value=None, low=None, high=None, why="2 sizes: any power law fits")}
    floored = len(sizes) >= SIZES_FOR_FLOOR
    floor = 0.05 if floored else 0.0
    images = np.geomspace(sizes[0], sizes[-1] * (10 if floored else 1), 41)
    values = 1 - (floor + 0.15 * (images / sizes[-1]) ** -0.5) + more
    return {
        "asymptote": floored,
        "reference": sizes[-1],
        "a": ends(0.05, 0.02, 0.1) if floored else ends(0.0, 0.0, 0.0),
        "b": ends(0.15, 0.1, 0.2),
        "c": ends(0.5, 0.3, 0.9),
        "curve": [
            {"images": float(n), **ends(float(value), float(value) - 0.05, float(value) + 0.03)}
            for n, value in zip(images, values, strict=True)
        ],
        "needed": needed(sizes) if floored else needed(sizes, high=None, why="three sizes do not show the end"),
    }


def pair(one, other):
    test = {"test": "delong", "metric": "auroc", "statistic": 2.0, "p": 0.04, "p_holm": 0.12, "n": 120, "source": ""}
    return {
        "a": one,
        "b": other,
        "differences": {"auroc": {"value": 0.05, "low": -0.01, "high": 0.11, "p": 0.04}},
        "tests": [test],
    }


def facts(model, sizes, repeats):
    experiment = {"name": model, "seed": 7, "data": {"name": "folder", "root": "/home/ann/images"}}
    experiment |= {"split": {"group": "patient", "train_images": sizes[0], "seed": 7}}
    experiment |= {"model": {"task": "classification", "backbone": f"net_{model}"}, "optimizer": {"lr": 0.001}}
    costs = {
        str(size): {
            "training_seconds": [size / 10, size / 5][:repeats],
            "seconds_per_image": [0.002] * repeats,
            "peak_memory_mib": [1024.0, 2048.0][-repeats:],
            "peak_gpu_memory_mib": [None] * repeats,
        }
        for size in sizes
    }
    return {"experiment": experiment, "parameters": 12345, "device": "Some CPU", "costs": costs}
