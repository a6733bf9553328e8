import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medvision.errors import DataError
from medvision.evaluation.bootstrap import draw_patients
from medvision.evaluation.decision import Decision, FoldDecisions, apply_decision
from medvision.evaluation.intervals import percentile_interval
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.evaluation.subgroups import subgroups

TWO = ["well", "ill"]


def with_columns(frame, seed=0):
    """The sex of a patient, and the body part of an image."""
    random = np.random.default_rng(seed)
    sex = dict(zip(sorted(set(frame["patient"])), random.choice(["F", "M"], frame["patient"].nunique()), strict=True))
    part = random.choice(["hand", "knee", "wrist"], len(frame))
    return frame.assign(sex=frame["patient"].map(sex), body_part=part)


def by_hand(sexes, ill, chances):
    """One image a patient."""
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(sexes))], "sex": list(sexes)})
    frame["patient"] = [f"p{k:02d}" for k in range(len(sexes))]
    frame["target"] = np.where(ill, "ill", "well")
    frame["predicted"] = np.where(np.array(chances) >= 0.5, "ill", "well")
    return frame.assign(p_well=1 - np.array(chances), p_ill=chances)


def masks(dice, sexes, classes=("lung",)):
    """One image a patient; `dice` is a row an image and a column a class, nan where no mask shows the class."""
    values = np.array(dice, float)
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(values))], "sex": list(sexes)})
    frame = frame.assign(patient=[f"p{k:02d}" for k in range(len(values))], mask="m.png", unit="px")
    for name, column in zip(classes, values.T, strict=True):
        for metric in ("dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd"):
            frame[f"{metric}_{name}"] = column
        frame[f"area_{name}"] = frame[f"area_true_{name}"] = np.where(np.isnan(column), 0, 100)
    return frame


@pytest.mark.parametrize("interval", ["bca", "percentile"])
@pytest.mark.parametrize(("classes", "multilabel"), [(TWO, False), (["a", "b", "c"], False), (["a", "b"], True)])
def test_the_metrics_of_a_group_are_those_of_the_filtered_table(draw, classes, multilabel, interval):
    frame = with_columns(draw(90, tuple(classes), patients=40, multilabel=multilabel))
    options = {"multilabel": multilabel, "resamples": 25, "seed": 3, "interval": interval}
    columns = subgroups(frame, classes, **options)["image"]
    assert {column["column"] for column in columns} == {"sex", "body_part"}
    for column in columns:
        for group in column["groups"]:
            rows = frame[frame[column["column"]] == group["name"]]
            expected = classification_metrics(rows, classes, **options)["image"]
            assert (group["n"], group["patients"]) == (len(rows), rows["patient"].nunique())
            assert {"accuracy", "f1", "auroc", "log_loss"} <= set(group["metrics"])
            assert group["metrics"] == {name: expected[name] for name in group["metrics"]}


def test_the_metrics_of_masks_are_those_of_the_filtered_table():
    random = np.random.default_rng(1)
    frame = masks(random.uniform(0.4, 1, (40, 2)), random.choice(["F", "M"], 40), ("nerve", "vessel"))
    frame["patient"] = [f"p{k // 2}" for k in range(40)]
    names = ["background", "nerve", "vessel"]
    options = {"resamples": 25, "seed": 3, "interval": "bca"}
    column = subgroups(frame, [], names, columns=["sex"], **options)["image"][0]
    assert column["metric"] == "dice"
    for group in column["groups"]:
        expected = segmentation_metrics(frame[frame["sex"] == group["name"]], names, **options)["image"]
        assert {"dice", "iou", "hd95", "assd"} <= set(group["metrics"])
        assert group["metrics"] == {name: expected[name] for name in group["metrics"]}


def test_gap_worst_and_smallest_by_hand():
    # F: of 2 x 3 pairs 6 are in order, M: of 2 x 2 pairs 3, D: of 1 x 2 pairs 1.
    sexes = "FFFFF" + "MMMM" + "DDD"
    ill = [1, 1, 0, 0, 0, 1, 1, 0, 0, 1, 0, 0]
    chances = [0.9, 0.8, 0.1, 0.2, 0.3, 0.9, 0.4, 0.5, 0.1, 0.5, 0.6, 0.2]
    column = subgroups(by_hand(sexes, ill, chances), TWO, smallest=3, resamples=0)["image"][0]
    assert (column["column"], column["metric"]) == ("sex", "auroc")
    assert [(group["name"], group["n"], group["patients"]) for group in column["groups"]] == [
        (name, n, n) for name, n in {"D": 3, "F": 5, "M": 4}.items()
    ]
    assert [group["metrics"]["auroc"]["value"] for group in column["groups"]] == pytest.approx([0.5, 1, 0.75])
    assert (column["worst"], column["smallest"]) == ("D", {"name": "D", "n": 3, "patients": 3})
    # The others of F: 0.9, 0.4, 0.5 against 0.5, 0.1, 0.6, 0.2, of 12 pairs; a tie counts half.
    others = (4 + 2 + 2.5) / 12
    assert column["groups"][1]["gap"]["value"] == pytest.approx(1 - others)
    assert column["groups"][1]["gap"]["low"] is None
    assert (column["left_out"], column["unknown"]) == ([], None)


def test_the_gap_is_paired_and_clustered(draw):
    # Every patient has both hands and knees: the same draws of patients are on both sides.
    frame = draw(120, TWO, patients=15, seed=4)
    frame["body_part"] = np.where(np.arange(120) % 2, "hand", "knee")
    column = subgroups(frame, TWO, resamples=80, seed=5, interval="percentile")["image"][0]
    patients = pd.factorize(frame["patient"], sort=True)[0]
    ill, scores = (frame["target"] == "ill").to_numpy(), frame["p_ill"].to_numpy()
    hand = (frame["body_part"] == "hand").to_numpy()

    def gap(rows):
        sides = [rows[hand[rows]], rows[~hand[rows]]]
        first, second = (roc_auc_score(ill[side], scores[side]) for side in sides)
        return first - second

    draws = next(draw_patients(15, 80, 5, 80)).T.astype(int)
    drawn = [gap(np.repeat(np.arange(120), counts[patients])) for counts in draws]
    sizes = [len(np.unique(patients[side & kind])) for side in (hand, ~hand) for kind in (ill, ~ill)]
    expected = percentile_interval(np.array(drawn), patients=min(sizes))
    found = column["groups"][0]["gap"]
    assert found["value"] == pytest.approx(gap(np.arange(120)))
    assert (found["low"], found["high"]) == pytest.approx(expected)
    mirrored = column["groups"][1]["gap"]
    assert (mirrored["low"], mirrored["high"]) == pytest.approx((-found["high"], -found["low"]))
    assert (column["groups"][0]["n"], column["groups"][0]["patients"]) == (60, 15)


def test_the_same_images_on_both_sides_have_the_same_gap_in_every_resample(draw):
    frame = draw(40, TWO, patients=10, seed=6)
    twice = pd.concat([frame.assign(view="AP"), frame.assign(view="PA")], ignore_index=True)
    twice["image"] = [f"{k}.png" for k in range(80)]
    for group in subgroups(twice, TWO, resamples=50)["image"][0]["groups"]:
        gap = group["gap"]
        assert gap["value"] == pytest.approx(0)
        assert gap["low"] is None
        assert group["metrics"]["auroc"]["low"] < group["metrics"]["auroc"]["high"]


def test_of_groups_that_are_equally_low_none_is_the_worst(draw):
    frame = draw(40, TWO, patients=10, seed=6)
    views = [frame.assign(view=view, image=view + frame["image"]) for view in ("AP", "PA")]
    column = subgroups(pd.concat(views, ignore_index=True), TWO, resamples=0)["image"][0]
    assert ([group["name"] for group in column["groups"]], column["worst"]) == (["AP", "PA"], None)


def test_small_groups_are_left_out_but_stand_among_the_others(draw):
    frame = draw(60, TWO, patients=60, seed=7)
    frame["patient"] = [f"p{k}" for k in range(60)]
    frame["site"] = ["A"] * 30 + ["B"] * 27 + ["C"] * 3
    column = subgroups(frame, TWO, smallest=5, resamples=0)["image"][0]
    assert [group["name"] for group in column["groups"]] == ["A", "B"]
    assert column["left_out"] == [{"name": "C", "n": 3, "patients": 3}]
    ill, scores = frame["target"] == "ill", frame["p_ill"]
    expected = roc_auc_score(ill[:30], scores[:30]) - roc_auc_score(ill[30:], scores[30:])
    assert column["groups"][0]["gap"]["value"] == pytest.approx(expected)


def test_groups_are_counted_by_patients(draw):
    frame = draw(60, TWO, patients=12, seed=8)
    many = frame["patient"] == frame["patient"].mode()[0]
    frame["device"] = np.where(many, "new", "old")
    column = subgroups(frame, TWO, smallest=2, resamples=0)["image"][0]
    assert column["left_out"] == [{"name": "new", "n": int(many.sum()), "patients": 1}]
    assert column["worst"] is None


def test_unknown_values_are_counted_and_on_no_side(draw):
    frame = draw(60, TWO, patients=20, seed=9).assign(sex=["F", "M", ""] * 20)
    column = subgroups(frame, TWO, resamples=0)["image"][0]
    rows = frame[frame["sex"] == ""]
    assert column["unknown"] == {"n": 20, "patients": rows["patient"].nunique()}
    sides = [frame[frame["sex"] == sex] for sex in "FM"]
    areas = [roc_auc_score(side["target"] == "ill", side["p_ill"]) for side in sides]
    assert column["groups"][0]["gap"]["value"] == pytest.approx(areas[0] - areas[1])


def test_a_group_alone_has_no_gap(draw):
    frame = draw(30, TWO, patients=10).assign(site="A")
    column = subgroups(frame, TWO, columns=["site"], resamples=20)["image"][0]
    assert column["groups"][0]["gap"] == {"value": None, "low": None, "high": None}
    assert (column["groups"][0]["n"], column["worst"]) == (30, None)


def test_a_gap_is_over_the_classes_of_both_sides(draw):
    frame = draw(80, patients=40, seed=10)
    frame["patient"] = [f"p{k}" for k in range(80)]
    frame["probe"] = np.where((frame["target"] == "c") | (np.arange(80) % 2 == 0), "convex", "linear")
    column = subgroups(frame, ["a", "b", "c"], resamples=0)["image"][0]
    assert column["metric"] == "balanced_accuracy"
    right = frame["target"] == frame["predicted"]
    shares = right.groupby([frame["probe"], frame["target"]]).mean()
    expected = shares["linear"][["a", "b"]].mean() - shares["convex"][["a", "b"]].mean()
    assert column["groups"][1]["gap"]["value"] == pytest.approx(expected)
    assert column["groups"][0]["metrics"]["balanced_accuracy"]["value"] == pytest.approx(shares["convex"].mean())
    said = "Other classes occur in convex, linear than in the other groups; the gap is over those in both."
    assert said in column["notes"]


def test_a_group_of_one_class_has_no_auroc():
    frame = by_hand("FFFFFMMMMM", [1, 1, 1, 1, 1, 1, 1, 0, 0, 0], np.arange(10) / 10)
    column = subgroups(frame, TWO, resamples=20)["image"][0]
    group = column["groups"][0]
    assert group["metrics"]["auroc"]["value"] is None
    assert group["metrics"]["accuracy"]["value"] == 0
    assert (group["gap"]["value"], column["worst"]) == (None, None)
    assert "No AUROC in F: no case shows the class, or every one does." in column["notes"]


def test_dice_by_hand():
    frame = masks([[0.9], [0.8], [0.7], [0.6], [np.nan]], "FFMMM")
    column = subgroups(frame, [], ["background", "lung"], smallest=2, resamples=0)["image"][0]
    assert [group["metrics"]["dice"]["value"] for group in column["groups"]] == pytest.approx([0.85, 0.65])
    assert [group["gap"]["value"] for group in column["groups"]] == pytest.approx([0.2, -0.2])
    assert (column["worst"], column["groups"][1]["n"]) == ("M", 3)


def test_no_interval_of_a_gap_from_one_patient():
    frame = masks([[0.9], [0.8], [0.7], [np.nan], [np.nan]], "FFMMM")
    column = subgroups(frame, [], ["background", "lung"], smallest=2, resamples=50)["image"][0]
    gap = column["groups"][0]["gap"]
    assert (gap["value"], gap["low"]) == (pytest.approx(0.15), None)


def test_a_group_without_any_true_mask_has_no_dice():
    frame = masks([[0.9], [0.8], [np.nan], [np.nan]], "FFMM")
    column = subgroups(frame, [], ["background", "lung"], smallest=2, resamples=20)["image"][0]
    assert column["groups"][1]["metrics"]["dice"]["value"] is None
    assert column["groups"][0]["gap"]["value"] is None
    assert "No Dice in M: no true mask shows a class." in column["notes"]


def test_levels_where_a_column_is_constant_within_the_unit(draw):
    frame = draw(90, TWO, patients=30, seed=11)
    frame["target"] = np.where(frame["patient"].astype(int) % 3, "well", "ill")
    # Sums of 64ths are exact, whoever sums them: ties stay ties.
    frame["p_ill"] = np.random.default_rng(0).integers(0, 65, 90) / 64
    frame = with_columns(frame.assign(p_well=1 - frame["p_ill"]))
    frame.loc[0, "sex"] = None
    levels = subgroups(frame, TWO, columns=["sex", "body_part"], resamples=0)
    assert {level: [column["column"] for column in columns] for level, columns in levels.items()} == {
        "image": ["sex", "body_part"],
        "patient": ["sex"],
    }
    united = frame.groupby("patient").agg(sex=("sex", "first"), target=("target", "first"), p=("p_ill", "mean"))
    for group in levels["patient"][0]["groups"]:
        rows = united[united["sex"] == group["name"]]
        assert group["n"] == group["patients"] == len(rows)
        expected = roc_auc_score(rows["target"] == "ill", rows["p"])
        assert group["metrics"]["auroc"]["value"] == pytest.approx(expected)


def test_decisions_of_patients_use_their_threshold(draw):
    frame = draw(60, TWO, patients=20, seed=12)
    frame["target"] = np.where(frame["patient"].astype(int) % 3, "well", "ill")
    decision = Decision(thresholds={"patient": {"ill": 0.01}})
    column = subgroups(with_columns(frame), TWO, columns=["sex"], resamples=0, decision=decision)["patient"][0]
    united = with_columns(frame).groupby("patient").agg(sex=("sex", "first"), target=("target", "first"))
    for group in column["groups"]:
        rows = united[united["sex"] == group["name"]]
        assert group["metrics"]["accuracy"]["value"] == pytest.approx((rows["target"] == "ill").mean())


def test_notes_on_chance_and_on_few_patients(draw):
    frame = with_columns(draw(90, TWO, patients=30, seed=13))
    columns = subgroups(frame, TWO, resamples=60)["image"]
    sex, part = sorted(columns, key=lambda column: column["column"], reverse=True)
    # Three body parts, and two sexes whose gaps are the same one.
    chance = "4 gaps are looked at: about 0.2 of their 95 % intervals leave out 0 by chance"
    for column in (sex, part):
        assert any(note.startswith(chance) for note in column["notes"])
    sizes = {group["name"]: group["patients"] for group in sex["groups"]}
    few = ", ".join(f"{name} ({n})" for name, n in sizes.items() if n < 20)
    assert f"Fewer than 20 patients, so interpret with care: {few}." in sex["notes"]
    alone = subgroups(frame, TWO, columns=["sex"], resamples=60)["image"][0]
    assert not any("gaps are looked at" in note for note in alone["notes"])


def test_a_note_on_few_patients_with_the_class():
    ill = [1] * 4 + [0] * 26 + [1] * 15 + [0] * 15
    frame = by_hand("F" * 30 + "M" * 30, ill, np.linspace(0.1, 0.9, 60))
    notes = subgroups(frame, TWO, resamples=0)["image"][0]["notes"]
    said = "Fewer than 10 patients on the rarer side of what the AUROC compares, so interpret with care: F (4)."
    assert said in notes


def test_a_named_column_of_small_groups_is_shown_and_a_found_one_is_not(draw):
    frame = draw(8, TWO, patients=8, seed=14)
    frame = frame.assign(patient=[f"p{k}" for k in range(8)], site=list("AABBCCDD"))
    assert subgroups(frame, TWO, resamples=0) == {"image": []}
    column = subgroups(frame, TWO, columns=["site"], resamples=0)["image"][0]
    assert (column["groups"], column["smallest"], column["worst"]) == ([], None, None)
    assert [group["name"] for group in column["left_out"]] == list("ABCD")
    assert column["notes"] == ["No group has 5 patients, so none is scored."]


def test_subgroups_can_be_written(draw):
    frame = with_columns(draw(40, patients=12))
    found = subgroups(frame, ["a", "b", "c"], resamples=20)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_the_order_of_rows_changes_nothing(draw):
    frame = with_columns(draw(60, TWO, patients=20))
    first = subgroups(frame, TWO, resamples=20)
    again = subgroups(frame.sample(frac=1, random_state=1), TWO, resamples=20)
    for one, other in zip(first["image"], again["image"], strict=True):
        for group, same in zip(one["groups"], other["groups"], strict=True):
            assert group["gap"] == pytest.approx(same["gap"])


def test_a_column_that_is_not_there_is_refused(draw):
    with pytest.raises(DataError, match="no column scanner"):
        subgroups(draw(20, TWO), TWO, columns=["scanner"])


def test_the_first_of_several_repeats_is_scored(draw):
    frame = with_columns(draw(80, classes=TWO, patients=20))
    again = draw(80, classes=TWO, patients=20, seed=4)[["predicted", "p_well", "p_ill"]]
    other = pd.concat([frame.drop(columns=list(again)), again], axis=1)
    pooled = pd.concat([other.assign(repeat=1), frame.assign(repeat=0)], ignore_index=True)
    found = subgroups(pooled, TWO, resamples=20, columns=["sex"])
    assert found == subgroups(frame, TWO, resamples=20, columns=["sex"])
    assert found != subgroups(other, TWO, resamples=20, columns=["sex"])


def test_groups_are_decided_by_the_decisions_of_their_folds(draw):
    frame = with_columns(draw(80, classes=TWO, patients=20)).drop(columns="predicted")
    frame = frame.assign(fold=pd.factorize(frame["patient"])[0] % 2, study=frame["patient"])
    frame = frame.assign(target=frame.groupby("patient")["target"].transform("first"))
    folds = FoldDecisions({k: Decision(thresholds={"study": {"ill": t}}) for k, t in ((0, 0.2), (1, 0.7))})
    table = apply_decision(frame, TWO, folds)
    women = table[table["sex"] == "F"].reset_index(drop=True)
    (column,) = subgroups(table, TWO, columns=["sex"], resamples=0, decision=folds)["study"]
    expected = classification_metrics(women, TWO, resamples=0, decision=folds)["study"]["accuracy"]["value"]
    found = {group["name"]: group["metrics"]["accuracy"]["value"] for group in column["groups"]}
    assert found["F"] == pytest.approx(expected)
