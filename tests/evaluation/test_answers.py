import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.answers import Answers, MaskScorer
from medvision.evaluation.intervals import Resampled, resample
from medvision.evaluation.levels import read_levels
from medvision.evaluation.metrics import classification_metrics, patients_behind
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.evaluation.weighted import Scorer

CLASSES = ["a", "b", "c"]
MASKS = ["background", "disc", "bar"]


def draw_masks(seed, images=30, patients=8):
    """Drawn scores of masks; the bar is not in every image, and one distance is infinite."""
    random = np.random.default_rng(seed)
    truth = np.random.default_rng(0)
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(images)], "mask": "m.png", "unit": "mm"})
    frame["patient"] = (np.arange(images) % patients).astype(str)
    shown = {"disc": np.ones(images, dtype=bool), "bar": truth.random(images) < 0.7}
    for name, there in shown.items():
        overlaps = {m: random.random(images) for m in ("dice", "iou", "pixel_sensitivity", "pixel_precision")}
        distances = {m: random.random(images) * 9 for m in ("hd95", "assd")}
        distances["hd95"][0] = distances["assd"][0] = np.inf
        areas = {"area": random.random(images) + 1, "area_true": truth.random(images) + 1}
        columns = overlaps | distances | areas
        frame = frame.assign(**{f"{m}_{name}": np.where(there, values, np.nan) for m, values in columns.items()})
        frame[[f"area_{name}", f"area_true_{name}"]] = frame[[f"area_{name}", f"area_true_{name}"]].fillna(0)
    return frame


def answers(tables, level="image", classes=CLASSES, masks=(), multilabel=False):
    levels = [read_levels(table, classes, masks, multilabel=multilabel, decision=UNCHANGED) for table in tables]
    return Answers(tuple(one[level] for one in levels))


def repeated(draw):
    """Two models' answers to the same images, as two repeats."""
    first, other = draw(seed=0), draw(seed=1)
    columns = [name for name in other if name.startswith("p_")] + ["predicted"]
    return [first.sort_values("image"), first.assign(**other[columns]).sort_values("image")]


def test_labels_are_scored_as_by_their_scorer(draw):
    table = draw()
    one = answers([table])
    weights = np.random.default_rng(0).integers(0, 3, (60, 4)).astype(np.float64)
    expected = Scorer(one.first.labels)(weights)
    found = one.score(weights)
    assert found.keys() == expected.keys() == one.values.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
    assert one.patients == 15
    assert one.behind["sensitivity_a"] == patients_behind(one.first.labels)["sensitivity_a"] < 15
    assert one.behind["accuracy"] == 15


@pytest.mark.parametrize("level", ["image", "patient"])
def test_masks_are_scored_as_in_their_metrics(level):
    table = draw_masks(3)
    one = answers([table], level, masks=MASKS)
    expected = segmentation_metrics(table, MASKS, resamples=0)[level]
    assert set(one.values) == set(expected) - {"absent_mask_classes"}
    for name, values in one.values.items():
        assert values[0] == pytest.approx(expected[name]["value"]), name
    assert one.behind["hd95_disc"] == (8 if level == "image" else expected["hd95_disc"]["patients"])


def test_a_weight_is_how_often_a_mask_counts():
    table = draw_masks(3)
    scorer = MaskScorer(answers([table], masks=MASKS).first.masks)
    weights = np.random.default_rng(0).integers(0, 3, 30)
    again = table.loc[np.repeat(np.arange(30), weights)].assign(image=lambda frame: np.arange(len(frame)).astype(str))
    expected = segmentation_metrics(again, MASKS, resamples=0)["image"]
    for name, values in scorer(weights[:, None].astype(np.float64)).items():
        assert values[0] == pytest.approx(expected[name]["value"]), name
    nobody = np.zeros((30, 1))
    nobody[table["area_true_bar"].to_numpy() == 0] = 1
    found = scorer(nobody)
    assert np.isnan([found["dice_bar"][0], found["dice"][0]]).all()
    assert np.isfinite(found["dice_disc"][0])


def test_a_class_that_no_mask_shows():
    table = draw_masks(3)
    empty = {name: 0.0 if name.startswith("area") else np.nan for name in table if name.endswith("_bar")}
    one = answers([table.assign(**empty)], masks=MASKS)
    assert np.isnan(one.values["dice_bar"][0])
    assert one.values["dice"][0] == one.values["dice_disc"][0]
    assert (one.behind["dice_bar"], one.behind["dice"]) == (0, 8)


def test_repeats_are_averaged_with_their_values(draw):
    tables = repeated(draw)
    one = answers(tables)
    weights = np.random.default_rng(0).integers(0, 3, (60, 4)).astype(np.float64)
    expected = np.mean([answers([table]).score(weights)["f1"] for table in tables], axis=0)
    np.testing.assert_allclose(one.score(weights)["f1"], expected)
    np.testing.assert_allclose(one.values["f1"], [answers([table]).values["f1"][0] for table in tables])
    behind = [patients_behind(answers([table]).first.labels).get("precision_a", 15) for table in tables]
    assert one.behind["precision_a"] == min(behind)


@pytest.mark.parametrize("repeats", [1, 2])
def test_entries_are_those_of_the_metrics_file(draw, repeats):
    tables = repeated(draw)[:repeats]
    one = answers(tables)
    resampled = resample(one.score, one.first.groups, resamples=80, seed=3, method="bca")
    pooled = pd.concat([table.assign(repeat=k) for k, table in enumerate(tables)])
    table = tables[0] if repeats == 1 else pooled
    expected = classification_metrics(table, CLASSES, resamples=80, seed=3)["image"]
    found = one.label_entries(resampled)
    assert found == {name: expected[name] for name in found}
    assert set(expected) - set(found) == {"confusion_matrix", "absent_classes"}
    assert one.mask_entries(resamples=80, seed=3, interval="bca") == {}


@pytest.mark.parametrize("level", ["image", "patient"])
def test_mask_entries_are_those_of_the_metrics_file(level):
    tables = [draw_masks(3).sort_values("image"), draw_masks(4).sort_values("image")]
    pooled = pd.concat([table.assign(repeat=k) for k, table in enumerate(tables)])
    expected = segmentation_metrics(pooled, MASKS, resamples=50, seed=2)[level]
    found = answers(tables, level, masks=MASKS).mask_entries(resamples=50, seed=2, interval="bca")
    expected.pop("absent_mask_classes")
    assert found == expected
    assert answers(tables, level, masks=MASKS).label_entries(Resampled({}, {}, "bca")) == {}
