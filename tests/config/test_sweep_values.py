import json

import pytest
import yaml

from medvision import fit
from medvision.config import load_experiment
from medvision.config.layers import read_layers
from medvision.config.settings import OptimizerSettings
from medvision.config.sweep_values import check_all_passed, contradictions, in_sweep, sweep_values
from medvision.errors import ConfigError

EXPERIMENT = """
name: knees
data: {name: folder, root: images, image_size: 32}
model: {task: classification, backbone: resnet18, trainable: all}
"""
KNOWN = "name, lr, weight_decay, momentum, layer_decay"


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """What `wandb agent` does before it starts a run: types into a file, text on the command line."""

    def choose(**values):
        file = tmp_path / "sweep-parameters.yaml"
        entries = {name: {"value": value} for name, value in values.items()}
        file.write_text("wandb_version: 1\n\n" + yaml.dump(entries, default_flow_style=False))
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(file))
        monkeypatch.setenv("WANDB_SWEEP_ID", "abc")
        # A server sends the values as JSON; the agent prints them with str().
        return [f"--{name}={value}" for name, value in sorted(json.loads(json.dumps(values)).items())]

    return choose


def test_a_run_of_a_sweep_knows_it(monkeypatch):
    for name in ("WANDB_SWEEP_ID", "MEDVISION_SWEEP"):
        monkeypatch.delenv(name, raising=False)
    assert not in_sweep()
    monkeypatch.setenv("MEDVISION_SWEEP", "sweeps/knees")
    assert in_sweep()


def test_outside_a_sweep_nothing_is_chosen(monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_PARAM_PATH", raising=False)
    assert sweep_values() == {}
    check_all_passed(["file.yaml"])


@pytest.mark.parametrize(
    "value",
    [
        True, False, None, 0, -3, 1e-05, 2.5e-07, 1e22, 0.30000000000000004, "007", "no", "true", "null", "1e-5 m", "",
        " x ", "hello world", "a: b # c", "[a-z]+", "{x", "it's", 'say "yes"', "ä€😀", "line\nbreak", "\x7f\u2028",
        "--x=1", "2024-01-31",
        [1, 2.5, None, True], ["a", "b c"], [], [[1, "1"], []], {"a": None, "b": [1e-05, "1"], "c": {"d": False}}, {},
    ],
    ids=repr,
)  # fmt: skip
def test_the_value_is_the_one_that_the_sweep_chose(value, sweep, write):
    options = sweep(**{"model.extra": value})
    used = read_layers(write(EXPERIMENT), options).values["model"]["extra"]
    assert used == value
    assert type(used) is type(value)


def test_the_text_alone_would_lose_some_of_them(sweep, write, monkeypatch):
    """What the file is good for: the command line does not tell these texts from other values."""
    texts = {"a": "007", "b": "true", "c": "null", "d": "[1]"}
    options = sweep(**{f"model.{name}": text for name, text in texts.items()})
    assert {name: read_layers(write(EXPERIMENT), options).values["model"][name] for name in texts} == texts
    monkeypatch.delenv("WANDB_SWEEP_PARAM_PATH")
    lost = read_layers(write(EXPERIMENT), options).values["model"]
    assert (lost["b"], lost["c"], lost["d"]) == (True, None, [1])


@pytest.mark.parametrize(("text", "meant"), [("1e-5", 1e-5), ("3E-4", 3e-4), ("None", None)])
def test_words_that_pyyaml_takes_for_text_mean_what_they_mean_in_an_experiment(text, meant, sweep, write):
    chosen = yaml.safe_load(f"values: [{text}]")["values"][0]
    assert chosen == text  # PyYAML reads the sweep file, and this is what it makes of `values: [1e-5]`
    used = read_layers(write(EXPERIMENT), sweep(**{"optimizer.lr": chosen})).values["optimizer"]["lr"]
    assert used == meant
    assert type(used) is type(meant)


def test_nested_parameters_are_laid_over_the_section(sweep, write):
    files = write(EXPERIMENT)
    nested = {"optimizer": {"lr": 1e-05, "layer_decay": None}, "model": {"trainable": ["layer4", "fc"]}}
    options = sweep(**nested, seed=7)
    assert "--optimizer={'lr': 1e-05, 'layer_decay': None}" in options
    experiment = load_experiment(files, options)
    assert experiment.model["backbone"] == "resnet18"
    assert experiment.model["trainable"] == ["layer4", "fc"]
    assert experiment.optimizer == OptimizerSettings(lr=1e-5, layer_decay=None)
    assert experiment.seed == 7


def test_nested_and_dotted_parameters_of_one_section(sweep, write):
    options = sweep(model={"dropout": 0.25}, **{"model.trainable": ["fc"]})
    for order in (options, options[::-1]):
        model = load_experiment(write(EXPERIMENT), order).model
        assert (model["dropout"], model["trainable"], model["backbone"]) == (0.25, ["fc"], "resnet18")


def test_nested_parameters_may_be_deeper_than_a_section(sweep, write):
    options = sweep(model={"a": {"b": 1}})
    assert read_layers(write("model: {a: {c: 2}}\n"), options).values == {"model": {"a": {"b": 1, "c": 2}}}


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"optimizer.lr": "fast"}, "sweep parameter optimizer.lr: expected a number, got 'fast'"),
        ({"optimizer.lr": -1.0}, "sweep parameter optimizer.lr: expected a value greater than 0, got -1.0"),
        ({"optimizer.lr": None}, "sweep parameter optimizer.lr: expected a number, got null"),
        ({"model": {"dropout": "x"}}, "sweep parameter model: model.dropout: expected a number, got 'x'"),
        ({"optimizer.rl": 1}, "sweep parameter optimizer.rl: unknown setting 'optimizer.rl'; known: " + KNOWN),
    ],
)
def test_a_bad_value_answers_in_one_line_with_the_parameter(values, line, sweep, write):
    options = sweep(**values)
    with pytest.raises(ConfigError) as error:
        load_experiment(write(EXPERIMENT), options)
    assert error.value.lines == (line,)


def test_a_command_that_drops_the_parameters_is_refused(sweep, write):
    files, options = write(EXPERIMENT), sweep(seed=3, **{"optimizer.lr": 0.1})
    with pytest.raises(ConfigError, match='has chosen optimizer.lr, but .* "\\${args}"'):
        fit.main([*files, "--show", *options[1:]])
    fit.main([*files, "--show", *options])


def test_an_option_beside_the_sweep_must_say_the_same(sweep, write, capsys):
    files, options = write(EXPERIMENT), sweep(seed=3)
    with pytest.raises(ConfigError) as error:
        fit.main([*files, "--show", "--seed=4", *options])
    assert error.value.lines == ("sweep parameter seed: is set to 4 and to 3; leave --seed out, the sweep chooses it",)
    fit.main([*files, "--show", "--seed=3", *options])
    assert "seed: 3\n" in capsys.readouterr().out
    assert contradictions(["--a=1", "--a=2"], {}) == []


@pytest.mark.parametrize("content", [None, b"a: [", b"- 1\n", b"\xff\xfe\xff", b"a: {value: !!python/object:os.x {}}"])
def test_a_file_that_cannot_be_read_is_named(content, tmp_path, monkeypatch, write):
    path = tmp_path / "values.yaml"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(path))
    with pytest.raises(ConfigError) as error:
        read_layers(write(EXPERIMENT), [])
    (line,) = error.value.lines
    assert line.startswith(f"{path}: the values of the sweep (WANDB_SWEEP_PARAM_PATH)")
    assert "\n" not in line
