import pandas as pd
import pytest

from medvision.evaluation.decision import Decision, FoldDecisions
from medvision.reports.fold_tables import (
    chosen_table,
    cost_table,
    decision_table,
    links,
    training_table,
    value_tables,
    who_table,
)
from medvision.reports.inputs import FoldInputs, FoldPart
from tests.reports.told import draw_inputs, draw_split, entry


def plain(table):
    return {title: [value for value, _ in cells] for title, cells in table.rows}


def part(number, **changes):
    return FoldPart(name=f"fold-{number}", **changes)


def summary(*values, level="image", metric="auroc"):
    known = pd.Series(values, dtype=float)
    found = {"mean": known.mean(), "sd": known.std(), "n": int(known.count())}
    named = {f"fold-{k}": value for k, value in enumerate(values)}
    return {level: {metric: {**found, "values": named}}}


def test_every_fold_and_all_together_are_counted():
    split = draw_split().assign(split="test")
    table = who_table(split, ["whole", "torn"], "patient", "patients")
    assert table.heads == ["tested in", "whole", "torn", "images", "patients"]
    # Patient p has fold p % 5, of which 0 and 1 have a torn tendon.
    assert plain(table) == {
        **{f"fold {k}": ["0", "12", "12", "4"] for k in (0, 1)},
        **{f"fold {k}": ["12", "0", "12", "4"] for k in (2, 3, 4)},
        "all folds": ["36", "24", "60", "20"],
    }
    study = who_table(split, [], "study", "studies")
    assert study.heads == ["tested in", "images", "studies", "patients"]
    assert who_table(split, [], "image", "images").heads == ["tested in", "images", "patients"]


def test_a_site_names_its_fold_and_a_patient_does_not():
    split = draw_split().assign(split="test", site=[f"site {'ABCDE'[k]}" for k in draw_split()["fold"]])
    names = [title for title, _ in who_table(split, [], "patient", "patients", "site").rows]
    assert names == [f"fold {k}: site {name}" for k, name in enumerate("ABCDE")] + ["all folds"]
    named = [title for title, _ in who_table(split, [], "patient", "patients", "patient").rows]
    assert named[0] == "fold 0"


def test_of_very_many_folds_the_first_and_all_are_shown():
    split = pd.DataFrame({"image": range(150), "fold": range(150), "group": range(150), "split": "test"})
    table = who_table(split, [], "image", "images")
    assert [title for title, _ in table.rows][-2:] == ["fold 99", "all folds"]
    assert table.notes == ["The first 100 of 150; split.csv has them all."]


def test_the_own_splits_of_a_fold_are_counted_not_believed():
    split = draw_split()
    torn = split.assign(split=["test", *split["split"][1:]])
    table = training_table(FoldInputs(parts=[part(0, split=split), part(1, split=torn), part(2)], summary={}))
    assert table.heads[-1] == "patients in two splits"
    assert plain(table) == {"fold 0": ["30", "12", "18", "0"], "fold 1": ["29", "12", "19", "1"]}
    assert table.rows[0][1][0] == ("30", ["10 patients"])
    unknown = split.drop(columns="patient")
    table = training_table(FoldInputs(parts=[part(0, split=unknown)], summary={}))
    assert table.heads[-1] == "groups in two splits"
    assert plain(table) == {"fold 0": ["30", "12", "18", "0"]}
    assert training_table(FoldInputs(parts=[part(0)], summary={})) is None


def test_pooled_mean_and_folds_stand_side_by_side():
    folds = FoldInputs(parts=[part(0), part(1), part(2)], summary=summary(0.8, 0.9, None))
    pooled = entry(0.87, 0.8, 0.93) | {"folds": {}}
    (table,) = value_tables(draw_inputs(folds=folds, metrics={"test": {"image": {"auroc": pooled}}}))
    assert table.heads == ["metric", "pooled", "mean ± SD", "fold 0", "fold 1", "fold 2"]
    ((title, cells),) = table.rows
    assert title == "AUROC"
    assert cells[0] == ("0.87", ["0.80–0.93"])
    assert [value for value, _ in cells[1:]] == ["0.85 ± 0.07 (2 of 3)", "0.80", "0.90", "–"]
    assert table.notes[0].startswith("A dash")


def test_of_many_cases_every_fold_has_three_decimals():
    folds = FoldInputs(parts=[part(0), part(1), part(2)], summary=summary(0.8, 0.9, None))
    pooled = entry(0.87, 0.8, 0.93, n=101) | {"folds": {}}
    (table,) = value_tables(draw_inputs(folds=folds, metrics={"test": {"image": {"auroc": pooled}}}))
    ((_, cells),) = table.rows
    assert cells[0] == ("0.870", ["0.800–0.930"])
    assert [value for value, _ in cells[1:]] == ["0.850 ± 0.071 (2 of 3)", "0.800", "0.900", "–"]


def test_of_many_folds_the_ends_are_shown_and_lengths_have_their_unit():
    values = [2.0 + k / 10 for k in range(12)]
    folds = FoldInputs(parts=[part(k) for k in range(12)], summary=summary(*values, metric="hd95"))
    entries = {"hd95": {**entry(2.5, 2.0, 3.0), "unit": "mm", "infinite": 0}}
    (table,) = value_tables(draw_inputs(folds=folds, metrics={"test": {"image": entries}}))
    assert table.heads[3:] == ["lowest", "highest"]
    ((title, cells),) = table.rows
    assert title == "Hausdorff distance HD95 (mm)"
    assert [value for value, _ in cells] == ["2.50", "2.55 ± 0.36", "2.00", "3.10"]
    assert table.notes == []


def test_every_fold_tells_its_temperature_and_thresholds():
    source = {"split": "val", "n": 12, "patients": 4}
    one = Decision(temperature=1.7, rule="f1", thresholds={"image": {"ill": 0.42}}, chosen_on=source)
    table = decision_table(FoldDecisions({0: one, 1: Decision(rule="f1")}), ["ill"])
    assert table.heads == ["fold", "temperature", "threshold, ill, per image", "chosen on"]
    assert plain(table) == {"fold 0": ["1.700", "0.42", "12"], "fold 1": ["1.000", "0.5", "–"]}
    assert table.rows[0][1][-1] == ("12", ["4 patients"])
    many = decision_table(FoldDecisions({"repeat-1-fold-0": one}), [f"c{k}" for k in range(9)])
    assert next(iter(plain(many))) == "repeat 1, fold 0"
    assert many.notes == ["The first 8 of 9 thresholds; decision.json has them all."]


def test_what_was_chosen_stands_with_its_inner_metric():
    tried = [{"optimizer.lr": 1e-3, "auroc": 0.8}, {"optimizer.lr": 1e-4, "auroc": None}]
    choice = {"settings": {"optimizer.lr": 1e-3, "model.frozen": True}, "metric": "auroc", "tried": tried}
    folds = FoldInputs(parts=[part(0), part(1)], summary={}, choices={"fold-1": choice})
    table = chosen_table(folds)
    assert table.heads == ["fold", "optimizer.lr", "model.frozen", "AUROC on inner folds"]
    assert plain(table) == {"fold 1": ["0.001", "True", "0.800"]}
    assert "is too good" in table.notes[0]
    assert chosen_table(FoldInputs(parts=[part(0)], summary={})) is None


def test_costs_are_told_as_far_as_they_were_measured():
    history = pd.DataFrame({"epoch": range(14)})
    known = {"training_seconds": 5400.0, "seconds_per_image": 0.0125, "peak_memory_mib": 2048}
    parts = [part(0, environment=known, history=history, best_epoch=9), part(1, environment={"choosing_seconds": 61})]
    table = cost_table(FoldInputs(parts=parts, summary={}))
    assert table.heads == ["fold", "choosing", "training", "epochs", "evaluated epoch", "an image", "memory"]
    assert plain(table) == {
        "fold 0": ["–", "1 h 30 min", "14", "10", "12.5 ms", "2 GiB"],
        "fold 1": ["1 min 1 s", "–", "–", "–", "–", "–"],
    }
    assert cost_table(FoldInputs(parts=[part(0)], summary={})) is None


@pytest.mark.parametrize("there", [True, False])
def test_reports_of_folds_are_linked_where_they_are(there):
    link = "parts/fold-0/report.html" if there else None
    assert links([part(0, link=link)]) == ([("fold 0", link)] if there else [])
