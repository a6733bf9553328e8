"""What features say by themselves: clusters against classes and patients, a map, and probes; tables in, tables out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.evaluation.agreement import compare_partitions, score_agreement
from medvision.evaluation.cases import patient_numbers
from medvision.evaluation.clustering import Clusters, cluster_candidates, exemplars, reduce_features, silhouette
from medvision.evaluation.intervals import Method
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.predictions import prediction_table
from medvision.evaluation.probes import PROBES, Sides

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EXEMPLARS = 6
EVERYTHING = "all"
"""The one part of a table of which the network has learned nothing."""


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """How images are clustered and scored.

    Args:
        k: how many clusters; None for the number with the largest silhouette.
        seed: of K-means, the bootstrap and the silhouette's choice of images.
        resamples: of the bootstrap over patients; 0 for no intervals.
        interval: how intervals come from the resamples.
    """

    k: int | None
    seed: int
    resamples: int
    interval: Method


@dataclass(frozen=True)
class ClusterStudy:
    """What was found.

    Args:
        table: a row an image: image, patient, study, label as far as they are known; split, cluster (from 1), distance
            to its centre, x and y of the map, exemplar (the number from 1, 0 for none).
        summary: plain values for `clusters.json`.
    """

    table: pd.DataFrame
    summary: dict[str, Any]


def study_clusters(
    features: npt.ArrayLike,
    images: pd.DataFrame,
    classes: Sequence[str],
    settings: ClusterSettings,
    project: Callable[[Floats], Floats] | None = None,
) -> ClusterStudy:
    """Cluster images by their features, and score each split of them apart.

    The centres are those of all images together; their classes play no part.

    Args:
        features: (N, F) float.
        images: the image table in the same order; with `split`, whose value is `all` where no image was learned from.
        classes: of the labels in their order, combinations of several labels by themselves; empty without labels.
        settings: how.
        project: makes a map (N, 2) of the reduced features (N, D); None for their first two directions.

    Raises:
        ConfigError: more clusters than images, or features that are all the same.
    """
    reduced = reduce_features(features, settings.seed)
    points = reduced.points
    counts = None if settings.k is None else [settings.k]
    candidates = cluster_candidates(points, settings.seed, counts)
    silhouettes = {k: silhouette(points, found, settings.seed) for k, found in candidates.items()}
    k = max(silhouettes, key=lambda k: (-1.0 if silhouettes[k] is None else silhouettes[k], -k))
    clusters = candidates[k]
    patients = patient_numbers(images)
    shown = exemplars(clusters, patients, EXEMPLARS)
    known = [column for column in ("image", "patient", "study", "label", "split", "fold") if column in images]
    table = images[known].reset_index(drop=True)
    flat = np.pad(points, ((0, 0), (0, 1)))[:, :2] if project is None else project(points)
    rank = np.zeros(len(table), dtype=np.int64)
    for rows in shown:
        rank[rows] = np.arange(1, len(rows) + 1)
    table = table.assign(
        cluster=clusters.labels + 1, distance=clusters.distances, x=flat[:, 0], y=flat[:, 1], exemplar=rank
    )
    summary = {
        "k": k,
        "chosen_by": "silhouette" if settings.k is None else "given",
        "silhouettes": [{"k": count, "silhouette": value} for count, value in silhouettes.items()],
        "features": int(np.shape(features)[1]),
        "dimensions": int(points.shape[1]),
        "explained": float(reduced.shares.sum()),
        "map_explained": float(reduced.shares[:2].sum()) if project is None else None,
        "clusters": _describe(clusters, patients),
        "scores": _score_splits(table, clusters, classes, settings),
    }
    return ClusterStudy(table, summary)


def _describe(clusters: Clusters, patients: Integers) -> list[dict[str, Any]]:
    found = []
    for number in range(clusters.k):
        rows = clusters.labels == number
        found.append(
            {
                "cluster": number + 1,
                "images": int(rows.sum()),
                "patients": len(np.unique(patients[rows])),
                "distance": float(clusters.distances[rows].mean()),
            }
        )
    return found


def _score_splits(
    table: pd.DataFrame, clusters: Clusters, classes: Sequence[str], settings: ClusterSettings
) -> dict[str, Any]:
    scores: dict[str, Any] = {}
    for split in table["split"].unique():
        rows = (table["split"] == split).to_numpy()
        part, labels = table[rows], clusters.labels[rows]
        groups = patient_numbers(part)
        others: dict[str, Integers] = {}
        told: dict[str, Any] = {"n": len(part), "patients": int(groups.max()) + 1}
        if classes:
            number = {name: position for position, name in enumerate(classes)}
            others["classes"] = part["label"].fillna("").map(number).to_numpy(dtype=np.int64)
            told = score_agreement(
                labels,
                others["classes"],
                groups,
                classes,
                clusters.k,
                resamples=settings.resamples,
                seed=settings.seed,
                interval=settings.interval,
            )
        if told["patients"] < told["n"]:
            others["patients"] = groups
        scores[str(split)] = {**told, "partitions": compare_partitions(labels, others)}
    return scores


def probe_images(
    features: npt.ArrayLike,
    images: pd.DataFrame,
    targets: npt.NDArray[Any],
    classes: Sequence[str],
    sides: Mapping[int, Sides],
    *,
    multilabel: bool,
) -> tuple[pd.DataFrame, dict[str, list[dict[str, Any]]]]:
    """Ask every probe of the images that are tested, each fold by what its other images taught it.

    Args:
        features: (N, F) float.
        images: the image table in the same order, with labels.
        targets: (N,) int64 class numbers, or (N, K) of zeros and ones.
        classes: K names.
        sides: fold -> rows that learn, choose and are tested; -1 for a split that is no fold.
        multilabel: several classes an image, or none.

    Returns:
        A prediction table with a column `model` in front, the name of the probe; and {probe: settings of each fold}.
    """
    tables: list[pd.DataFrame] = []
    settings: dict[str, list[dict[str, Any]]] = {}
    for name, probe in PROBES.items():
        settings[name] = []
        for fold, rows in sides.items():
            answer = probe(features, targets, rows)
            settings[name].append({"fold": fold, **answer.settings})
            tested = images.iloc[rows.test].reset_index(drop=True).assign(split="test", fold=fold)
            found = prediction_table(tested, answer.probabilities, classes, multilabel=multilabel)
            tables.append(found.assign(model=name))
    table = pd.concat(tables, ignore_index=True)
    return table[["model", *table.columns.drop("model")]], settings


def score_probes(
    table: pd.DataFrame, classes: Sequence[str], settings: ClusterSettings, *, multilabel: bool
) -> dict[str, dict[str, Any]]:
    """{probe: {level: {metric: entry}}} of the table of `probe_images`."""
    return {
        str(name): classification_metrics(
            rows.drop(columns="model").reset_index(drop=True),
            classes,
            multilabel=multilabel,
            resamples=settings.resamples,
            seed=settings.seed,
            interval=settings.interval,
        )
        for name, rows in table.groupby("model", sort=False)
    }
