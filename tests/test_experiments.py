"""Every shipped experiment file is run, with the entry point that users call, on simulated data in its real layout."""

import re
from pathlib import Path

import pytest
import yaml

from medvision import fit
from medvision.config import load_experiment
from medvision.phantoms.sets import generate

EXPERIMENTS = sorted((Path(__file__).parents[1] / "experiments").rglob("*.yaml"))
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


def test_there_are_experiments():
    assert len(EXPERIMENTS) >= 10


@pytest.mark.parametrize("file", EXPERIMENTS, ids=lambda path: path.stem)
def test_an_experiment_runs(file, simulated, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDVISION_DATA", str(tmp_path))
    name = yaml.safe_load(file.read_text())["data"]["name"]
    # Inception-ResNet needs 75 pixels.
    size = {"medmnist": "28"}.get(name, "96" if file.stem == "mura_inception_resnet_v2" else "64")
    run = fit.main(
        [str(file), *OPTIONS, f"--data.root={simulated(name)}", f"--data.image_size={size}", f"--output={tmp_path}"]
    )
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
