"""What follows from the predictions of a trained run: chosen on validation, applied to every split."""

import json
from pathlib import Path

import numpy as np
import pytest

from medvision.errors import MedvisionError
from medvision.evaluate import main as evaluate
from medvision.evaluation.decision import Decision, choose_decision, undo_temperature
from medvision.runs import RunFolder, read_json, read_table
from tests.drawings import draw_folder
from tests.kinds import KINDS, run, write_experiment

CLASSES = ["class0", "class1"]
OPTIONS = ["--evaluation.threshold=sensitivity>=0.9", "--evaluation.aggregate=max", "--schedule.name=none"]
LONGER = [*OPTIONS, "--trainer.max_epochs=6"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("classified"), KINDS["classification"], patients=30)


@pytest.fixture(scope="module")
def decided(folder, tmp_path_factory) -> RunFolder:
    return run(folder, tmp_path_factory.mktemp("decided"), *LONGER)


@pytest.fixture(scope="module")
def raw(folder, tmp_path_factory) -> RunFolder:
    return run(folder, tmp_path_factory.mktemp("raw"), *LONGER, "--evaluation.temperature=false")


def test_temperature_and_thresholds_come_from_the_validation_split_alone(decided, raw):
    saved = Decision.from_json(read_json(decided.decision))
    table = read_table(raw.predictions)
    validation = table[table["split"] == "val"].reset_index(drop=True)
    assert saved == choose_decision(validation, CLASSES, aggregate="max", rule="sensitivity>=0.9")
    assert set(saved.thresholds) == {"image", "patient"}
    assert saved.temperature != 1


def test_every_split_has_calibrated_probabilities_and_the_chosen_decision(decided, raw):
    saved = Decision.from_json(read_json(decided.decision))
    calibrated, before = read_table(decided.predictions), read_table(raw.predictions)
    assert not np.allclose(calibrated["p_class1"], before["p_class1"], atol=1e-4)
    undone = undo_temperature(calibrated, CLASSES, saved)
    assert undone["p_class1"].to_numpy() == pytest.approx(before["p_class1"].to_numpy(), abs=1e-6)
    said = np.where(calibrated["p_class1"] >= saved.threshold("image", "class1"), "class1", "class0")
    assert list(calibrated["predicted"]) == list(said)


def test_the_metrics_before_calibration_are_those_of_the_raw_probabilities(decided, raw):
    after, before = (read_json(of.metrics)["test"]["image"] for of in (decided, raw))
    assert "uncalibrated" not in before
    for name, entry in after["uncalibrated"].items():
        assert entry["value"] == pytest.approx(before[name]["value"], abs=1e-5)
    assert after["auroc"]["value"] == pytest.approx(before["auroc"]["value"])


def test_curves_subgroups_and_cases_are_those_of_the_test_split(decided):
    curves, subgroups, cases = (read_json(path) for path in (decided.curves, decided.subgroups, decided.cases))
    assert set(curves) == set(subgroups) == {"test"}
    assert set(curves["test"]) == {"image", "patient"}
    shown = {case["image"] for case in cases}
    assert shown
    assert shown <= set(read_table(decided.predictions).query("split == 'test'")["image"])
    assert all((decided.path / case["picture"]).is_file() for case in cases)


def test_a_run_without_a_decision_gets_one_when_it_is_evaluated(folder, tmp_path):
    done = run(folder, tmp_path, *OPTIONS, "--trainer.max_epochs=1")
    decision, predictions = done.decision.read_bytes(), read_table(done.predictions)
    for path in (done.decision, done.curves, done.subgroups, done.cases):
        path.unlink()
    evaluate([str(done.path), "--split", "test"])
    assert done.decision.read_bytes() == decision
    assert (
        read_table(done.predictions)
        .sort_values("image", ignore_index=True)
        .equals(predictions.sort_values("image", ignore_index=True))
    )
    assert set(json.loads(done.curves.read_text())) == {"test"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--evaluation.threshold=youden"], "evaluation.threshold: youden .* 3 exclusive"),
        (["--evaluation.aggregate=noisy_or"], "evaluation.aggregate: noisy_or .* use mean"),
        (["--evaluation.subgroups=[sex]"], "evaluation.subgroups: no column sex in the image table"),
        (["--evaluation.threshold=accuracy"], "expected a number between 0 and 1, youden"),
    ],
)
def test_what_cannot_be_evaluated_as_asked_is_told_before_the_training(tmp_path, options, words):
    folder = write_experiment(tmp_path, KINDS["classification"], patients=2)
    draw_folder(tmp_path / "three", classes=3)
    with pytest.raises(MedvisionError, match=words):
        run(folder, tmp_path / "runs", f"--data.root={tmp_path / 'three'}", *options)
    assert not (tmp_path / "runs").exists()
