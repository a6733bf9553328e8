import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation import comparison
from medvision.evaluation.comparison import compare_predictions
from medvision.evaluation.decision import apply_decision
from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.multiplicity import holm
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.evaluation.sample_size import patients_needed
from medvision.evaluation.segmentation import segmentation_metrics

BINARY = ["a", "b"]


def answered(draw, seed, classes=BINARY, **settings):
    """The cases of seed 0, answered as those of another seed."""
    table, other = (draw(classes=classes, seed=one, **settings) for one in (0, seed))
    return table.assign(**other[["predicted", *(f"p_{name}" for name in classes)]])


def compare(tables, decisions=UNCHANGED, classes=BINARY, masks=(), **settings):
    of = decisions if isinstance(decisions, dict) else dict.fromkeys(tables, decisions)
    return compare_predictions(tables, of, classes, masks, **{"resamples": 60, **settings})


def three(draw, **settings):
    return {name: answered(draw, seed, **settings) for seed, name in enumerate(["one", "two", "three"])}


def test_a_comparison_has_all_models_pairs_and_tests(draw):
    tables = three(draw)
    found = compare(tables, seed=3)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["models"] == ["one", "two", "three"]
    (level,) = found["levels"].values()
    assert (level["n"], level["patients"]) == (60, 15)
    assert [(pair["a"], pair["b"]) for pair in level["pairs"]] == list(combinations(found["models"], 2))
    for model, table in tables.items():
        alone = classification_metrics(table, BINARY, resamples=60, seed=3)["image"]
        assert set(alone) - set(level["metrics"][model]) == {"confusion_matrix", "absent_classes"}
        for name, entry in level["metrics"][model].items():
            assert {key: pytest.approx(value) for key, value in alone[name].items()} == entry, name
    for pair in level["pairs"]:
        assert set(pair["differences"]) == set(level["metrics"]["one"])
        for name, entry in pair["differences"].items():
            values = [level["metrics"][pair[side]][name]["value"] for side in "ab"]
            assert entry["value"] == pytest.approx(values[1] - values[0]), name
            assert entry["low"] <= entry["value"] <= entry["high"], name
            assert (entry["p"] < 0.05) == (not entry["low"] <= 0 <= entry["high"]), name


def test_holm_is_over_all_pairs_and_metrics_of_a_level(draw):
    (level,) = compare(three(draw))["levels"].values()
    tests = [test for pair in level["pairs"] for test in pair["tests"]]
    assert level["holm"]["tests"] == len(tests) == 3 * 4
    assert [test["p_holm"] for test in tests] == holm([test["p"] for test in tests])


def test_the_order_of_rows_and_a_second_run_change_nothing(draw):
    tables = three(draw)
    found = compare(tables, seed=1)
    assert found == compare(tables, seed=1)
    tables["two"] = tables["two"].sample(frac=1, random_state=0)
    assert found == compare(tables, seed=1)
    turned = compare({"two": tables["two"], "one": tables["one"]}, seed=1)["levels"]["image"]["pairs"][0]
    pair = found["levels"]["image"]["pairs"][0]
    assert turned["differences"]["auroc"]["value"] == -pair["differences"]["auroc"]["value"]
    assert [test["p"] for test in turned["tests"]] == pytest.approx([test["p"] for test in pair["tests"]])


def test_models_are_compared_at_every_level(draw):
    random = np.random.default_rng(0)
    tables = three(draw, patients=20)
    target = dict(zip(map(str, range(20)), random.choice(BINARY, 20), strict=True))
    tables = {name: table.assign(target=table["patient"].map(target)) for name, table in tables.items()}
    levels = compare(tables)["levels"]
    assert list(levels) == ["image", "patient"]
    assert levels["patient"]["n"] == levels["patient"]["patients"] == tables["one"]["patient"].nunique()
    assert [test["test"] for test in levels["image"]["pairs"][0]["tests"]][:2] == ["obuchowski", "permutation"]
    assert [test["test"] for test in levels["patient"]["pairs"][0]["tests"]][:2] == ["delong", "mcnemar"]


def test_a_level_that_is_not_the_same_for_all_models_is_left_out(draw):
    tables = {name: answered(draw, k).assign(patient=np.arange(60).astype(str)) for k, name in enumerate("xy")}
    tables = {name: table.assign(study=[f"s{k // 2}" for k in range(60)]) for name, table in tables.items()}
    tables = {name: table.assign(patient=table["study"]) for name, table in tables.items()}
    positive = Decision(aggregate="max")
    assert list(compare(tables, positive)["levels"]) == ["image", "study"]
    # By the mean the images of a study would have to have one target.
    with pytest.raises(DataError, match="expected one"):
        compare(tables, {"x": positive, "y": UNCHANGED})
    by_patient = {name: table.drop(columns="study") for name, table in tables.items()}
    found = compare(by_patient, {"x": positive, "y": UNCHANGED})
    assert list(found["levels"]) == ["image"]
    assert "Level patient is left out" in found["notes"][-1]


def test_decisions_of_folds_are_applied_fold_by_fold(draw):
    tables = {name: table.assign(fold=np.arange(60) % 2) for name, table in three(draw, patients=60).items()}
    tables = {name: table.assign(patient=np.arange(60).astype(str)) for name, table in tables.items()}
    folds = FoldDecisions({k: Decision(rule=rule, temperature=2.0) for k, rule in enumerate((0.3, 0.7))})
    decided = {name: apply_decision(table, BINARY, folds) for name, table in tables.items()}
    found = compare(decided, folds)["levels"]["image"]
    for name, table in decided.items():
        expected = (table["predicted"] == table["target"]).mean()
        assert found["metrics"][name]["accuracy"]["value"] == pytest.approx(expected)


def test_repeats_are_averaged(draw):
    answers = [answered(draw, seed) for seed in range(4)]
    tables = {
        name: pd.concat([table.assign(repeat=k) for k, table in enumerate(answers[start : start + 2])])
        for name, start in (("x", 0), ("y", 2))
    }
    found = compare(tables)
    (level,) = found["levels"].values()
    entry = level["pairs"][0]["differences"]["kappa"]
    singles = [
        compare({"x": answers[k], "y": answers[k + 2]})["levels"]["image"]["pairs"][0]["differences"]["kappa"]["value"]
        for k in range(2)
    ]
    assert entry["repeats"] == pytest.approx(singles)
    assert entry["value"] == pytest.approx(np.mean(singles))
    assert (level["n"], level["patients"]) == (60, 15)
    assert any("means over 2 repeats" in note for note in found["notes"])
    pooled = classification_metrics(tables["y"], BINARY, resamples=60)["image"]["kappa"]
    assert level["metrics"]["y"]["kappa"] == pooled


def test_masks_are_compared(draw):
    def masks(seed):
        random = np.random.default_rng(seed)
        frame = pd.DataFrame({"image": [f"{k}.png" for k in range(24)], "mask": "m", "unit": "mm"})
        frame["patient"] = (np.arange(24) % 8).astype(str)
        for metric in ("dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd"):
            frame[f"{metric}_disc"] = random.random(24)
        frame["area_disc"], frame["area_true_disc"] = random.random(24) + 1, np.arange(24) + 1.0
        return frame

    tables = {"x": masks(1), "y": masks(2)}
    found = compare(tables, classes=(), masks=["background", "disc"])
    assert list(found["levels"]) == ["image", "patient"]
    for name, level in found["levels"].items():
        expected = segmentation_metrics(tables["x"], ["background", "disc"], resamples=60)[name]
        assert level["metrics"]["x"]["dice"] == {key: pytest.approx(value) for key, value in expected["dice"].items()}
        (pair,) = level["pairs"]
        assert [test["metric"] for test in pair["tests"]] == ["dice"]
        assert list(pair["needed"]) == ["dice"]
        assert (pair["differences"]["hd95"]["unit"], pair["differences"]["area_error_disc"]["unit"]) == ("mm", "mm²")
        assert pair["differences"]["dice"]["low"] < pair["differences"]["dice"]["high"]
    assert not any("Infinite" in note for note in found["notes"])
    tables["y"].loc[0, ["hd95_disc", "assd_disc"]] = np.inf
    assert any("Infinite" in note for note in compare(tables, classes=(), masks=["background", "disc"])["notes"])


def test_patients_that_would_settle_it(draw):
    table = answered(draw, 1).assign(patient=np.arange(60).astype(str))
    other = answered(draw, 2)[["predicted", "p_a", "p_b"]]
    (pair,) = compare({"x": table, "y": table.assign(**other)}, resamples=400)["levels"]["image"]["pairs"]
    assert list(pair["needed"]) == ["auroc", "accuracy", "balanced_accuracy", "kappa"]
    for name, needed in pair["needed"].items():
        entry = pair["differences"][name]
        assert (needed["difference"], needed["power"], needed["alpha"]) == (entry["value"], 0.8, 0.05)
        assert entry["p"] > 0.05
        assert needed["patients"] == max(61, patients_needed(entry["value"], entry["error"], 60))
    truth = table["target"] == "b"
    best = table.assign(p_a=np.where(truth, 0, 1.0), p_b=np.where(truth, 1.0, 0), predicted=table["target"])
    (pair,) = compare({"x": table, "y": best}, resamples=400)["levels"]["image"]["pairs"]
    assert pair["differences"]["accuracy"]["p"] < 0.01
    assert (pair["needed"]["accuracy"]["patients"], pair["needed"]["accuracy"]["why"]) == (
        60,
        "the patients here settle it",
    )
    (pair,) = compare({"x": table, "y": table})["levels"]["image"]["pairs"]
    assert pair["needed"]["auroc"]["patients"] is None
    assert pair["needed"]["auroc"]["why"] == "there is no difference to be found"
    (pair,) = compare({"x": table, "y": best}, resamples=0)["levels"]["image"]["pairs"]
    assert pair["needed"]["auroc"]["why"] == "its standard error is not known"
    one = table[truth]
    (pair,) = compare({"x": one, "y": one.assign(p_a=0.5, p_b=0.5)})["levels"]["image"]["pairs"]
    assert (pair["needed"]["auroc"]["patients"], pair["needed"]["auroc"]["why"]) == (
        None,
        "the difference is undefined",
    )


def test_nobody_plans_a_study_of_millions(draw, monkeypatch):
    monkeypatch.setattr(comparison, "MOST_PATIENTS", 20)
    (pair,) = compare({"x": answered(draw, 1), "y": answered(draw, 2)})["levels"]["image"]["pairs"]
    assert pair["differences"]["auroc"]["p"] > 0.05
    assert (pair["needed"]["auroc"]["patients"], pair["needed"]["auroc"]["why"]) == (None, "more than 20 patients")


def test_what_cannot_be_compared(draw):
    table = answered(draw, 1)
    with pytest.raises(DataError, match="expected two models or more, got x"):
        compare({"x": table})
    with pytest.raises(DataError, match=r"1 image \(59.png\) tested by x and not by y"):
        compare({"x": table, "y": table[:-1]})


def test_three_classes_have_no_test_of_areas_and_say_so(draw):
    classes = ["a", "b", "c"]
    found = compare({"x": answered(draw, 1, classes), "y": answered(draw, 2, classes)}, classes=classes)
    (pair,) = found["levels"]["image"]["pairs"]
    assert "auroc" not in {test["metric"] for test in pair["tests"]}
    assert pair["differences"]["auroc"]["p"] is not None
    assert any("no test here" in note for note in found["notes"])
