"""Every shipped experiment file is run, with the entry point that users call, on simulated data in its real layout.

So is every sweep file, with each of its values at least once.
"""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from medvision import fit
from medvision.config import find_class, load_experiment
from medvision.phantoms.sets import generate
from medvision.sweeps.file import read_sweep

FOLDER = Path(__file__).parents[1] / "experiments"
SWEEPS = sorted((FOLDER / "sweeps").rglob("*.yaml"))
EXPERIMENTS = sorted(set(FOLDER.rglob("*.yaml")) - set(SWEEPS))
# Pretrained weights are not shipped: the same network with random weights takes the same way.
OPTIONS = [
    "--model.pretrained=false",
    "--trainer.fast_dev_run=true",
    "--trainer.accelerator=cpu",
    "--data.batch_size=4",
    "--data.num_workers=0",
]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """The root of a simulated set, drawn once."""
    roots: dict[str, Path] = {}

    def root_of(name: str) -> Path:
        if name not in roots:
            patients = {"medmnist": 60, "mura": 40, "lung_us": 30, "hip_us": 20, "knee_xray": 60}.get(name, 24)
            roots[name] = generate(name, tmp_path_factory.mktemp("simulated") / name, patients=patients)
        return roots[name]

    return root_of


def try_experiment(file: Path, simulated, output: Path, *options: str):
    """A batch of each split goes through the network."""
    name = yaml.safe_load(file.read_text())["data"]["name"]
    # Inception-ResNet needs 75 pixels.
    size = {"medmnist": "28"}.get(name, "96" if file.stem == "mura_inception_resnet_v2" else "64")
    given = [f"--data.root={simulated(name)}", f"--data.image_size={size}", f"--output={output}"]
    return fit.main([str(file), *OPTIONS, *given, *options])


def test_there_are_experiments():
    assert len(EXPERIMENTS) >= 10
    assert len(SWEEPS) >= 4


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(file, simulated, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDVISION_DATA", str(tmp_path))
    run = try_experiment(file, simulated, tmp_path)
    assert run.report.parent.is_dir()
    assert run.split.is_file()


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_file_says_what_it_is_for(file, monkeypatch):
    monkeypatch.setenv("MEDVISION_DATA", "data")
    text = file.read_text()
    lines = text.splitlines()
    assert len(lines) <= 40
    head = [line for line in lines if line.startswith("#")]
    assert any(line.startswith("# Data:") for line in head)
    assert f"python -m medvision.fit experiments/{file.name}" in "\n".join(head)
    experiment = load_experiment([file], [])
    assert experiment.name == file.stem
    assert experiment.question.endswith("?")


def test_pretrained_files_stand_where_the_readme_says(monkeypatch):
    monkeypatch.setenv("MEDVISION_DATA", "/images")
    used = {load_experiment([file], []).model["pretrained"] for file in EXPERIMENTS}
    paths = {value for value in used if isinstance(value, str)}
    assert all(re.fullmatch(r"/images/weights/\w+\.safetensors", path) for path in paths)


def experiment_of(sweep: dict) -> Path:
    (name,) = [word for word in sweep["command"] if word.endswith(".yaml")]
    return FOLDER.parent / name


def points(sweep: dict) -> list[dict]:
    """So many points that each listed value and both ends of each range are in one of them."""
    choices = {
        name: [spec["value"]] if "value" in spec else spec.get("values") or [spec["min"], spec["max"]]
        for name, spec in sweep["parameters"].items()
    }
    rows = range(max(map(len, choices.values())))
    return [{name: values[row % len(values)] for name, values in choices.items()} for row in rows]


@pytest.fixture
def chosen(tmp_path, monkeypatch):
    """A point as `wandb agent` hands it to a run: the options, and the file with the types."""
    numbers = itertools.count()

    def choose(point: dict) -> list[str]:
        file = tmp_path / f"parameters-{next(numbers)}.yaml"
        file.write_text(yaml.dump({name: {"value": value} for name, value in point.items()}))
        monkeypatch.setenv("WANDB_SWEEP_PARAM_PATH", str(file))
        return [f"--{name}={value}" for name, value in sorted(point.items())]

    return choose


@pytest.mark.parametrize("file", SWEEPS, ids=lambda path: path.stem)
def test_all_values_of_a_sweep_are_settings_of_its_experiment(file, chosen):
    # PyYAML, since it is what `wandb sweep` reads the file with.
    sweep = yaml.safe_load(file.read_text())
    for point in points(sweep):
        fixed = [word for word in sweep["command"] if word.startswith("--")]
        experiment = load_experiment([experiment_of(sweep)], [*fixed, *chosen(point)])
        used = experiment.model_dump(mode="json")
        for name, value in point.items():
            section, key = name.split(".")
            assert used[section][key] == value
            assert type(used[section][key]) is type(value), f"{name}: {value!r} was taken for text"
        assert experiment.monitor == sweep["metric"]["name"], "the checkpoint that is kept is that of another epoch"


@pytest.mark.parametrize("file", SWEEPS, ids=lambda path: path.stem)
def test_a_sweep_file_says_what_it_is_for(file):
    text, sweep = file.read_text(), yaml.safe_load(file.read_text())
    path = f"experiments/sweeps/{file.name}"
    head = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert len(text.splitlines()) <= 40
    assert head.partition("\n")[0].endswith("?")
    assert f"wandb sweep {path} " in head
    assert "wandb agent " in head
    assert f"python -m medvision.sweep {path} --workers 2" in head
    assert sweep["command"][:4] == ["${env}", "${interpreter}", "-m", sweep["program"]]
    assert sweep["command"][-1] == "${args}"
    split, _, metric = sweep["metric"]["name"].partition("/")
    task = find_class("model", load_experiment([experiment_of(sweep)], []).model["task"])
    assert split == "val"
    assert metric in task.metric_names
    assert sweep["metric"]["goal"] == "maximize"


@pytest.mark.parametrize("file", SWEEPS, ids=lambda path: path.stem)
def test_both_readers_find_the_same_in_a_sweep_file(file):
    """W&B reads YAML 1.1, medvision 1.2; a file that means two things is a bad example."""
    sweep, ours = yaml.safe_load(file.read_text()), read_sweep(file)
    assert [list(name) for name in ours.specs] == [[name] for name in sorted(sweep["parameters"])]
    for (name,), spec in ours.specs.items():
        assert {key: value for key, value in spec.items() if key in sweep["parameters"][name]} == (
            sweep["parameters"][name]
        )


@pytest.mark.slow
@pytest.mark.parametrize("file", SWEEPS, ids=lambda path: path.stem)
def test_every_value_of_a_sweep_runs(file, simulated, chosen, tmp_path):
    sweep = yaml.safe_load(file.read_text())
    for point in points(sweep):
        run = try_experiment(experiment_of(sweep), simulated, tmp_path, *chosen(point))
        assert run.split.is_file()
