"""Finished runs as they enter a comparison."""

import json

import pytest

from medvision.candidates import check_candidates, joined_predictions, name_runs, read_candidate, shared_environment
from medvision.errors import DataError, RunError
from medvision.evaluation.decision import UNCHANGED, Decision
from medvision.evaluation.folds import FoldDecisions
from medvision.runs import RunFolder, read_table, write_json, write_table
from tests.finished_runs import write_finished_run
from tests.reports.compared import draw_table


@pytest.fixture
def two(tmp_path):
    return [write_finished_run(tmp_path / name, name, seed=k) for k, name in enumerate(("scratch", "transfer"))]


def test_only_test_rows_are_compared(two):
    candidate = read_candidate("a", two[0])
    assert len(candidate.table) == 90
    assert set(candidate.table["split"]) == {"test"}
    assert candidate.decision == UNCHANGED
    assert candidate.experiment["name"] == "scratch"
    assert not candidate.cross_validated


def test_a_cross_validation_has_a_decision_and_a_cost_of_each_fold(two):
    run = two[0]
    decision = FoldDecisions({"0": Decision(temperature=2.0), "1": UNCHANGED})
    write_json(run.decision, decision.to_json())
    write_json(run.folds, {})
    for fold in range(3):
        part = RunFolder(run.parts / f"fold-{fold}")
        part.path.mkdir(parents=True)
        write_json(part.environment, {"training_seconds": float(fold)})
    candidate = read_candidate("a", run)
    assert candidate.cross_validated
    assert candidate.decision == decision
    assert [run["training_seconds"] for run in candidate.environments] == [0.0, 1.0, 2.0]


def test_a_run_without_test_rows_is_refused(two):
    write_table(two[0].predictions, read_table(two[0].predictions).query("split == 'val'"))
    with pytest.raises(RunError, match="no rows of the test split; python -m medvision.evaluate"):
        read_candidate("a", two[0])
    two[1].predictions.unlink()
    with pytest.raises(RunError, match="not there"):
        read_candidate("b", two[1])


def test_runs_are_named_by_their_experiments(two, tmp_path):
    assert name_runs(two) == {"scratch": two[0], "transfer": two[1]}
    again = write_finished_run(tmp_path / "again", "scratch")
    assert list(name_runs([*two, again])) == ["scratch scratch", "transfer", "scratch again"]


def test_one_run_and_the_same_run_twice_are_no_comparison(two):
    with pytest.raises(RunError, match="two runs or more, got 1"):
        name_runs(two[:1])
    with pytest.raises(RunError, match="with itself"):
        name_runs([two[0], two[0]])


def test_other_patients_targets_and_classes_are_refused(two, tmp_path):
    first = read_candidate("a", two[0])
    check_candidates([first, read_candidate("b", two[1])])
    fewer = write_finished_run(tmp_path / "fewer", table=draw_table(1, 1).iloc[3:])
    with pytest.raises(DataError, match="a and c: 3 images .* tested by a and not by c"):
        check_candidates([first, read_candidate("c", fewer)])
    turned = draw_table(1, 1).assign(target=lambda table: table["target"].to_numpy()[::-1])
    with pytest.raises(DataError, match="another target"):
        check_candidates([first, read_candidate("d", write_finished_run(tmp_path / "turned", table=turned))])
    other = write_finished_run(tmp_path / "other", classes=("well", "ill"))
    with pytest.raises(DataError, match=r"a and e have other classes: \['whole', 'torn'\] and \['well', 'ill'\]"):
        check_candidates([first, read_candidate("e", other)])


def test_rows_of_all_stand_in_one_table_and_masks_are_found_from_it(two, tmp_path):
    candidates = [read_candidate(name, run) for name, run in zip("ab", two, strict=True)]
    candidates[1].table["mask"] = "masks/x.png"
    candidates[0].table["mask"] = ""
    joined = joined_predictions(RunFolder(tmp_path / "compare" / "now"), candidates)
    assert list(joined["model"].value_counts(sort=False)) == [90, 90]
    assert joined.columns[0] == "model"
    assert set(joined["mask"][:90]) == {""}
    assert set(joined["mask"][90:]) == {"../../transfer/masks/x.png"}


def test_what_each_run_took_is_kept_by_model(two):
    found = shared_environment([read_candidate(name, run) for name, run in zip("ab", two, strict=True)])
    assert found["models"]["b"][0]["training_seconds"] == 60.0
    assert found["models"]["a"][0]["model"]["parameters"] == 1234
    assert found["data"]["classes"] == ["whole", "torn"]
    json.dumps(found, allow_nan=False)
