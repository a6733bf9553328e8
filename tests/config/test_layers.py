import pytest

from medvision.config.layers import parse_value, read_layers
from medvision.errors import ConfigError


def test_later_files_and_then_options_win(write):
    files = write("a: {x: 1, y: [1, 2]}\nb: 1\n", "a: {y: [3], z: {k: 1}}\n")
    layer = read_layers(files, ["--a.z.m=2", "--b=null"])
    assert layer.values == {"a": {"x": 1, "y": [3], "z": {"k": 1, "m": 2}}, "b": None}
    assert layer.place(("a", "x")).text == "0.yaml:1"
    assert layer.place(("a", "y")).text == "1.yaml:1"
    assert layer.place(("a", "z", "m")).text == "--a.z.m"
    assert layer.place(("a", "y", "1")).text == "1.yaml:1"


def test_the_value_of_a_setting_is_replaced_as_a_whole(write):
    files = write("data: {mask_values: {0: rest, 1: fat}, root: r}\n", "data: {mask_values: {255: fat}}\n")
    assert read_layers(files, []).values == {"data": {"mask_values": {"255": "fat"}, "root": "r"}}
    option = read_layers(files[:1], ["--data.mask_values={0: rest, 2: fat}"])
    assert option.values["data"]["mask_values"] == {"0": "rest", "2": "fat"}
    entry = read_layers(files[:1], ["--data.mask_values.two=bone"])
    assert entry.values["data"]["mask_values"] == {"0": "rest", "1": "fat", "two": "bone"}


def test_another_class_starts_its_section_anew(write):
    files = write(
        "data: {name: mura, root: r}\nschedule: {name: plateau, patience: 3}\n", "data: {name: folder, x: 1}\n"
    )
    assert read_layers(files, []).values["data"] == {"name": "folder", "x": 1}
    step = read_layers(files[:1], ["--schedule.every=2", "--schedule.name=step"])
    assert step.values["schedule"] == {"name": "step", "every": 2}
    assert step.place(("schedule", "every")).text == "--schedule.every"
    assert step.place(("schedule", "factor")).text == "--schedule.name"
    same = read_layers(files[:1], ["--schedule.factor=0.5", "--schedule.name=plateau"])
    assert same.values["schedule"] == {"name": "plateau", "patience": 3, "factor": 0.5}


def test_options_of_a_sweep_agent(write):
    """The forms in which wandb 0.31 passes parameters: f"--{name}={value}" with Python's own str()."""
    options = [
        "--optimizer.lr=1e-05", "--data.cache=True", "--ema=None", "--text=hello world", "--model.layers=['a', 'b']",
        "--model={'task': 'classification', 'backbone': 'resnet18', 'drop': None, 'lr': 1e-05}",
    ]  # fmt: skip
    assert read_layers(write("model: {task: segmentation, encoder: x}\n"), options).values == {
        "model": {"layers": ["a", "b"], "task": "classification", "backbone": "resnet18", "drop": None, "lr": 1e-5},
        "optimizer": {"lr": 1e-5},
        "data": {"cache": True},
        "ema": None,
        "text": "hello world",
    }


@pytest.mark.parametrize(
    "text",
    ["[a-z]+_(?P<patient>\\d+)_.*", "{x}_(.*", "a: b # c", "*star", "%d", "@home", "a #b", "- a", "!tag x", "${HOME}"],
)
def test_text_that_is_no_value_stays_as_it_stands(text):
    assert parse_value(text) == text


def test_values_as_in_a_file():
    assert parse_value("'3'") == "3"
    assert parse_value('"a: b"') == "a: b"
    assert parse_value("[1, None, no]") == [1, None, "no"]
    assert parse_value('["${HOME}"]') == ["${HOME}"]
    assert parse_value("{a: 1, a: 2}") == "{a: 1, a: 2}"


def test_all_mistakes_at_once(write):
    files = write("a: [\n", "b: 1\nb: 2\n")
    options = ["--a.b", "--=3", "--a..b=3", "x=3", "--a=\udce4"]
    with pytest.raises(ConfigError) as error:
        read_layers([*files, "missing.yaml"], options)
    assert len(error.value.lines) == 3 + len(options)
    assert error.value.lines[3] == "--a.b: write --a.b=value"
    assert error.value.lines[4] == "--=3: expected --section.key=value"


def test_no_files_at_all():
    assert read_layers([], ["--a=1"]).values == {"a": 1}
