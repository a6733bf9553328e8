import json
import sys
from pathlib import Path

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from medvision.errors import ConfigError
from medvision.sweeps.file import read_sweep
from medvision.sweeps.program import Program, check_program, fill_in, read_program
from tests.kinds import KINDS, write_experiment
from tests.sweeps.sweep_files import write_sweep

SETTINGS = {
    "flag_off": False, "flag_on": True, "flat": 3, "lst": [1, "a"], "model": {"lr": 0.01, "sched": None},
    "model.lr": 1e-05, "nothing": None, "text": "hello world",
}  # fmt: skip
FIT = ["${env}", "${interpreter}", "-m", "medvision.fit", "a.yaml", "--seed=3", "--output=x", "${args}"]


@pytest.mark.parametrize("macro", ["args", "args_no_equals", "args_no_hyphens", "args_no_boolean_flags", "args_json"])
def test_macros_are_those_of_the_agent(macro, tmp_path):
    command = {"args": {name: {"value": value} for name, value in SETTINGS.items()}}
    expected = create_sweep_command_args(command)[macro]
    found = fill_in(["run", f"${{{macro}}}"], SETTINGS, program="", json_file=tmp_path / "x.json")
    assert found == ["run", *expected]


def test_other_macros(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", "here")
    file = tmp_path / "x.json"
    given = [
        "${env}",
        "${interpreter}",
        "${program}",
        "A=${envvar:PLACE}/${envvar:NOWHERE_AT_ALL}",
        "${args_json_file}",
    ]
    found = fill_in(given, SETTINGS, program="fit.py", json_file=file)
    assert found == ["/usr/bin/env", sys.executable, "fit.py", create_sweep_command([given[3]])[0], str(file)]
    assert json.loads(file.read_text()) == SETTINGS
    # A macro inside a longer word is left alone, as the agent leaves it.
    assert fill_in(["--x=${args}"], SETTINGS, program="", json_file=file) == ["--x=${args}"]


def test_what_a_command_runs():
    assert read_program(FIT, None) == Program("fit", ["a.yaml"], ["--seed=3"])
    folds = ["medvision", "cross_validate", "a.yaml", "b.yml", "--split.folds=3", "${args}"]
    assert read_program(folds, None) == Program("cross_validate", ["a.yaml", "b.yml"], ["--split.folds=3"])
    assert read_program(["python", "-m", "${program}", "a.yaml"], "medvision.fit").verb == "fit"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["python", "train.py", "${args}"], "runs neither medvision.fit nor medvision.cross_validate"),
        ([*FIT[:-1], "${arg}"], "unknown macro '${arg}'; did you mean '${args}'?"),
        (["python", "fit"], "runs neither"),
    ],
)
def test_commands_that_cannot_be(command, words):
    with pytest.raises(ConfigError) as caught:
        read_program(command, None)
    assert words in str(caught.value)


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_experiment(tmp_path, KINDS["classification"])


def checked(folder: Path, parameters: dict, **changes: object):
    command = ["${interpreter}", "-m", "medvision.fit", str(folder / "discs.yaml"), "${args}"]
    return check_program(read_sweep(write_sweep(folder, **{"command": command, "parameters": parameters, **changes})))


def test_every_value_is_tried_on_the_experiment_before_the_first_trial(folder):
    good = {"optimizer.lr": {"values": [0.1, 0.2]}, "model": {"parameters": {"dropout": {"values": [0.5]}}}}
    experiment = checked(folder, good)
    assert (experiment.optimizer.lr, experiment.model["dropout"]) == (0.2, 0.5)
    assert experiment.model["backbone"] == "two_layer_cnn"
    assert checked(folder, {"split.stratify": {"values": [None]}}).split.stratify is None
    bad = {"optimizer.lr": {"values": [0.1, -1]}, "optimizer.nam": {"value": "sgd"}}
    with pytest.raises(ConfigError) as caught:
        checked(folder, bad)
    assert len(caught.value.lines) == 2
    assert all(line.startswith(f"{folder / 'tries.yaml'}: --optimizer") for line in caught.value.lines)
    with pytest.raises(ConfigError, match="dropout"):
        checked(folder, {"model.dropout": {"min": 0.0, "max": 1.5}}, method="random", run_cap=1)


def test_a_cross_validation_cannot_be_stopped_early(folder):
    command = ["${interpreter}", "-m", "medvision.cross_validate", str(folder / "discs.yaml"), "${args}"]
    rule = {"type": "hyperband", "min_iter": 1}
    with pytest.raises(ConfigError, match="a cross-validation has one value, at its end"):
        checked(folder, {"optimizer.lr": {"values": [0.1]}}, command=command, early_terminate=rule)
