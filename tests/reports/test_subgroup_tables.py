from medvision.reports.subgroup_tables import MOST_COLUMNS, metric_titles, subgroup_level
from tests.reports.told import SEX, entry

GAP = {"value": -0.15, "low": -0.3, "high": 0.02}


def group(name, auroc, n=30, patients=25):
    metrics = {"auroc": entry(auroc, auroc - 0.1, 1.0, n=n, patients=patients)}
    metrics |= {"accuracy": entry(0.9, n=n, patients=patients), "sensitivity_torn": entry(0.7, n=n, patients=patients)}
    return {"name": name, "n": n, "patients": patients, "metrics": metrics, "gap": GAP}


def column(*groups, **changes):
    return {**SEX, "groups": list(groups), "worst": "male", **changes}


def only(given, level="image"):
    (part,) = subgroup_level([given], level, ["whole", "torn"]).parts
    return part


def test_groups_stand_with_their_gap():
    part = only(column(group("female", 0.95), group("male", 0.8, 9, 5)))
    assert part.table.caption == "AUROC by sex, per image"
    assert part.table.heads == [
        "sex", "images", "patients", "AUROC", "gap to the others", "sensitivity, torn", "accuracy",
    ]  # fmt: skip
    female, male = part.table.rows
    assert female[0] == "female"
    assert female[1][:2] == [("30", []), ("25", [])]
    assert male[0] == "male (worst)"
    assert male[1][1:4] == [("5*", []), ("0.80", ["0.70–1.00"]), ("-0.15", ["-0.30 to +0.02"])]
    # A gap is not known better than its smaller side.
    assert female[1][2:4] == [("0.95", ["0.85–1.00"]), ("-0.15", ["-0.30 to +0.02"])]
    assert part.table.notes == ["* Fewer than 20 patients: interpret with care."]
    assert part.every.heads == ["metric", "female (30)", "male (9)"]
    assert [title for title, _ in part.every.rows] == ["accuracy", "AUROC", "sensitivity, torn"]


def test_large_groups_have_three_decimals():
    part = only(column(group("female", 0.95, 200), group("male", 0.8, 150)))
    assert part.table.rows[1][1][2:4] == [("0.800", ["0.700–1.000"]), ("-0.150", ["-0.300 to +0.020"])]
    small = {"name": "other", "n": 60, "patients": 60}
    part = only(column(group("female", 0.95, 200), group("male", 0.8, 41), left_out=[small]))
    assert [cells[3] for _, cells in part.table.rows] == [
        ("-0.150", ["-0.300 to +0.020"]),
        ("-0.15", ["-0.30 to +0.02"]),
    ]


def test_a_patient_is_counted_once():
    part = only(column(group("female", 0.95), group("male", 0.8)), "patient")
    assert part.table.heads[:3] == ["sex", "patients", "AUROC"]
    assert len(part.table.rows[0][1]) == len(part.table.heads) - 1


def test_who_is_worst_smallest_left_out_and_unknown_is_said():
    small = {"name": "other", "n": 3, "patients": 2}
    part = only(
        column(group("female", 0.95), group("male", 0.8, 9, 5), left_out=[small], unknown={"n": 1, "patients": 1})
    )
    assert part.sentences == [
        "The worst group is male, with the lowest AUROC (9 images of 5 patients).",
        "The smallest group that is scored is male (9 images of 5 patients).",
        "Too small to be scored, and among the others of every gap: other (3 images of 2 patients).",
        "Not known, and in no group: 1 image of 1 patient.",
    ]


def test_of_equals_none_is_the_worst():
    part = only(column(group("female", 0.8), group("male", 0.8)))
    assert part.sentences[0] == "No group is the worst: the lowest AUROC is that of female and male alike."
    assert [title for title, _ in part.table.rows] == ["female", "male"]


def test_a_column_without_a_scored_group_has_only_words():
    part = only(column(smallest=None, notes=["No group has 5 patients, so none is scored."]))
    assert (part.table, part.every) == (None, None)
    assert part.sentences == ["No group has 5 patients, so none is scored."]


def test_what_holds_for_all_columns_is_said_once():
    columns = [column(group("a", 0.9), group("b", 0.8), notes=[f"own {k}", "6 gaps"]) for k in range(2)]
    found = subgroup_level(columns, "image", [])
    assert found.shared == ["6 gaps"]
    assert [part.sentences[-1] for part in found.parts] == ["own 0", "own 1"]
    assert subgroup_level(columns[:1], "image", []).shared == []


def test_columns_beyond_those_shown_are_counted():
    found = subgroup_level([column(group("a", 0.9))] * (MOST_COLUMNS + 3), "image", [])
    assert (len(found.parts), found.more) == (MOST_COLUMNS, 3)


def test_metrics_have_their_titles_and_units():
    metrics = {"hd95": {**entry(2.0), "unit": "mm"}, "dice_fat": entry(0.9), "absent_classes": {"value": []}}
    assert metric_titles(metrics, ["fat"]) == {"hd95": "Hausdorff distance HD95 (mm)", "dice_fat": "Dice, fat"}
