"""The study as a whole, on drawn features: its tables, its parts, its probes."""

import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.agreement import score_agreement
from medvision.evaluation.cases import patient_numbers
from medvision.evaluation.cluster_study import EVERYTHING, ClusterSettings, probe_images, score_probes, study_clusters
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.probes import Sides, linear_probe

CLASSES = ["left", "none", "right"]
SETTINGS = ClusterSettings(k=3, seed=4, resamples=100, interval="bca")


def drawn(patients=24, seed=0):
    """Features of three images a patient, whose class moves them."""
    generator = np.random.default_rng(seed)
    label = np.repeat(generator.permutation(np.arange(patients) % 3), 3)
    features = generator.normal(size=(3 * patients, 8)) + 3 * generator.normal(size=(3, 8))[label]
    table = pd.DataFrame(
        {
            "image": [f"i{number}" for number in range(3 * patients)],
            "patient": [f"P{number // 3}" for number in range(3 * patients)],
            "label": np.array(CLASSES, dtype=object)[label],
            "fold": np.arange(3 * patients) // 3 % 4,
            "sex": ["f", "m", "f"] * patients,
        }
    )
    return features, table, label


def test_every_image_has_its_row():
    features, table, _ = drawn()
    study = study_clusters(features, table.assign(split=EVERYTHING), CLASSES, SETTINGS)
    assert list(study.table) == [
        *("image", "patient", "label", "split", "fold", "cluster", "distance", "x", "y", "exemplar")
    ]
    assert (study.table["image"] == table["image"]).all()
    assert sorted(study.table["cluster"].unique()) == [1, 2, 3]
    for _, rows in study.table.groupby("cluster"):
        shown = rows[rows["exemplar"] > 0].sort_values("exemplar")
        assert shown["exemplar"].tolist() == list(range(1, 7))
        nearest = rows.loc[rows.groupby("patient")["distance"].idxmin()].sort_values("distance")
        assert shown["image"].tolist() == nearest["image"].tolist()[:6]


def test_the_summary_tells_what_was_done():
    features, table, _ = drawn()
    summary = study_clusters(features, table.assign(split=EVERYTHING), CLASSES, SETTINGS).summary
    assert (summary["k"], summary["chosen_by"], summary["features"], summary["dimensions"]) == (3, "given", 8, 8)
    assert summary["explained"] == pytest.approx(1)
    assert [row["images"] for row in summary["clusters"]] == [24, 24, 24]
    assert [row["patients"] for row in summary["clusters"]] == [8, 8, 8]
    (part,) = summary["scores"].values()
    assert part["metrics"]["accuracy"]["value"] == 1
    assert part["metrics"]["adjusted_rand"]["value"] == 1
    assert np.array(part["counts"]).sum(axis=0).tolist() == [24, 24, 24]
    assert set(part["partitions"]) == {"classes", "patients"}


def test_the_number_of_clusters_is_found():
    features, table, _ = drawn()
    settings = ClusterSettings(k=None, seed=0, resamples=0, interval="bca")
    summary = study_clusters(features, table.assign(split=EVERYTHING), CLASSES, settings).summary
    assert (summary["k"], summary["chosen_by"]) == (3, "silhouette")
    values = {row["k"]: row["silhouette"] for row in summary["silhouettes"]}
    assert list(values) == list(range(2, 11))
    assert max(values, key=values.get) == 3


def test_splits_are_scored_apart_by_the_same_clusters():
    features, table, label = drawn()
    split = np.where(table["fold"] == 0, "test", "train")
    study = study_clusters(features, table.assign(split=split), CLASSES, SETTINGS)
    assert set(study.summary["scores"]) == {"train", "test"}
    found = study.table["cluster"].to_numpy() - 1
    for name, part in study.summary["scores"].items():
        rows = split == name
        groups = patient_numbers(table[rows])
        expected = score_agreement(found[rows], label[rows], groups, CLASSES, 3, resamples=100, seed=4, interval="bca")
        assert {key: part[key] for key in expected} == expected


def test_images_without_labels_are_compared_with_patients_alone():
    features, table, _ = drawn()
    study = study_clusters(features, table.drop(columns="label").assign(split=EVERYTHING), [], SETTINGS)
    (part,) = study.summary["scores"].values()
    assert set(part) == {"n", "patients", "partitions"}
    assert (part["n"], part["patients"], set(part["partitions"])) == (72, 24, {"patients"})
    one_each = study_clusters(features, table[["image"]].assign(split=EVERYTHING), [], SETTINGS)
    assert one_each.summary["scores"][EVERYTHING]["partitions"] == {}


def test_a_map_can_be_made_by_another_method():
    features, table, _ = drawn()
    study = study_clusters(features, table.assign(split=EVERYTHING), CLASSES, SETTINGS, lambda points: points[:, 2:4])
    plain = study_clusters(features, table.assign(split=EVERYTHING), CLASSES, SETTINGS)
    assert study.summary["map_explained"] is None
    assert 0 < plain.summary["map_explained"] < 1
    assert (study.table["cluster"] == plain.table["cluster"]).all()
    assert not np.allclose(study.table["x"], plain.table["x"])


def test_one_feature_makes_a_flat_map():
    table = drawn()[1].assign(split=EVERYTHING)
    study = study_clusters(
        np.arange(72.0)[:, None] % 7, table, CLASSES, ClusterSettings(k=2, seed=0, resamples=0, interval="bca")
    )
    assert (study.table["y"] == 0).all()


def test_probes_are_pooled_over_their_folds():
    features, table, label = drawn()
    fold = table["fold"].to_numpy()
    sides = {
        k: Sides(*(np.flatnonzero(rows) for rows in (~np.isin(fold, [k, (k + 1) % 4]), fold == (k + 1) % 4, fold == k)))
        for k in range(4)
    }
    answers, settings = probe_images(features, table, label, CLASSES, sides, multilabel=False)
    assert list(answers)[:3] == ["model", "image", "patient"]
    assert set(answers["model"]) == {"linear_probe", "nearest_neighbours"} == set(settings)
    assert [row["fold"] for row in settings["linear_probe"]] == [0, 1, 2, 3]
    for _, rows in answers.groupby("model"):
        assert sorted(rows["image"]) == sorted(table["image"])
        assert (rows.set_index("image")["fold"].loc[table["image"]].to_numpy() == fold).all()
    one = answers[(answers["model"] == "linear_probe") & (answers["fold"] == 2)]
    expected = linear_probe(features, label, sides[2]).probabilities
    assert one[["p_left", "p_none", "p_right"]].to_numpy() == pytest.approx(expected, abs=1e-6)
    metrics = score_probes(answers, CLASSES, SETTINGS, multilabel=False)
    assert set(metrics["linear_probe"]) == {"image", "patient"}
    rows = answers[answers["model"] == "nearest_neighbours"].drop(columns="model").reset_index(drop=True)
    assert metrics["nearest_neighbours"] == classification_metrics(rows, CLASSES, resamples=100, seed=4)
    assert metrics["nearest_neighbours"]["image"]["accuracy"]["value"] > 0.9
