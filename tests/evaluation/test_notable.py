import numpy as np
import pandas as pd
import pytest

from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.notable import MOST_OF_A_PATIENT, notable_cases
from medvision.evaluation.operating_point import Decision


def two_classes(rows, threshold=0.5, **columns):
    """Rows of (target, probability of `ill`)."""
    target, ill = zip(*rows, strict=True)
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(rows))], "target": target})
    frame["predicted"] = np.where(np.array(ill) >= threshold, "ill", "well")
    frame["p_well"], frame["p_ill"] = 1 - np.array(ill), ill
    return frame.assign(**columns)


def plain(chosen):
    records = chosen.round({"probability": 9, "score": 9}).to_dict("records")
    return [(c["kind"], c["row"], c["class_shown"], c["probability"], c["score"]) for c in records]


def test_two_classes_worked_out_by_hand():
    table = two_classes([("well", 0.9), ("ill", 0.02), ("ill", 0.6), ("well", 0.55), ("well", 0.1), ("ill", 0.97)])
    # Wrong are 0 (ill at 0.90), 1 (well at 0.98) and 3 (ill at 0.55); from the threshold lie 2 by 0.10, 4 by 0.40,
    # 5 by 0.47, of which a quarter of six rows, rounded up, is shown.
    assert plain(notable_cases(table, ["well", "ill"])) == [
        ("mistake", 1, "well", 0.98, 0.98),
        ("mistake", 0, "ill", 0.9, 0.9),
        ("mistake", 3, "ill", 0.55, 0.55),
        ("uncertain", 2, "ill", 0.6, 0.1),
        ("uncertain", 4, "well", 0.9, 0.4),
    ]


def test_mistakes_that_found_no_room_may_be_among_the_least_certain():
    table = two_classes([("well", 0.9), ("ill", 0.02), ("ill", 0.6), ("well", 0.55), ("well", 0.1), ("ill", 0.97)])
    chosen = notable_cases(table, ["well", "ill"], most=2)
    assert list(chosen["row"]) == [1, 0, 3, 2]
    assert list(chosen["kind"]) == ["mistake", "mistake", "uncertain", "uncertain"]


def test_doubt_is_measured_from_the_threshold_that_decided():
    table = two_classes([("well", 0.05), ("ill", 0.25), ("well", 0.45), ("ill", 0.9)], threshold=0.2)
    decision = Decision(rule="youden", thresholds={"image": {"ill": 0.2}, "patient": {"ill": 0.9}})
    chosen = notable_cases(table, ["well", "ill"], decision=decision)
    assert plain(chosen) == [
        ("mistake", 2, "ill", 0.45, 0.45),
        ("uncertain", 1, "ill", 0.25, 0.05),
    ]
    fixed = notable_cases(table, ["well", "ill"], decision=Decision(rule=0.2))
    assert plain(fixed) == plain(chosen)


def test_three_classes_worked_out_by_hand():
    table = pd.DataFrame(
        {
            "image": list("abcd"),
            "target": ["x", "y", "z", "x"],
            "predicted": ["x", "z", "z", "y"],
            "p_x": [0.5, 0.1, 0.30, 0.2],
            "p_y": [0.1, 0.2, 0.34, 0.5],
            "p_z": [0.4, 0.7, 0.36, 0.3],
        }
    )
    # Margins: a 0.5 - 0.4, c 0.36 - 0.34. A quarter of four rows is one.
    assert plain(notable_cases(table, ["x", "y", "z"])) == [
        ("mistake", 1, "z", 0.7, 0.7),
        ("mistake", 3, "y", 0.5, 0.5),
        ("uncertain", 2, "z", 0.36, 0.02),
    ]


def test_several_labels_worked_out_by_hand():
    decision = Decision(rule="f1", thresholds={"image": {"effusion": 0.3, "mass": 0.6}})
    table = pd.DataFrame(
        {
            "image": list("abcde"),
            "target": ["effusion", "", "mass", "effusion|mass", np.nan],
            "predicted": ["effusion", "effusion", "effusion", "effusion|mass", ""],
            "p_effusion": [0.9, 0.35, 0.8, 0.5, 0.02],
            "p_mass": [0.5, 0.1, 0.15, 0.68, 0.01],
        }
    )
    # b: effusion said at 0.35, error 0.35. c: effusion said at 0.80 (0.80), mass missed at 0.15 (0.85).
    # a is 0.6 and 0.1 from its thresholds, d 0.2 and 0.08, e 0.28 and 0.59.
    assert plain(notable_cases(table, ["effusion", "mass"], multilabel=True, decision=decision)) == [
        ("mistake", 2, "mass", 0.15, 0.85),
        ("mistake", 1, "effusion", 0.35, 0.35),
        ("uncertain", 3, "mass", 0.68, 0.08),
        ("uncertain", 0, "mass", 0.5, 0.1),
    ]


def test_one_patient_does_not_fill_the_gallery():
    ill = [0.99, 0.98, 0.97, 0.96, 0.95, 0.51, 0.52, 0.53, 0.54]
    table = two_classes([("well", p) for p in ill], patient=["a", "a", "a", "a", "b", "a", "a", "a", "c"])
    chosen = notable_cases(table, ["well", "ill"], most=3)
    assert list(chosen["row"]) == [0, 1, 4, 5, 6, 8]
    assert chosen.merge(table, left_on="row", right_index=True).groupby(["kind", "patient"]).size().max() == 2


def test_images_of_nobody_known_are_all_taken():
    table = two_classes([("well", 0.9)] * 5, patient=[None, None, "", None, "p"])
    assert list(notable_cases(table, ["well", "ill"])["row"]) == [0, 1, 2, 3, 4]
    # A study stands for the patient that nobody knows.
    table = two_classes([("well", 0.9)] * 12, study="s")
    chosen = notable_cases(table, ["well", "ill"])
    assert list(chosen["row"]) == [0, 1, 2, 3]
    assert list(chosen["kind"]) == ["mistake", "mistake", "uncertain", "uncertain"]


def test_without_mistakes_only_the_least_certain_are_shown():
    table = two_classes([("ill", 1.0), ("well", 0.0), ("ill", 0.8)] * 2)
    chosen = notable_cases(table, ["well", "ill"])
    assert list(chosen["kind"]) == ["uncertain"] * 2
    assert list(chosen["row"]) == [2, 5]


@pytest.mark.parametrize(("images", "uncertain"), [(1, 1), (4, 1), (5, 2), (8, 2), (47, 12), (48, 12), (1000, 12)])
def test_at_most_a_quarter_is_uncertain(images, uncertain):
    table = two_classes([("ill", 0.8)] * images)
    assert list(notable_cases(table, ["well", "ill"])["kind"]) == ["uncertain"] * uncertain


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("classes", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("seed", range(5))
def test_a_search_row_by_row_finds_the_same(draw, multilabel, classes, seed):
    table = draw(images=80, patients=40, classes=classes, seed=seed, multilabel=multilabel)
    found = notable_cases(table, classes, multilabel=multilabel, most=9)
    truth = [set(filter(None, cell.split("|"))) for cell in table["target"]]
    said = [set(filter(None, cell.split("|"))) for cell in table["predicted"]]
    chance = [{name: row[f"p_{name}"] for name in classes} for row in table.to_dict("records")]

    def error(row):
        if not multilabel:
            return chance[row][next(iter(said[row]))]
        return max(abs((name in truth[row]) - chance[row][name]) for name in truth[row] ^ said[row])

    def doubt(row):
        if multilabel:
            return min(abs(chance[row][name] - 0.5) for name in classes)
        largest = sorted(chance[row].values())
        return abs(chance[row]["b"] - 0.5) if len(classes) == 2 else largest[-1] - largest[-2]

    def take(rows):
        taken = []
        for row in rows:
            same = [other for other in taken if table["patient"][other] == table["patient"][row]]
            if len(taken) < 9 and len(same) < MOST_OF_A_PATIENT:
                taken.append(row)
        return taken

    mistakes = take(sorted((row for row in range(80) if truth[row] != said[row]), key=lambda row: (-error(row), row)))
    scores = found["score"].to_numpy()
    assert scores[: len(mistakes)] == pytest.approx([error(row) for row in mistakes])
    assert list(found["row"][: len(mistakes)]) == mistakes
    uncertain = take(sorted((row for row in range(80) if row not in mistakes), key=lambda row: (doubt(row), row)))
    assert list(found["kind"]) == ["mistake"] * len(mistakes) + ["uncertain"] * len(uncertain)
    assert scores[len(mistakes) :] == pytest.approx([doubt(row) for row in uncertain])
    shown = found.merge(table, left_on="row", right_index=True)
    assert [row[f"p_{row['class_shown']}"] for row in shown.to_dict("records")] == list(found["probability"])


def test_doubt_is_the_distance_from_the_threshold_of_the_own_fold():
    table = two_classes([("ill", 0.65), ("ill", 0.8), ("well", 0.1), ("well", 0.2)], fold=[0, 1, 0, 1])
    folds = FoldDecisions({k: Decision(thresholds={"image": {"ill": value}}) for k, value in ((0, 0.3), (1, 0.75))})
    chosen = notable_cases(table, ["well", "ill"], decision=folds)
    assert plain(chosen) == [("uncertain", 1, "ill", 0.8, 0.05)]
    labels = pd.DataFrame({"image": ["0", "1"], "target": ["a|b", ""], "predicted": ["a|b", ""], "fold": [1, 0]})
    labels = labels.assign(p_a=[0.9, 0.1], p_b=[0.8, 0.2])
    folds = FoldDecisions({0: Decision(rule=0.3), 1: Decision(thresholds={"image": {"b": 0.79, "a": 0.2}})})
    chosen = notable_cases(labels, ["a", "b"], multilabel=True, decision=folds)
    assert plain(chosen) == [("uncertain", 0, "b", 0.8, 0.01)]
