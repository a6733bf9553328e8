import pytest

from medvision.errors import ConfigError
from medvision.sweeps.distributions import DEFAULTS, TAKES
from medvision.sweeps.file import Parameter, read_sweep
from tests.sweeps.sweep_files import write_sweep

GOOD = """\
method: bayes
run_cap: 20
metric: {name: val/auroc, goal: maximize}
early_terminate: {type: hyperband, min_iter: 3}
command: ["${env}", "${interpreter}", -m, medvision.fit, a.yaml, --trainer.max_epochs, 5, "${args}"]
parameters:
  optimizer.lr: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-1}
  model:
    parameters:
      dropout: {min: 0.0, max: 0.5}
      backbone: {values: [a, null]}
  Z: {value: off}
  epochs: {min: 1, max: 9}
"""
EXAMPLES = {
    "value": 1, "values": [1, 2], "probabilities": [0.5, 0.5], "min": 1, "max": 4,
    "q": 0.5, "mu": 0.0, "sigma": 2.0, "a": 2.0, "b": 3.0,
}  # fmt: skip


def test_a_file_in_the_form_of_wandb(tmp_path):
    (tmp_path / "knee.yaml").write_text(GOOD)
    sweep = read_sweep(tmp_path / "knee.yaml")
    assert (sweep.name, sweep.trials, sweep.text) == ("knee", 20, GOOD)
    assert sweep.file.command[0] == "${env}"
    assert sweep.file.early_terminate.eta == 3
    # Sorted by name at each level, as W&B's engine sorts them: capital letters first.
    assert dict(sweep.specs) == {
        ("Z",): {"distribution": "constant", "value": "off"},
        ("epochs",): {"distribution": "int_uniform", "min": 1, "max": 9},
        ("model", "backbone"): {"distribution": "categorical", "values": ["a", None]},
        ("model", "dropout"): {"distribution": "uniform", "min": 0.0, "max": 0.5},
        ("optimizer.lr",): {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
    }
    assert next(iter(sweep.specs)) == ("Z",)


@pytest.mark.parametrize("kind", TAKES)
def test_every_distribution_of_wandb_is_known(kind):
    given = {key: EXAMPLES[key] for key in TAKES[kind]}
    spec = Parameter.model_validate({"distribution": kind, **given}).spec()
    assert spec == {"distribution": kind, **given}
    assert list(spec) == ["distribution", *TAKES[kind]]
    bare = {key: value for key, value in given.items() if key not in DEFAULTS}
    assert Parameter.model_validate({"distribution": kind, **bare}).spec().keys() == spec.keys()


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"value": None}, "constant"),
        ({"values": [None]}, "categorical"),
        ({"values": [1, 2], "probabilities": [0.1, 0.9]}, "categorical_w_probabilities"),
        ({"min": 1, "max": 2}, "int_uniform"),
        ({"min": 1, "max": 2.0}, "uniform"),
    ],
)
def test_a_distribution_that_is_not_named_follows_from_the_keys(given, kind):
    assert Parameter.model_validate(given).kind == kind


def test_a_grid_has_as_many_trials_as_points(tmp_path):
    parameters = {"a": {"values": [1, 2, 2]}, "b": {"min": 1, "max": 4}, "c": {"value": 3}}
    assert read_sweep(write_sweep(tmp_path, parameters=parameters)).trials == 8
    assert read_sweep(write_sweep(tmp_path, parameters=parameters, run_cap=5)).trials == 5


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("method: bayes", "method: bays", ":1: method: 'bays' is none of grid, random, bayes; did you mean 'bayes'?"),
        ("run_cap: 20", "", "'run_cap' is missing: bayes has no end without it; write run_cap: 20"),
        ("run_cap", "runcap", ":2: unknown setting 'runcap'; did you mean 'run_cap'?"),
        ("goal: maximize", "gaol: maximize", ":3: unknown setting 'metric.gaol'; did you mean 'goal'?"),
        ("goal: maximize", "goal: max", ":3: metric.goal: 'max' is none of minimize, maximize"),
        ("metric:", "# metric:", "'metric' is missing"),
        ("min_iter: 3", "eta: 3", ":4: early_terminate: hyperband takes min_iter, or max_iter and s"),
        ("min_iter: 3", "max_iter: 2, s: 1", ":4: early_terminate: max_iter: 2 leaves no comparison"),
        ("min_iter: 3", "min_iter: 3, eta: 1", ":4: early_terminate.eta: expected a value greater than 1"),
        ("log_uniform_values", "log_unifrom", ":7: parameters.optimizer.lr: unknown distribution 'log_unifrom'"),
        ("min: 1.0e-5", "min: 0", ":7: parameters.optimizer.lr: log_uniform_values takes a min above 0, got 0"),
        ("min: 1.0e-5, ", "", ":7: parameters.optimizer.lr: log_uniform_values needs min"),
        ("max: 0.5", "max: -1", ":10: parameters.model.parameters.dropout: min: 0.0 is not less than max: -1"),
        ("values: [a, null]", "values: []", ":11: parameters.model.parameters.backbone.values: "),
        ("values: [a, null]", "values: [a], q: 2", "dropout|backbone: categorical takes values, not q"),
        ("values: [a, null]", "values: [a], probabilities: [0.3]", "the probabilities add up to 0.3, not to 1"),
        ("values: [a, null]", "values: [a], probabilities: [0.3, 0.7]", "1 values have 2 probabilities"),
        ("{value: off}", "{}", ":12: parameters.Z: expected value, values, min and max, or a distribution"),
        ("{value: off}", "{vaule: off}", ":12: unknown setting 'parameters.Z.vaule'; did you mean 'value'?"),
        ("{value: off}", "3", ":12: parameters.Z: expected 'key: value' settings, got 3"),
        ("method: bayes", "method: grid", "a grid takes values or whole numbers, not uniform"),
        ("  Z: {value: off}", "  model.dropout: {value: 1}", "is given twice, with dots and nested"),
        ("  Z: {value: off}", "  epochs: {value: 1}", "'parameters.epochs' is set twice"),
        ("parameters:", "parameters: {", "not valid YAML"),
    ],
)
def test_mistakes_are_one_line_with_file_and_line(tmp_path, old, new, words):
    assert old in GOOD
    (tmp_path / "knee.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read_sweep(tmp_path / "knee.yaml")
    assert all(line.startswith(f"{tmp_path / 'knee.yaml'}") for line in caught.value.lines)
    told = "\n".join(caught.value.lines)
    assert any(word in told for word in words.split("|")), told


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match="missing.yaml: no such file"):
        read_sweep(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="is a folder; expected a YAML file"):
        read_sweep(tmp_path)
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(ConfigError, match="list.yaml:1: expected 'key: value' lines"):
        read_sweep(tmp_path / "list.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        read_sweep(tmp_path / "bytes.yaml")
