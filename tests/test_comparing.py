"""Models are run where need be, and compared from their tables."""

import json

import pytest

from medvision import comparing
from medvision.comparing import (
    begin_comparison,
    check_experiments,
    close_comparison,
    compare_runs,
    finish,
    make_plan,
    planned_runs,
    read_experiments,
)
from medvision.config import load_experiment
from medvision.errors import ConfigError, RunError
from medvision.evaluation.comparison import compare_predictions
from medvision.evaluation.decision import UNCHANGED
from medvision.parts import OpenData
from medvision.runs import RunFolder, read_json, read_table, write_json
from tests.finished_runs import CLASSES, write_finished_run
from tests.kinds import KINDS, write_experiment
from tests.reports.compared import SKILLS, draw_table, experiment

NAMES = ("scratch", "transfer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])


@pytest.fixture(scope="module")
def data():
    return OpenData()


def experiments(folder, *options):
    """Two experiments on the same images; options are those of the second."""
    file = str(folder / "discs.yaml")
    shared = ["--split.folds=3", "--trainer.max_epochs=1"]
    return [
        load_experiment([file], [*shared, "--name=first"]),
        load_experiment([file], [*shared, "--name=second", "--optimizer.lr=0.1", *options]),
    ]


@pytest.fixture
def planned(tmp_path):
    """A comparison of two finished runs, before they are compared."""
    runs = {name: write_finished_run(tmp_path / name, name, seed=k) for k, name in enumerate(NAMES)}
    parent = RunFolder(tmp_path / "compare" / "now")
    parent.path.mkdir(parents=True)
    settings = {name: experiment(name) for name in NAMES}
    write_json(parent.plan, make_plan(parent, runs, settings, trained=False, cross_validated=False))
    return parent


def test_runs_are_compared_from_their_tables(planned):
    found = compare_runs(planned, planned_runs(planned))
    tables = {name: draw_table(SKILLS[name], k) for k, name in enumerate(NAMES)}
    by_hand = compare_predictions(
        tables, dict.fromkeys(NAMES, UNCHANGED), CLASSES, resamples=40, seed=7, interval="percentile"
    )
    # Probabilities lose nothing in a CSV.
    assert json.dumps(found) == json.dumps(by_hand)
    assert read_json(planned.comparison) == json.loads(json.dumps(found))
    assert set(read_table(planned.predictions)["model"]) == set(NAMES)
    table = read_table(planned.comparison.with_suffix(".csv"))
    assert list(table["model"]) == list(NAMES)
    assert list(table["auroc"]) == [found["levels"]["image"]["metrics"][name]["auroc"]["value"] for name in NAMES]
    assert planned.finished


def test_a_plan_finds_its_runs_wherever_both_are_moved(planned, tmp_path):
    for name in (*NAMES, "compare"):
        (tmp_path / "moved").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "moved" / name)
    parent = RunFolder(tmp_path / "moved" / "compare" / "now")
    assert [run.path for run in planned_runs(parent).values()] == [tmp_path / "moved" / name for name in NAMES]


def test_what_is_finished_is_not_compared_again(planned, monkeypatch):
    close_comparison(planned)
    monkeypatch.setattr(comparing, "compare_runs", lambda *_: pytest.fail("compared again"))
    close_comparison(planned)


def test_finishing_prints_the_table(planned, capsys):
    assert finish(planned) == 0
    shown = capsys.readouterr().out
    assert "The same 90 images of 30 patients" in shown
    assert "transfer − scratch" in shown


@pytest.mark.parametrize("kind", ["cross_validation", "single run"])
def test_another_folder_is_refused(planned, kind):
    if kind == "single run":
        planned.plan.unlink()
    else:
        write_json(planned.plan, {"kind": kind})
    with pytest.raises(RunError, match=f"no comparison but a {kind.replace('_', ' ')}"):
        finish(planned)


def test_the_same_data_split_and_seed_are_let_through(folder, data):
    assert {name: len(parts) for name, parts in check_experiments(experiments(folder), data).items()} == {
        "first": 1,
        "second": 1,
    }
    parts = check_experiments(experiments(folder, "--data.image_size=24"), data, 2)
    assert [part.name for part in parts["second"]][:2] == ["repeat-0-fold-0", "repeat-0-fold-1"]
    assert len(parts["first"]) == 6


def test_another_seed_of_the_weights_is_no_other_split(folder, data):
    both = experiments(folder, "--seed=4", "--split.seed=3")
    check_experiments(both, data)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--seed=4"], "seed 3 and 4"),
        (["--split.test=0.4"], "split.test 0.2 and 0.4"),
    ],
)
def test_experiments_that_would_be_tested_on_others_are_refused_before_anything_is_trained(folder, data, options, told):
    with pytest.raises(ConfigError) as error:
        check_experiments(experiments(folder, *options), data)
    (line,) = error.value.lines
    assert line.startswith("first and second would not be tested on the same (")
    assert told in line


def test_other_folds_are_refused(folder, data):
    with pytest.raises(ConfigError, match="split.folds 3 and 4"):
        check_experiments(experiments(folder, "--split.folds=4"), data, 1)


def test_a_missing_weight_file_is_told_before_anything_is_trained(folder, data):
    with pytest.raises(Exception, match="nothing.safetensors"):
        check_experiments(
            experiments(folder, "--model.backbone=test_resnet", "--model.pretrained=nothing.safetensors"), data
        )


def test_names_and_half_runs(folder, data):
    with pytest.raises(ConfigError, match="each with its own name, got first, first"):
        check_experiments(experiments(folder, "--name=first"), data)
    with pytest.raises(ConfigError, match="got first"):
        check_experiments(experiments(folder)[:1], data)
    with pytest.raises(ConfigError, match="fast_dev_run"):
        check_experiments(experiments(folder, "--trainer.fast_dev_run=true"), data)


@pytest.mark.parametrize("repeats", [None, 1])
def test_a_plan_keeps_every_setting(folder, data, tmp_path, repeats):
    parent, both = RunFolder(tmp_path), experiments(folder)
    begin_comparison(parent, both, check_experiments(both, data, repeats), repeats)
    plan = read_json(parent.plan)
    assert read_experiments([model["experiment"] for model in plan["models"]]) == both
    assert [model["run"] for model in plan["models"]] == ["parts/first", "parts/second"]
    assert (plan["trained"], plan["cross_validated"]) == (True, repeats is not None)
    assert (parent.parts / "first" / "plan.json").is_file() == (repeats is not None)
    assert load_experiment([str(parent.experiment)], []) == both[0]
