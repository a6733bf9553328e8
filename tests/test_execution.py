"""A run from wherever its folder stands."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from medvision import evaluate, fit, training
from medvision.config import load_experiment
from medvision.errors import RunError
from medvision.execution import execute
from medvision.inference import load_best
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from medvision.tasks import classification
from tests.kinds import KINDS, write_experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])


def experiment_of(folder, *options):
    return load_experiment([str(folder / "discs.yaml")], ["--trainer.max_epochs=1", *options])


def test_an_empty_folder_becomes_a_run_and_a_finished_one_stays(folder, tmp_path):
    experiment, run = experiment_of(folder), RunFolder(tmp_path / "run")
    datamodule = training.build_datamodule(experiment)
    execute(experiment, run, datamodule)
    before = run.predictions.read_bytes(), run.best.read_bytes(), run.history.read_bytes()
    assert run.finished
    execute(experiment, run, datamodule)
    assert (run.predictions.read_bytes(), run.best.read_bytes(), run.history.read_bytes()) == before
    # A training that was over before is as long as its epochs, not as this look at it.
    assert read_json(run.environment)["training_seconds"] == round(read_table(run.history)["seconds"].sum(), 1)


def test_a_run_on_another_split_is_not_gone_on_with(folder, tmp_path):
    experiment, run = experiment_of(folder), RunFolder(tmp_path)
    datamodule = training.build_datamodule(experiment)
    split = datamodule.split_table()
    write_table(run.split, split.assign(split=split["split"].replace({"val": "test"})))
    with pytest.raises(RunError, match="images have another split now"):
        execute(experiment, run, datamodule)


@pytest.mark.parametrize(("kind", "verb"), [("cross_validation", "cross_validate"), ("comparison", "compare")])
def test_a_folder_of_several_runs_names_its_command(folder, tmp_path, kind, verb):
    parent = RunFolder(tmp_path)
    write_json(parent.plan, {"kind": kind})
    parent.experiment.write_text((folder / "discs.yaml").read_text())
    for command in (lambda: fit.main(["--resume", str(tmp_path)]), lambda: evaluate.main([str(tmp_path)])):
        with pytest.raises(RunError, match=f"holds several runs; python -m medvision.{verb} --resume"):
            command()
    assert not parent.best.parent.exists()


def test_the_best_weights_see_pixels_as_they_were_trained(folder, tmp_path, monkeypatch):
    expected = ((0.31,), (0.17,))
    given = {True: expected, False: ((0.5,), (0.5,))}
    monkeypatch.setattr(classification, "normalisation", lambda network, channels, pretrained: given[bool(pretrained)])
    weights = tmp_path / "weights.safetensors"
    drawn = timm.create_model("test_resnet").state_dict()
    save_file({name: value + 0.01 if value.is_floating_point() else value for name, value in drawn.items()}, weights)
    options = ["--model.backbone=test_resnet", f"--model.pretrained={weights}"]
    experiment, run = experiment_of(folder, *options), RunFolder(tmp_path / "run")
    datamodule = training.build_datamodule(experiment)
    execute(experiment, run, datamodule)
    best = load_best(experiment, run, datamodule)
    assert (best.mean, best.std) == expected
    preprocessing = read_json(run.preprocessing)
    assert (preprocessing["mean"], preprocessing["std"]) == ([0.31], [0.17])
    pixels = torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)
    assert best.normalise(pixels).flatten().tolist() == pytest.approx([(1 - 0.31) / 0.17] * 4)
