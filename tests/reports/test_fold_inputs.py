import json

import pandas as pd
import pytest

from medvision.errors import RunError
from medvision.reports.fold_inputs import add_fold_summary, is_cross_validation, once_tested
from medvision.reports.inputs import FoldInputs
from medvision.reports.run_report import read_report_inputs
from tests.reports.cross_validated import draw_parent


def test_the_tables_of_a_cross_validation_are_read_as_one_test(tmp_path):
    parent = draw_parent(tmp_path / "parent", folds=3, patients=12)
    assert is_cross_validation(parent)
    inputs = read_report_inputs(parent)
    assert inputs.answering == "test"
    assert inputs.scored == "test folds"
    assert set(inputs.predictions["split"]) == set(inputs.split["split"]) == {"test"}
    assert len(inputs.predictions) == len(inputs.split) == 36
    assert [part.title for part in inputs.folds.parts] == ["fold 0", "fold 1", "fold 2"]
    assert inputs.folds.count == "3 folds"
    assert [part.link for part in inputs.folds.parts] == [f"parts/fold-{k}/report.html" for k in range(3)]
    for part in inputs.folds.parts:
        assert part.best_epoch == part.history["val/auroc"].idxmax()
        assert part.environment["n"] == 12
    saved = json.loads(parent.folds.read_text())["test"]["image"]["auroc"]
    assert inputs.metrics["test"]["image"]["auroc"]["folds"] == {**saved, "of": 3}
    pictures = [case["picture"] for case in inputs.cases]
    assert pictures
    assert all(picture.is_file() and "parts" in picture.parts for picture in pictures)


def test_a_fold_whose_folder_is_gone_still_counts(tmp_path):
    parent = draw_parent(tmp_path / "parent", folds=3, patients=12)
    parent.parts.rename(tmp_path / "elsewhere")
    inputs = read_report_inputs(parent)
    first = inputs.folds.parts[0]
    assert first.link is first.split is first.history is first.best_epoch is None
    assert first.environment["training_seconds"] == 41.0
    assert {case["picture"] for case in inputs.cases} == {None}


def test_repeats_are_counted_and_images_stand_once(tmp_path):
    inputs = read_report_inputs(draw_parent(tmp_path / "parent", folds=2, repeats=2, patients=8))
    assert inputs.folds.count == "2 × 2 folds"
    assert len(inputs.split) == inputs.split["image"].nunique() == 24
    assert len(inputs.predictions) == 48
    assert inputs.folds.parts[2].title == "repeat 1, fold 0"


def test_folds_that_were_not_gathered_are_an_error(tmp_path):
    parent = draw_parent(tmp_path / "parent", folds=2, patients=8)
    parent.metrics.unlink()
    with pytest.raises(RunError, match="metrics.json"):
        read_report_inputs(parent)
    parent.folds.unlink()
    assert not is_cross_validation(parent)


def test_images_of_no_fold_stay_unused():
    split = pd.DataFrame({"image": ["a", "b", "a", "b"], "fold": [0, 1, 1, 0], "repeat": [0, 0, 1, 1]})
    split["split"] = ["test", "unused", "test", "test"]
    found = once_tested(split)
    assert found["fold"].tolist() == [0, 1]
    assert found["split"].tolist() == ["test", "unused"]
    assert once_tested(split.drop(columns=["split", "repeat"]))["split"].tolist() == ["test"] * 4


def test_only_metrics_that_are_there_get_a_summary():
    folds = FoldInputs(
        parts=[], summary={"image": {"f1": {"mean": 0.5, "sd": 0.1, "n": 2, "values": {"a": 1, "b": 0}}}}
    )
    metrics = {"image": {"auroc": {"value": 1}}, "patient": {"f1": {"value": 1}}}
    add_fold_summary(metrics, folds)
    assert metrics == {"image": {"auroc": {"value": 1}}, "patient": {"f1": {"value": 1}}}
    metrics["image"]["f1"] = {"value": 0.6}
    add_fold_summary(metrics, folds)
    assert metrics["image"]["f1"]["folds"]["of"] == 2
