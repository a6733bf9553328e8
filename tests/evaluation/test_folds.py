import json

import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.folds import (
    Decision,
    FoldDecisions,
    any_temperature,
    average,
    first_repeat,
    fold_name,
    fold_names,
    fold_summary,
    read_decision,
    rows_by_decision,
    split_repeats,
    thresholds_by_fold,
    values_by_repeat,
)


def entry(value):
    return {"value": value, "low": None, "high": None}


def test_a_fold_has_the_name_of_its_numbers_whatever_their_type():
    assert fold_name(3) == fold_name("3") == fold_name(np.float64(3)) == "3"
    assert fold_name(3, 1) == fold_name(3.0, 1.0) == "repeat-1-fold-3"
    table = pd.DataFrame({"fold": [0, 1], "repeat": [2, 2]})
    assert fold_names(table).tolist() == ["repeat-2-fold-0", "repeat-2-fold-1"]
    assert fold_names(table[["fold"]]).tolist() == ["0", "1"]
    with pytest.raises(DataError, match="no column fold, and each fold has decisions of its own"):
        fold_names(table[["repeat"]])


def test_decisions_are_the_same_after_writing_and_reading():
    one = Decision(temperature=1.5, aggregate="max", rule="f1", thresholds={"image": {"ill": 0.3}}, notes=("why",))
    folds = FoldDecisions({0: one, "1": Decision()})
    assert list(folds.by_fold) == ["0", "1"]
    saved = json.loads(json.dumps(folds.to_json()))
    assert list(saved) == ["folds"]
    assert read_decision(saved) == FoldDecisions.from_json(saved) == folds
    assert read_decision(json.loads(json.dumps(one.to_json()))) == one
    with pytest.raises(DataError, match="of no fold"):
        FoldDecisions({})


def test_each_row_has_the_decision_of_its_fold():
    folds = FoldDecisions({0: Decision(rule=0.2), 1: Decision(rule=0.8), 2: Decision()})
    table = pd.DataFrame({"fold": [1, 0, 1, 0]})
    parts = [(one.rule, rows.tolist()) for one, rows in rows_by_decision(folds, table)]
    assert parts == [(0.2, [1, 3]), (0.8, [0, 2])]
    ((one, rows),) = rows_by_decision(Decision(rule=0.4), table)
    assert one.rule == 0.4
    assert rows.tolist() == [0, 1, 2, 3]
    with pytest.raises(DataError, match="rows of fold 3, and decisions only of 0, 1, 2"):
        rows_by_decision(folds, pd.DataFrame({"fold": [0, 3]}))


def test_a_temperature_of_any_fold_counts():
    assert not any_temperature(Decision())
    assert any_temperature(Decision(temperature=2.0))
    assert not any_temperature(FoldDecisions({0: Decision()}))
    assert any_temperature(FoldDecisions({0: Decision(), 1: Decision(temperature=0.9)}))


def test_a_threshold_is_one_where_all_folds_have_it():
    low, high = (Decision(thresholds={"image": {"ill": value}}) for value in (0.3, 0.7))
    assert thresholds_by_fold(low, "image", "ill") == {"threshold": 0.3}
    assert thresholds_by_fold(FoldDecisions({0: low, 1: high}), "image", "ill") == {
        "threshold": None,
        "thresholds": {"0": 0.3, "1": 0.7},
    }
    same = thresholds_by_fold(FoldDecisions({0: low, 1: high}), "study", "ill")
    assert same == {"threshold": 0.5, "thresholds": {"0": 0.5, "1": 0.5}}


def test_repeats_hold_the_same_images_in_the_same_order():
    table = pd.DataFrame({"image": list("baab"), "repeat": [1, 1, 0, 0], "p": [1, 2, 3, 4]})
    repeats = split_repeats(table)
    assert [rows["image"].tolist() for rows in repeats] == [["a", "b"], ["a", "b"]]
    assert [rows["p"].tolist() for rows in repeats] == [[3, 4], [2, 1]]
    assert first_repeat(table)["p"].tolist() == [3, 4]
    single = table.drop(columns="repeat")
    assert split_repeats(single)[0] is single
    assert first_repeat(single) is single
    with pytest.raises(DataError, match="repeat 0 has 1 of 2 images; .* finish their folds first"):
        split_repeats(table.iloc[:3])


def test_scores_of_repeats_are_averaged_and_undefined_where_one_is():
    one, two = (lambda w, k=k: {"sum": k * w.sum(axis=0), "odd": np.array([np.nan if k == 2 else 1.0])} for k in (1, 2))
    weights = np.ones((3, 1))
    found = average([one, two])(weights)
    assert found["sum"].tolist() == [4.5]
    assert np.isnan(found["odd"]).all()
    assert average([one]) is one
    assert values_by_repeat([one, two], weights) == {"sum": [3.0, 6.0], "odd": [1.0, None]}


def test_mean_and_standard_deviation_over_folds_by_hand():
    parts = {
        "fold-0": {"image": {"auroc": entry(0.8), "f1": entry(0.5), "confusion_matrix": {"value": [[1]]}}},
        "fold-1": {"image": {"auroc": entry(0.9), "f1": entry(None), "uncalibrated": {"ece": entry(0.1)}}},
        "fold-2": {"image": {"auroc": entry(1.0)}, "patient": {"auroc": entry(0.7)}},
    }
    found = fold_summary(parts)
    assert list(found) == ["image", "patient"]
    assert list(found["image"]) == ["auroc", "f1"]
    auroc = found["image"]["auroc"]
    assert auroc["mean"] == pytest.approx(0.9)
    assert auroc["sd"] == pytest.approx(0.1)
    assert auroc["n"] == 3
    assert auroc["values"] == {"fold-0": 0.8, "fold-1": 0.9, "fold-2": 1.0}
    alone = {"mean": 0.5, "sd": None, "n": 1, "values": {"fold-0": 0.5, "fold-1": None, "fold-2": None}}
    assert found["image"]["f1"] == alone
    assert found["patient"]["auroc"]["values"] == {"fold-0": None, "fold-1": None, "fold-2": 0.7}
    nowhere = fold_summary({"fold-0": {"image": {"auroc": entry(None)}}})["image"]["auroc"]
    assert nowhere == {"mean": None, "sd": None, "n": 0, "values": {"fold-0": None}}


def test_the_summary_agrees_with_pandas_on_random_values():
    values = np.random.default_rng(0).random((7, 3))
    parts = {
        f"fold-{k}": {"image": {f"m{j}": entry(float(v)) for j, v in enumerate(row)}} for k, row in enumerate(values)
    }
    found, frame = fold_summary(parts)["image"], pd.DataFrame(values)
    np.testing.assert_allclose([one["mean"] for one in found.values()], frame.mean())
    np.testing.assert_allclose([one["sd"] for one in found.values()], frame.std())
