import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, softmax

from medvision.errors import ConfigError, DataError
from medvision.evaluation.cases import cases_by_level
from medvision.evaluation.decision import (
    UNCHANGED,
    Decision,
    FoldDecisions,
    apply_decision,
    choose_decision,
    undo_temperature,
)
from medvision.evaluation.predictions import check_predictions, prediction_table


def raw_table(classes, *, multilabel=False, images=240, sharp=3.0, seed=0):
    """Three images a patient, as a network that is too sure predicts them."""
    random = np.random.default_rng(seed)
    patients = images // 3
    k = len(classes)
    effect = np.repeat(random.normal(0, 1.2, (patients, k)), 3, axis=0)
    if multilabel:
        shown = np.repeat(random.random((patients, k)) < expit(effect[::3]), 3, axis=0)
        labels = ["|".join(np.array(classes)[row]) for row in shown]
        chances = expit(sharp * (effect + random.normal(0, 0.5, effect.shape)))
    else:
        one = [random.choice(k, p=row) for row in softmax(effect[::3], axis=1)]
        labels = np.array(classes)[np.repeat(one, 3)]
        chances = softmax(sharp * (effect + random.normal(0, 0.5, effect.shape)), axis=1)
    table = pd.DataFrame({"image": [f"{n}.png" for n in range(images)], "label": labels, "split": "val", "fold": -1})
    table["patient"] = np.repeat(np.arange(patients), 3).astype(str)
    return prediction_table(table, chances.astype(np.float32), classes, multilabel=multilabel)


def test_temperature_and_thresholds_come_from_the_rows_and_are_recorded():
    raw = raw_table(["no", "yes"])
    decision = choose_decision(raw, ["no", "yes"], rule="youden")
    assert decision.temperature > 1.5
    assert decision.notes == ()
    assert decision.chosen_on == {"split": "val", "n": 240, "patients": 80}
    assert {level: list(names) for level, names in decision.thresholds.items()} == {
        "image": ["yes"],
        "patient": ["yes"],
    }
    best = 0
    table = apply_decision(raw, ["no", "yes"], decision)
    true = raw["target"] == "yes"
    for t in table["p_yes"]:
        best = max(best, (table["p_yes"] >= t)[true].mean() - (table["p_yes"] >= t)[~true].mean())
    said = table["predicted"] == "yes"
    assert said[true].mean() - said[~true].mean() == pytest.approx(best)


def test_thresholds_of_patients_are_those_of_their_aggregated_probabilities():
    raw = raw_table(["no", "yes"])
    decision = choose_decision(raw, ["no", "yes"], rule="sensitivity>=0.9", aggregate="noisy_or")
    table = apply_decision(raw, ["no", "yes"], decision)
    patient = cases_by_level(table, ["no", "yes"], decision=decision)["patient"]
    positive = patient.truth[:, 1]
    assert (patient.predicted[:, 1] == (patient.probabilities[:, 1] >= decision.thresholds["patient"]["yes"])).all()
    assert 0.9 <= patient.predicted[positive, 1].mean() < 1
    # What is enough for an image is too little for three images together.
    assert decision.thresholds["patient"]["yes"] > decision.thresholds["image"]["yes"]


def test_a_fixed_threshold_is_that_of_every_level():
    decision = choose_decision(raw_table(["no", "yes"]), ["no", "yes"], rule=0.3, temperature=False)
    assert decision.thresholds == {"image": {"yes": 0.3}, "patient": {"yes": 0.3}}
    assert decision.temperature == 1


def test_each_label_has_its_own_threshold():
    raw = raw_table(["a", "b"], multilabel=True)
    decision = choose_decision(raw, ["a", "b"], multilabel=True, rule="f1")
    assert set(decision.thresholds["image"]) == {"a", "b"}
    table = apply_decision(raw, ["a", "b"], decision, multilabel=True)
    for name in ("a", "b"):
        said = table["predicted"].str.split("|").map(lambda row, name=name: name in row)
        assert (said == (table[f"p_{name}"] >= decision.thresholds["image"][name])).all()


def test_three_classes_keep_their_answers_and_have_no_thresholds():
    classes = ["a", "b", "c"]
    raw = raw_table(classes)
    decision = choose_decision(raw, classes)
    assert decision.thresholds == {}
    assert decision.temperature > 1.5
    table = apply_decision(raw, classes, decision)
    assert (table["predicted"] == raw["predicted"]).all()
    with pytest.raises(ConfigError, match="evaluation.threshold"):
        choose_decision(raw, classes, rule="youden")


def test_what_could_not_be_chosen_is_said():
    raw = raw_table(["no", "yes"]).query("target == 'no'")
    decision = choose_decision(raw, ["no", "yes"], rule="youden")
    assert decision.temperature == 1
    assert decision.thresholds["image"] == {"yes": 0.5}
    assert decision.notes == (
        "temperature 1: the validation split shows one class only, which says nothing of it",
        "image, yes: youden needs cases with and without the class; threshold 0.5",
        "patient, yes: youden needs cases with and without the class; threshold 0.5",
    )


def test_a_table_that_cannot_be_scored_is_refused():
    raw = raw_table(["no", "yes"]).assign(p_no=0.9)
    with pytest.raises(DataError, match="predictions of the val split: the probabilities of an image must sum to 1"):
        choose_decision(raw, ["no", "yes"])


def test_the_default_decision_changes_nothing_but_a_tie():
    raw = raw_table(["no", "yes"])
    pd.testing.assert_frame_equal(apply_decision(raw, ["no", "yes"], UNCHANGED), raw)
    assert undo_temperature(raw, ["no", "yes"], UNCHANGED) is raw
    tie = raw.iloc[:1].assign(p_no=0.5, p_yes=0.5, predicted="no")
    assert apply_decision(tie, ["no", "yes"], UNCHANGED)["predicted"].tolist() == ["yes"]


@pytest.mark.parametrize("temperature", [0.4, 1.8, 5])
@pytest.mark.parametrize("multilabel", [False, True])
def test_the_temperature_can_be_undone_from_the_written_table(tmp_path, temperature, multilabel):
    classes = ["a", "b", "c"]
    raw = raw_table(classes, multilabel=multilabel)
    if multilabel:
        raw.loc[0, ["p_a", "p_b", "p_c"]] = [1.0, 0.0, 1e-30]
    decision = Decision(temperature=temperature)
    table = apply_decision(raw, classes, decision, multilabel=multilabel)
    assert list(table.columns) == list(raw.columns)
    check_predictions(table, classes, multilabel=multilabel)
    table.to_csv(tmp_path / "predictions.csv", index=False)
    written = pd.read_csv(tmp_path / "predictions.csv")
    before = undo_temperature(written, classes, decision, multilabel=multilabel)
    columns = ["p_a", "p_b", "p_c"]
    np.testing.assert_allclose(before[columns], raw[columns], atol=2e-6)
    assert (before["predicted"].fillna("") == table["predicted"]).all()
    # Rare findings are judged by their log loss, so small probabilities must come back in proportion.
    small = (raw[columns] < 1e-3) & (table[columns] > 1e-30)
    assert small.to_numpy().any()
    found, expected = (frame[columns].to_numpy()[small.to_numpy()] for frame in (before, raw))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-37)


def test_calibrated_probabilities_are_written_short():
    raw = raw_table(["no", "yes"])
    table = apply_decision(raw, ["no", "yes"], Decision(temperature=1.7))
    assert table["p_yes"].map(lambda p: float(str(np.float32(p))) == p).all()


def test_folds_are_decided_each_as_if_alone():
    """The pooled table is that of the folds one after the other, and both ways back give what the networks said."""
    raws = [raw_table(["no", "yes"], seed=seed, images=60).assign(fold=seed) for seed in (0, 1)]
    raws = [raw.assign(image=raw["image"] + str(k), patient=raw["patient"] + str(k)) for k, raw in enumerate(raws)]
    decisions = [choose_decision(raw, ["no", "yes"], rule="youden") for raw in raws]
    assert decisions[0].temperature != decisions[1].temperature
    folds = FoldDecisions(dict(enumerate(decisions)))
    # Rows of the folds in turn.
    mixed = pd.concat(raws).sort_values(["patient", "image"], ignore_index=True)
    pooled = apply_decision(mixed, ["no", "yes"], folds)
    for k, (raw, one) in enumerate(zip(raws, decisions, strict=True)):
        alone = apply_decision(raw, ["no", "yes"], one).set_index("image")
        pd.testing.assert_frame_equal(pooled[pooled["fold"] == k].set_index("image").loc[alone.index], alone)
    back = undo_temperature(pooled, ["no", "yes"], folds)
    np.testing.assert_allclose(back["p_yes"], mixed["p_yes"], rtol=1e-4)
    unchanged = FoldDecisions({0: UNCHANGED, 1: UNCHANGED})
    assert undo_temperature(pooled, ["no", "yes"], unchanged) is pooled
