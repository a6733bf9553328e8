import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.reports.mask_tables import is_mask_metric, mask_answer, mask_table
from tests.reports.conftest import draw_predictions
from tests.reports.tissue import CLASSES, draw_mask_table


def entry(value, low=None, high=None, **more):
    return {"value": value, "low": low, "high": high, "n": 18, "patients": 15} | more


def draw_entries(**changes):
    """Metrics of one level with values that are easy to find again."""
    ratios = {name: entry(0.9312, 0.9101, 0.9499) for name in ("dice", "iou", "pixel_sensitivity", "pixel_precision")}
    lengths = {name: entry(2.12, 1.8, 2.4, unit="mm", infinite=0) for name in ("hd95", "assd")}
    entries = ratios | lengths
    areas = {"area_error": entry(31.0, 20.0, 44.0, unit="mm²"), "area_bias": entry(-3.5, -4.5, -2.5, unit="mm²")}
    entries |= {f"{name}_{c}": found for c in CLASSES[1:] for name, found in (entries | areas).items()}
    return entries | {"absent_mask_classes": {"value": [], "n": 18, "patients": 15}} | changes


def test_the_answer_has_counts_intervals_and_the_unit():
    assert mask_answer(draw_entries()) == (
        "18 images of 15 patients",
        "Dice 0.93 (95 % interval 0.91 to 0.95) and "
        "95th-percentile Hausdorff distance 2.12 mm (95 % interval 1.80 to 2.40)",
    )


@pytest.mark.parametrize(("n", "dice"), [(6, "0.93 ± 0.05"), (100, "0.93 ± 0.05"), (101, "0.931 ± 0.052")])
def test_a_share_and_its_spread_have_no_more_digits_than_cases_support(n, dice):
    spread = {"mean": 0.9312, "sd": 0.0516, "n": 5, "of": 5}
    found = draw_entries(dice=entry(0.9312, n=n, folds=spread), hd95=entry(2.12, 1.8, 2.4, unit="mm", n=n))
    assert mask_answer(found)[1] == (
        f"Dice {dice.split()[0]} (over folds {dice}) and "
        "95th-percentile Hausdorff distance 2.12 mm (95 % interval 1.80 to 2.40)"
    )


def test_the_answer_tells_what_is_infinite_undefined_or_without_interval():
    infinite = draw_entries(hd95=entry(12.3, unit="px", infinite=2))
    assert mask_answer(infinite)[1].endswith("Hausdorff distance 12.3 px (2 infinite left out)")
    undefined = draw_entries(hd95=entry(None, unit="px", infinite=18), dice=entry(0.0))
    assert mask_answer(undefined)[1] == "Dice 0.00 and 95th-percentile Hausdorff distance undefined"


def test_tables_have_a_row_a_class_and_units_in_their_heads():
    infinite = entry(2.5, unit="mm", infinite=3)
    table = mask_table({"image": draw_entries(hd95_muscle=infinite), "patient": draw_entries()}, CLASSES)
    assert table["counts"] == ["18 images of 15 patients", "18 patients"]
    summary = dict(table["summary"])
    assert summary["Dice"] == [("0.93", ["0.91–0.95"])] * 2
    assert [title for title in summary if title.endswith("(mm)")] == list(summary)[-2:]
    assert table["columns"][-2:] == ["area error (mm²)", "area bias (mm²)"]
    rows = {name: dict(zip(table["columns"], cells, strict=True)) for name, _, cells in table["by_class"]["image"]}
    assert list(rows) == ["fat", "muscle"]
    assert rows["muscle"]["HD95 (mm)"] == ("2.50", ["3 infinite"])
    assert rows["fat"]["HD95 (mm)"] == ("2.12", ["1.80–2.40"])
    # A dash before a minus could not be read.
    assert rows["fat"]["area bias (mm²)"] == ("-3.50", ["-4.50 to -2.50"])


@pytest.mark.parametrize("multilabel", [False, True])
def test_metrics_of_masks_and_labels_are_told_apart(multilabel):
    # Names of classes that begin like metrics of the other kind.
    names = ["dice", "area_x", "hd95"]
    of_labels = classification_metrics(draw_predictions(names, 80, False), names, multilabel=multilabel, resamples=0)
    assert not any(map(is_mask_metric, of_labels["image"]))
    of_masks = segmentation_metrics(draw_mask_table(), CLASSES, resamples=0)
    assert all(map(is_mask_metric, of_masks["image"]))
