import pandas as pd
import pytest

from medvision.application.saved_answers import LOWEST, MISTAKES, SAVED, UNCERTAIN, SavedAnswers, read_answers
from medvision.errors import DataError, RunError
from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.operating_point import Decision
from medvision.runs import read_json, read_table, write_json, write_table
from tests.application.discs import trained
from tests.finished_runs import write_finished_run


def answers_of(target, predicted, chances, classes, decision=None, *, multilabel=False, first=1, **columns):
    """Answers of hand-made rows, numbered from `first` on."""
    table = pd.DataFrame({"image": [f"{k}.png" for k in range(len(target))], "split": "test"} | columns)
    table["target"], table["predicted"] = target, predicted
    for k, name in enumerate(classes):
        table[f"p_{name}"] = [row[k] for row in chances]
    table.index = range(first, first + len(table))
    return SavedAnswers(table, "test", classes, [], multilabel, decision or Decision(), {})


THREE = answers_of(
    ["a", "b", "c", "a"],
    ["a", "a", "b", "a"],
    [(0.8, 0.1, 0.1), (0.5, 0.3, 0.2), (0.1, 0.7, 0.2), (0.4, 0.35, 0.25)],
    ["a", "b", "c"],
    first=11,
)


def test_of_three_classes_mistakes_come_by_the_probability_of_the_wrong_answer():
    assert THREE.orders == [SAVED, MISTAKES, UNCERTAIN]
    assert THREE.pick(SAVED) == [11, 12, 13, 14]
    # Row 13 said b with 0.7, row 12 said a with 0.5.
    assert THREE.pick(MISTAKES) == [13, 12]


def test_of_three_classes_the_nearest_two_are_least_certain():
    # Distances of the two largest: 0.7, 0.2, 0.5, 0.05.
    assert THREE.pick(UNCERTAIN) == [14, 12, 13, 11]
    assert THREE.pick(UNCERTAIN, "a") == [14, 11]
    assert THREE.thresholds(11) == {}


def test_of_two_classes_the_threshold_is_that_of_the_fold():
    low, high = (Decision(thresholds={"image": {"yes": value}}, chosen_on={"patients": n}) for value, n in CHOSEN)
    folds = FoldDecisions({"0": low, "1": high})
    chances = [(0.7, 0.3), (0.7, 0.3), (0.15, 0.85), (0.15, 0.85)]
    found = answers_of(
        ["no", "yes", "yes", "no"], ["yes", "no", "yes", "yes"], chances, ["no", "yes"], folds, fold=[0, 1, 0, 1]
    )
    assert found.thresholds(1) == {"yes": 0.25}
    assert found.thresholds(2) == {"yes": 0.75}
    # 0.05 and 0.6 from the line of fold 0, 0.45 and 0.1 from that of fold 1.
    assert found.pick(UNCERTAIN) == [1, 4, 2, 3]
    assert [found.digits(1), found.digits(2)] == [2, 3]
    # Wrong answers: yes with 0.3, no with 0.7, yes with 0.85.
    assert found.pick(MISTAKES) == [4, 2, 1]


CHOSEN = ((0.25, 40), (0.75, 400))


def test_of_several_labels_the_wrong_one_counts():
    decision = Decision(thresholds={"image": {"x": 0.5, "y": 0.2}})
    chances = [(0.9, 0.1), (0.6, 0.3), (0.45, 0.9)]
    found = answers_of(["x", "", "x|y"], ["x", "x|y", "y"], chances, ["x", "y"], decision, multilabel=True)
    # Row 2 is wrong by 0.6 at x and 0.3 at y, row 3 by 0.55 at x.
    assert found.pick(MISTAKES) == [2, 3]
    # Nearest to a line: 0.1 (y), 0.1 (both; x 0.1, y 0.1), 0.05 (x).
    assert found.pick(UNCERTAIN)[0] == 3
    assert found.pick(SAVED, "y") == [3]
    assert found.thresholds(1) == {"x": 0.5, "y": 0.2}


def test_masks_come_by_their_mean_dice_and_those_without_any_last():
    table = pd.DataFrame({"dice_a": [0.9, float("nan"), 0.2], "dice_b": [0.5, float("nan"), 0.8]}, index=[4, 5, 6])
    table = table.assign(area_true_a=[10, 0, 3], area_true_b=[0, 0, 4])
    found = SavedAnswers(table, "test", [], ["rest", "a", "b"], False, Decision(), {})
    assert found.orders == [SAVED, LOWEST]
    assert found.pick(LOWEST) == [6, 4, 5]
    assert found.pick(SAVED, "b") == [6]


def test_the_rows_of_the_test_split_keep_their_numbers(tmp_path):
    run = write_finished_run(tmp_path / "run")
    table = read_table(run.predictions)
    write_table(run.split, table[["image", "patient", "split"]])
    found = read_answers(run)
    assert found.split == "test"
    assert list(table["image"].iloc[[number - 1 for number in found.table.index]]) == list(found.table["image"])
    assert set(found.table["split"]) == {"test"}
    assert found.called[table["image"][0]] == "patient 1"


def test_where_nothing_was_tested_validation_is_shown(tmp_path):
    run = write_finished_run(tmp_path / "run")
    table = read_table(run.predictions)
    write_table(run.split, table[["image", "patient", "split"]])
    write_table(run.predictions, table[table["split"] == "val"])
    found = read_answers(run)
    assert (found.split, found.tested, list(found.table.index)) == ("val", False, [1, 2, 3, 4])


def test_a_folder_of_several_experiments_has_no_answers(tmp_path):
    run = write_finished_run(tmp_path / "run")
    write_json(run.plan, {"kind": "comparison"})
    with pytest.raises(RunError, match="several experiments.*one of the folders below its `parts`"):
        read_answers(run)


def test_a_damaged_table_is_told_of(tmp_path):
    run = write_finished_run(tmp_path / "run")
    table = read_table(run.predictions)
    write_table(run.split, table[["image", "patient", "split"]])
    write_table(run.predictions, table.assign(p_torn=7.0))
    with pytest.raises(DataError):
        read_answers(run)
    write_table(run.predictions, table.assign(split="somewhere"))
    with pytest.raises(RunError, match="no images"):
        read_answers(run)


@pytest.mark.parametrize("kind", ["classification", "segmentation"])
def test_real_runs_are_read(kind, tmp_path_factory):
    run, _ = trained(kind, tmp_path_factory)
    found = read_answers(run)
    data = read_json(run.environment)["data"]
    assert (found.classes, found.mask_classes) == (data["classes"], data["mask_classes"])
    assert len(found.table) == (read_table(run.split)["split"] == "test").sum()
    assert all(set(found.pick(order)) <= set(found.table.index) for order in found.orders)
