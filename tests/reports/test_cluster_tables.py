"""Tables of clusters by hand: many classes, few patients, no pairs."""

import pytest

from medvision.reports.cluster_tables import (
    MOST_CLASSES,
    agreement_table,
    class_table,
    interval_notes,
    label_text,
    part_head,
    partition_table,
    probe_tables,
    scored_parts,
    size_table,
    together_table,
)


def entry(value=0.5, low=0.4, high=0.6):
    return {"value": value, "low": low, "high": high}


def part(n=50, patients=25, pairs=0.9):
    names = ("adjusted_rand", "nmi", "accuracy", "same_class", "other_class", "patient_gap", "class_gap")
    metrics = {name: entry() for name in names} | {"same_patient": entry(pairs)}
    return {"n": n, "patients": patients, "metrics": metrics, "largest_class": 0.6}


def test_the_part_that_answers_comes_first():
    assert scored_parts({"unused": 1, "train": 1, "val": 1, "test": 1}) == ["test", "val", "train", "unused"]
    assert part_head("test", {"test": part()}) == "test split, 50 images of 25 patients"
    assert part_head("all", {"all": part(n=25)}) == "all images, 25 images"


def test_shares_are_those_of_the_cluster():
    found = {"classes": ["a", "b"], "counts": [[3, 1], [0, 0]], "matched": ["a", None]}
    table = class_table("all", found)
    assert table.heads == ["cluster", "images", "a", "b"]
    assert table.rows[0] == ("cluster 1 (a)", [("4", []), ("3", ["75%"]), ("1", ["25%"])])
    assert table.rows[1] == ("cluster 2", [("0", []), ("0", []), ("0", [])])
    assert table.rows[2] == ("all", [("4", []), ("3", []), ("1", [])])
    assert class_table("all", {"n": 3}) is None


def test_of_many_classes_the_largest_are_shown():
    names = [f"c{number:02d}" for number in range(20)]
    counts = [[number % 7 for number in range(20)]]
    table = class_table("all", {"classes": names, "counts": counts, "matched": [names[6]]})
    assert len(table.heads) == 2 + MOST_CLASSES
    assert {"c06", "c13", "c05", "c12", "c19"} <= set(table.heads)
    assert "c00" not in table.heads
    assert table.rows[0][1][0] == (str(sum(counts[0])), [])
    assert any("8 rarer classes are in clusters.json" in note for note in table.notes)


def test_few_patients_and_missing_intervals_are_told():
    scores = {"test": part(patients=8), "train": part()}
    (few,) = interval_notes(scores, ["test", "train"], ["nmi"])
    assert "test split (8)" in few
    assert "training" not in few
    scores["train"]["metrics"]["nmi"] = entry(0.5, None, None)
    assert len(interval_notes(scores, ["train"], ["nmi"])) == 1
    assert interval_notes(scores, ["train"], ["accuracy"]) == []


def test_agreement_has_a_column_a_part():
    table = agreement_table({"train": part(n=90), "test": part()})
    assert table.heads[1:] == ["test split, 50 images of 25 patients", "training split, 90 images of 25 patients"]
    assert table.rows[0] == ("adjusted Rand index", [("0.500", ["0.400–0.600"])] * 2)
    assert table.rows[-1][1] == [("0.60", [])] * 2
    assert agreement_table({"all": {"n": 4, "patients": 4}}) is None


def test_pairs_need_patients_with_several_images():
    assert together_table({"all": part(pairs=None)}) is None
    table = together_table({"test": part(), "val": part(pairs=None)})
    assert len(table.heads) == 2
    assert table.rows[-1] == ("same class minus other class, other patient", [("+0.500", ["+0.400 to +0.600"])])


def test_partitions_stand_side_by_side():
    values = {"adjusted_rand": 0.1, "nmi": 0.2, "ami": 0.15, "groups": 3}
    partitions = {"classes": values, "patients": {**values, "groups": 40}}
    table = partition_table("all", {"n": 120, "partitions": partitions})
    assert table.heads == ["measure", "3 classes", "40 patients"]
    assert [cells[0][0] for _, cells in table.rows] == ["0.100", "0.150", "0.200"]
    few = partition_table("all", {"n": 60, "partitions": partitions})
    assert [cells[0][0] for _, cells in few.rows] == ["0.10", "0.15", "0.20"]


def test_no_probes_no_tables():
    assert probe_tables({}) == []


def test_sizes():
    (row,) = size_table([{"cluster": 1, "images": 1200, "patients": 3, "distance": 0.456}]).rows
    assert row == ("cluster 1", [("1,200", []), ("3", []), ("0.46", [])])


@pytest.mark.parametrize(("label", "said"), [("a|b", "a, b"), ("", "none"), ("a", "a")])
def test_several_labels_in_words(label, said):
    assert label_text(label) == said
