"""A run from wherever its folder stands."""

import os
import signal

import pytest
import timm
import torch
from safetensors.torch import save_file

from medvision import evaluate, fit, training
from medvision.callbacks import EpochSeed, PredictionCollector
from medvision.config import load_experiment
from medvision.errors import RunError
from medvision.execution import execute
from medvision.inference import load_best
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from medvision.tasks import classification
from medvision.training import TerminatedTrainingError
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


def test_weights_of_another_network_are_refused_in_one_line(folder, tmp_path):
    experiment, run = experiment_of(folder), RunFolder(tmp_path / "run")
    datamodule = training.build_datamodule(experiment)
    execute(experiment, run, datamodule)
    checkpoint = torch.load(run.best, weights_only=True)
    del checkpoint["state_dict"]["pixel_mean"]
    torch.save(checkpoint, run.best)
    with pytest.raises(
        RunError, match=r"best.ckpt: not the weights of the network .*: Missing key.* .pixel_mean."
    ) as told:
        load_best(experiment, run, datamodule)
    assert len(told.value.lines) == 1


@pytest.fixture
def terminated(monkeypatch):
    """The system asks the process to end, at the beginning of the second epoch."""
    before = signal.getsignal(signal.SIGTERM)

    def start(self, trainer, pl_module):
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochSeed, "on_train_epoch_start", start)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_terminated_run_says_how_to_go_on(folder, tmp_path, terminated, monkeypatch):
    experiment, run = experiment_of(folder, "--trainer.max_epochs=3"), RunFolder(tmp_path / "run")
    datamodule = training.build_datamodule(experiment)
    with pytest.raises(TerminatedTrainingError, match=f"terminated; .*: python -m medvision.fit --resume {run.path}"):
        execute(experiment, run, datamodule)
    assert TerminatedTrainingError.exit_code == 128 + signal.SIGTERM
    assert not run.finished
    monkeypatch.undo()
    execute(experiment, run, datamodule)
    assert run.finished
    assert list(read_table(run.history)["epoch"]) == [0, 1, 2]


def test_a_run_that_its_sweep_stops_is_scored_on_validation_alone(folder, tmp_path, terminated, monkeypatch, capsys):
    monkeypatch.setenv("MEDVISION_SWEEP", "sweep")
    experiment, run = experiment_of(folder, "--trainer.max_epochs=3"), RunFolder(tmp_path / "run")
    execute(experiment, run, training.build_datamodule(experiment))
    assert "stopped by the sweep" in capsys.readouterr().out
    assert list(read_table(run.history)["epoch"]) == [0]
    assert run.best.is_file()
    assert set(read_table(run.predictions)["split"]) == {"val"}
    assert list(read_json(run.metrics)) == ["val"]
    assert run.finished


def test_a_sweep_cannot_stop_the_scoring(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDVISION_SWEEP", "sweep")
    before = signal.getsignal(signal.SIGTERM)
    start = PredictionCollector.on_predict_batch_end

    def stopped(self, *rest):
        os.kill(os.getpid(), signal.SIGTERM)
        start(self, *rest)

    monkeypatch.setattr(PredictionCollector, "on_predict_batch_end", stopped)
    experiment, run = experiment_of(folder), RunFolder(tmp_path / "run")
    try:
        execute(experiment, run, training.build_datamodule(experiment))
        assert signal.getsignal(signal.SIGTERM) == before
    finally:
        signal.signal(signal.SIGTERM, before)
    assert run.finished


@pytest.mark.parametrize(
    ("variable", "asked", "scored"),
    [
        (None, [], True),
        (None, ["--evaluation.test=false"], False),
        ("WANDB_SWEEP_ID", [], False),
        ("MEDVISION_SWEEP", [], False),
        ("WANDB_SWEEP_ID", ["--evaluation.test=true"], True),
    ],
)
def test_the_test_split_is_left_alone_in_a_sweep(folder, monkeypatch, variable, asked, scored):
    if variable:
        monkeypatch.setenv(variable, "abc")
    assert experiment_of(folder, *asked).evaluation.test is scored
