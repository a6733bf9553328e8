import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, permutation_test, wilcoxon
from sklearn.metrics import cohen_kappa_score

from medvision.evaluation.answers import Answers
from medvision.evaluation.delong import compare_areas, placements
from medvision.evaluation.levels import read_levels
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.pair_tests import SOURCES, compare_pair
from tests.paired_models import simulate, within

BINARY = ["a", "b"]


def answers(*tables, classes=BINARY, masks=(), multilabel=False, level="image"):
    levels = [read_levels(table, classes, masks, multilabel=multilabel, decision=UNCHANGED) for table in tables]
    return Answers(tuple(one[level] for one in levels))


def answered(draw, seed, classes=BINARY, **settings):
    """The cases of seed 0, answered as those of another seed."""
    table, other = (draw(classes=classes, seed=one, **settings) for one in (0, seed))
    said = ["predicted", *(f"p_{name}" for name in classes)]
    return table.assign(**other[said])


def run(first, second, **settings):
    return {(test["test"], test["metric"]): test for test in compare_pair(first, second, **settings)}


def masks(dice, bar=None, patients=None):
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(len(dice))], "mask": "m.png", "unit": "px"})
    frame["patient"] = [str(k) for k in (range(len(dice)) if patients is None else patients)]
    for name, values in {"disc": dice, "bar": dice if bar is None else bar}.items():
        known = ~np.isnan(values)
        for metric in ("dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd"):
            frame[f"{metric}_{name}"] = values
        frame[f"area_{name}"] = frame[f"area_true_{name}"] = known.astype(np.float64)
    return frame


MASKS = ["background", "disc", "bar"]


# Labels


def test_of_single_images_delong_and_mcnemar_are_due(draw):
    tables = [answered(draw, seed).assign(patient=np.arange(60).astype(str)) for seed in (0, 1)]
    first, second = map(answers, tables)
    found = run(first, second)
    assert list(found) == [
        ("delong", "auroc"),
        ("mcnemar", "accuracy"),
        ("permutation", "balanced_accuracy"),
        ("permutation", "kappa"),
    ]
    truth = (tables[0]["target"] == "b").to_numpy()
    placed = [placements(table["p_b"].to_numpy(), truth) for table in tables]
    area = compare_areas(*placed, truth, np.arange(60))
    assert (found["delong", "auroc"]["statistic"], found["delong", "auroc"]["p"]) == (area.statistic, area.p)
    right = [(table["predicted"] == table["target"]).to_numpy() for table in tables]
    only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    mcnemar = found["mcnemar", "accuracy"]
    assert (mcnemar["only_a"], mcnemar["only_b"], mcnemar["statistic"]) == (*only, min(only))
    assert mcnemar["p"] == pytest.approx(binomtest(only[0], sum(only)).pvalue)
    assert mcnemar["p_mid"] < mcnemar["p"]
    assert {(test["n"], test["patients"]) for test in found.values()} == {(60, 60)}
    assert all(test["source"] == SOURCES[name] for (name, _), test in found.items())


def test_of_several_images_a_patient_whole_patients_are_swapped(draw):
    tables = [answered(draw, seed, patients=6) for seed in (0, 1)]
    first, second = map(answers, tables)
    found = run(first, second)
    assert [test for test, _ in found] == ["obuchowski", "permutation", "permutation", "permutation"]
    patient = pd.factorize(tables[0]["patient"])[0]
    right = [np.bincount(patient, table["predicted"] == table["target"]) for table in tables]
    theirs = permutation_test(
        (right[1], right[0]),
        lambda a, b, axis: (a.sum(axis=axis) - b.sum(axis=axis)) / 60,
        permutation_type="samples",
        n_resamples=np.inf,
    )
    accuracy = found["permutation", "accuracy"]
    assert (accuracy["statistic"], accuracy["exact"]) == (pytest.approx(theirs.statistic), True)
    assert accuracy["p"] == pytest.approx(theirs.pvalue)
    assert (accuracy["n"], accuracy["patients"]) == (60, 6)

    def kappa(swap):
        said = [np.where(swap[patient], tables[1 - k]["predicted"], tables[k]["predicted"]) for k in range(2)]
        return cohen_kappa_score(tables[0]["target"], said[1]) - cohen_kappa_score(tables[0]["target"], said[0])

    ways = ((np.arange(2**6)[:, None] >> np.arange(6)) & 1).astype(bool)
    differences = np.array([kappa(swap) for swap in ways])
    expected = np.mean(np.abs(differences) >= abs(differences[0]) - 1e-9)
    assert found["permutation", "kappa"]["statistic"] == pytest.approx(differences[0])
    assert found["permutation", "kappa"]["p"] == pytest.approx(expected)


def test_of_three_exclusive_classes_no_area_is_tested(draw):
    classes = ["a", "b", "c"]
    found = run(*(answers(answered(draw, seed, classes), classes=classes) for seed in (0, 1)))
    assert {metric for _, metric in found} == {"accuracy", "balanced_accuracy", "kappa"}
    shown = answered(draw, 1, classes)
    absent = [table[table["target"] != "c"] for table in (answered(draw, 0, classes), shown)]
    some = run(*(answers(table, classes=classes) for table in absent))
    model = answers(absent[1], classes=classes).values["balanced_accuracy"]
    other = answers(absent[0], classes=classes).values["balanced_accuracy"]
    assert some["permutation", "balanced_accuracy"]["statistic"] == pytest.approx(float(model[0] - other[0]))


def test_of_several_labels_each_area_is_tested(draw):
    tables = [answered(draw, seed, ["a", "b", "c"], multilabel=True) for seed in (0, 1)]
    tables = [table.assign(target=table["target"].str.replace("c", "").str.strip("|")) for table in tables]
    found = run(*(answers(table, classes=["a", "b", "c"], multilabel=True) for table in tables))
    # Nobody has c.
    assert list(found) == [("obuchowski", "auroc_a"), ("obuchowski", "auroc_b"), ("permutation", "accuracy")]


def test_repeats_are_tested_as_their_mean(draw):
    one, two, three = (answered(draw, seed).assign(patient=np.arange(60).astype(str)) for seed in (0, 1, 2))
    single, double = run(answers(one), answers(two)), run(answers(one, one), answers(two, two))
    # The same again says no more; McNemar's test has no mean.
    assert double["delong", "auroc"] == single["delong", "auroc"]
    assert double["permutation", "kappa"]["p"] == single["permutation", "kappa"]["p"]
    assert "mcnemar" not in [test for test, _ in double]
    mixed = run(answers(one, two), answers(three, one))
    parts = [run(answers(a), answers(b))["permutation", "kappa"]["statistic"] for a, b in ((one, three), (two, one))]
    assert mixed["permutation", "kappa"]["statistic"] == pytest.approx(np.mean(parts))


def test_a_test_that_says_nothing_says_why(draw):
    table = answered(draw, 1)
    alone = table.assign(patient=np.where(table["target"] == "b", "x", table["patient"]))
    found = run(answers(alone.assign(p_b=0.5, p_a=0.5)), answers(alone))["obuchowski", "auroc"]
    assert (found["p"], found["statistic"]) == (None, None)
    assert found["why"] == "one patient alone has the class, or alone does not"
    truth = table["target"] == "b"
    single = table.assign(patient=np.arange(60).astype(str))
    best = single.assign(p_a=np.where(truth, 0.0, 1.0), p_b=np.where(truth, 1.0, 0.0))
    found = run(answers(single.assign(p_a=0.5, p_b=0.5)), answers(best))["delong", "auroc"]
    assert (found["p"], "no standard error" in found["why"]) == (None, True)
    # Only one class is there, and only it is said: kappa is undefined.
    plain = table[truth].assign(predicted="b")
    found = run(answers(plain), answers(plain))
    assert (found["permutation", "kappa"]["p"], found["permutation", "kappa"]["why"]) == (
        None,
        "the metric is undefined",
    )
    assert ("obuchowski", "auroc") not in found


# Masks


def test_the_dice_of_patients_is_ranked():
    random = np.random.default_rng(0)
    dice = random.random((2, 2, 24))
    patients = np.arange(24) % 8
    tables = [masks(disc, bar, patients) for disc, bar in dice]
    expected = [
        [np.mean([disc[patients == p].mean(), bar[patients == p].mean()]) for p in range(8)] for disc, bar in dice
    ]
    theirs = wilcoxon(*expected)
    for level in ("image", "patient"):
        found = run(*(answers(table, masks=MASKS, level=level) for table in tables))
        assert list(found) == [("wilcoxon", "dice")]
        test = found["wilcoxon", "dice"]
        assert (test["statistic"], test["p"]) == (theirs.statistic, pytest.approx(theirs.pvalue))
        assert (test["n"], test["patients"]) == (8, 8)


def test_a_rightly_empty_mask_is_worth_1_beside_one_that_is_not():
    nothing = np.nan
    bar = np.array([0.5, 0.5, 0.5, 0.5, nothing, nothing])
    disc = np.full(6, 0.8)
    first, second = masks(disc, bar), masks(disc, np.array([0.5, 0.5, 0.5, 0.5, 0.0, nothing]))
    second["area_true_bar"] = first["area_true_bar"]
    second.loc[4, "pixel_sensitivity_bar"] = np.nan
    found = run(answers(first, masks=MASKS), answers(second, masks=MASKS))["wilcoxon", "dice"]
    # One patient differs, with 1 and 0 of the bar; of the last nobody says a bar, and the disc alone counts.
    assert (found["n"], found["statistic"], found["p"]) == (6, 0, 1)
    better = second.assign(dice_disc=[0.9, 0.91, 0.92, 0.93, 0.95, 0.94])
    found = run(answers(first, masks=MASKS), answers(better, masks=MASKS))["wilcoxon", "dice"]
    # By patient 0.05, 0.055, 0.06, 0.065, (0.95 + 0) / 2 - (0.8 + 1) / 2 = -0.425 and 0.14.
    assert (found["statistic"], found["p"]) == (6, pytest.approx(2 * 14 / 64))


def test_repeats_of_masks_are_averaged_by_patient():
    dice = np.random.default_rng(1).random((4, 10))
    tables = [masks(values) for values in dice]
    found = run(answers(*tables[:2], masks=MASKS), answers(*tables[2:], masks=MASKS))["wilcoxon", "dice"]
    theirs = wilcoxon(dice[:2].mean(axis=0), dice[2:].mean(axis=0))
    assert (found["statistic"], found["p"]) == (theirs.statistic, pytest.approx(theirs.pvalue))


def test_labels_and_masks_together(draw):
    table = answered(draw, 1)
    both = [
        table.assign(p_b=table["p_b"], **masks(values).drop(columns=["image", "patient"]))
        for values in np.random.default_rng(0).random((2, 60))
    ]
    found = run(*(answers(one, masks=MASKS) for one in both))
    assert {metric for _, metric in found} == {"auroc", "accuracy", "balanced_accuracy", "kappa", "dice"}
    assert {p["p"] for (_, metric), p in found.items() if metric != "dice"} == {1.0}
    empty = masks(np.full(60, np.nan)).drop(columns=["image", "patient"])
    nothing = run(*(answers(table.assign(**empty), masks=MASKS) for _ in range(2)))
    assert ("wilcoxon", "dice") not in nothing


# Simulated studies


def test_of_equal_models_no_test_is_wrong_more_often_than_it_says():
    random, repetitions = np.random.default_rng(11), 100
    wrong, by_image = {}, 0
    for seed in range(repetitions):
        first, second = simulate(random, (2.0, 2.0), (1.5, 1.5))
        for test in compare_pair(first, second, seed=seed):
            key = test["test"], test["metric"]
            wrong[key] = wrong.get(key, 0) + (test["p"] < 0.05)
        cases = first.first.labels, second.first.labels
        truth = cases[0].truth[:, 1]
        placed = [placements(one.probabilities[:, 1], truth) for one in cases]
        by_image += compare_areas(*placed, truth, np.arange(len(truth))).p < 0.05
    assert [metric for _, metric in wrong] == ["auroc", "accuracy", "balanced_accuracy", "kappa", "dice"]
    for key, count in wrong.items():
        assert within(count, repetitions, 0.05), (key, count)
    # What the clusters are for: image by image the same test is wrong much more often.
    assert by_image > 0.12 * repetitions
