import pandas as pd
import pytest

from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.reports.page_tables import answer_text, count_splits, metric_tables, split_facts
from tests.reports.conftest import draw_predictions
from tests.reports.tissue import CLASSES, draw_mask_table

SPLIT = pd.DataFrame(
    {
        "image": list("abcdef"),
        "patient": ["1", "1", "2", "3", "4", ""],
        "split": ["train", "train", "train", "val", "test", "unused"],
        "label": ["x", "x|y", "", "y", "x", "x"],
        "group": ["1", "1", "2", "3", "4", "5"],
    }
)


def draw_metrics():
    """Labels of images, studies and patients, masks of the same images."""
    names = ["well", "sick"]
    of_labels = classification_metrics(draw_predictions(names, 72, True), names, resamples=0)
    of_masks = segmentation_metrics(draw_mask_table(72), CLASSES, resamples=0)
    return of_labels, of_masks


def join(of_labels, of_masks):
    return {level: of_labels.get(level, {}) | of_masks.get(level, {}) for level in {**of_labels, **of_masks}}


def test_images_by_class_split_and_patient_are_counted_by_hand():
    rows = {row.pop("name"): row for row in count_splits(SPLIT, ["x", "y"])}
    assert rows["train"] == {"counts": {"x": 2, "y": 1}, "images": 3, "groups": 2, "patients": 2}
    assert rows["val"] == {"counts": {"x": 0, "y": 1}, "images": 1, "groups": 1, "patients": 1}
    assert rows["unused"]["patients"] is None


def test_without_labels_images_and_patients_are_counted():
    rows = count_splits(SPLIT.drop(columns="label"), [])
    assert [row["images"] for row in rows] == [3, 1, 1, 1]
    assert all(row["counts"] == {} for row in rows)


def test_a_patient_in_two_splits_is_found():
    assert split_facts(SPLIT) == {"groups": 4, "shared_groups": 0, "shared_patients": 0, "shared_files": None}
    torn = SPLIT.assign(patient=["1", "1", "2", "1", "2", "1"])
    assert split_facts(torn)["shared_patients"] == 2


def test_a_run_has_the_tables_of_its_metrics():
    of_labels, of_masks = draw_metrics()
    assert [table["kind"] for table in metric_tables(of_labels, [])] == ["labels"]
    assert [table["kind"] for table in metric_tables(of_masks, CLASSES)] == ["masks"]
    labels, masks = metric_tables(join(of_labels, of_masks), CLASSES)
    assert (list(labels["by_class"]), list(masks["by_class"])) == (list(of_labels), ["image", "patient"])
    # Each half is what it is alone.
    assert [labels] == metric_tables(of_labels, [])
    assert [masks] == metric_tables(of_masks, CLASSES)


def test_the_answer_joins_what_was_scored_on_the_same_cases():
    of_labels, of_masks = draw_metrics()
    both = join(of_labels, of_masks)
    apart = answer_text(both, "of the test split")
    assert apart.startswith("On 18 studies of the test split: AUROC ")
    assert ". On 72 images of 18 patients of the test split: Dice " in apart
    together = answer_text({"image": both["image"]}, "of the test split")
    assert together.count("On 72 images of 18 patients") == 1
    assert "; Dice " in together


@pytest.mark.parametrize(
    ("n", "auroc"),
    [
        (10, "0.91 (95 % interval 0.84 to 0.96; over folds 0.90 ± 0.03)"),
        (100, "0.91 (95 % interval 0.84 to 0.96; over folds 0.90 ± 0.03)"),
        (101, "0.912 (95 % interval 0.844 to 0.955; over folds 0.898 ± 0.032)"),
    ],
)
def test_a_value_its_interval_and_its_spread_have_the_same_digits(n, auroc):
    drawn = draw_predictions(["well", "sick"], 4 * n, False)[:n]
    entries = classification_metrics(drawn, ["well", "sick"], resamples=0)
    spread = {"mean": 0.8979, "sd": 0.0321, "n": 5, "of": 5}
    entries["image"]["auroc"] |= {"value": 0.9123, "low": 0.8437, "high": 0.9551, "folds": spread}
    assert f"AUROC {auroc} and balanced accuracy" in answer_text(entries, "of five folds")
