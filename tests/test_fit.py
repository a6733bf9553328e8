"""What a run must do, whatever its task."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from medvision import callbacks, fit
from medvision.errors import ConfigError, RunError
from medvision.evaluate import main as evaluate
from medvision.runs import read_table
from tests.kinds import KINDS, Kind, run, same_weights, weights, write_experiment


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("discs"), kind)


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return run(folder, tmp_path_factory.mktemp("finished"))


def test_a_run_folder_holds_everything(kind, finished):
    assert [name for name in kind.files if not (finished.path / name).is_file()] == []
    assert (finished.path.parent / "latest").resolve() == finished.path.resolve()
    history = pd.read_csv(finished.history)
    assert list(history["epoch"]) == [0, 1, 2]
    assert {"lr", "seconds", "train/loss", "val/loss"} | kind.history <= set(history)
    preprocessing = json.loads(finished.preprocessing.read_text())
    assert (preprocessing["classes"], preprocessing["mask_classes"]) == kind.classes
    assert (preprocessing["mean"], preprocessing["std"]) == ([0.5], [0.5])


def test_every_image_is_in_one_split_and_every_patient_too(kind, finished):
    split = read_table(finished.split)
    assert len(split) == 36
    assert split.groupby("patient")["split"].nunique().max() == 1
    assert split["sha256"].str.len().eq(64).all()
    predictions = read_table(finished.predictions)
    held_out = split[split["split"] != "train"]
    assert sorted(predictions["image"]) == sorted(held_out["image"])
    assert list(predictions.columns[:7]) == ["image", "patient", "split", "fold", *kind.columns]


def test_metrics_have_value_interval_and_counts(kind, finished):
    metrics = json.loads(finished.metrics.read_text())
    assert set(metrics) == {"val", "test"}
    entry = metrics["test"]["image"][kind.metric]
    assert set(entry) >= {"value", "low", "high", "n", "patients"}
    predictions = read_table(finished.predictions).query("split == 'test'")
    by_hand = (
        predictions[["dice_disc", "dice_bar"]].mean().mean()
        if kind.metric == "dice"
        else (predictions["target"] == predictions["predicted"]).mean()
    )
    assert entry["value"] == pytest.approx(by_hand)
    assert entry["patients"] == predictions["patient"].nunique()


@pytest.mark.parametrize(
    "options",
    [["--data.cache=false"], ["--data.num_workers=2"], ["--data.num_workers=1", "--data.cache=false"]],
    ids=["without cache", "two workers", "a worker without cache"],
)
def test_workers_and_cache_change_no_bit(folder, finished, tmp_path, options):
    other = run(folder, tmp_path, *options)
    assert other.predictions.read_bytes() == finished.predictions.read_bytes()
    assert same_weights(other.best, finished.best)


def test_another_seed_changes_the_result(folder, finished, tmp_path):
    assert run(folder, tmp_path, "--seed=4").predictions.read_bytes() != finished.predictions.read_bytes()


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_killed_run_goes_on_and_ends_bit_identical(folder, finished, tmp_path, monkeypatch, epochs):
    saves = []

    def die_after(self, trainer):
        save(self, trainer)
        saves.append(trainer.current_epoch)
        if len(saves) == epochs:
            raise RuntimeError("killed")

    save = callbacks.LastCheckpoint._save
    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", die_after)
    with pytest.raises(RuntimeError, match="killed"):
        run(folder, tmp_path)
    monkeypatch.undo()
    resumed = fit.main(["--resume", "latest", f"--output={tmp_path}"])
    assert resumed.predictions.read_bytes() == finished.predictions.read_bytes()
    assert same_weights(resumed.last, finished.last)
    left, right = (torch.load(r.last, weights_only=True)["lr_schedulers"] for r in (resumed, finished))
    assert left == right
    before, after = (pd.read_csv(r.history).drop(columns="seconds") for r in (finished, resumed))
    pd.testing.assert_frame_equal(before, after)


def test_in_a_given_folder_the_same_command_goes_on(folder, finished, tmp_path, monkeypatch, capsys):
    def die(self, trainer):
        save(self, trainer)
        raise RuntimeError("killed")

    save, given = callbacks.LastCheckpoint._save, f"--run-folder={tmp_path / 'mine'}"
    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", die)
    with pytest.raises(RuntimeError, match="killed"):
        run(folder, tmp_path, given)
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="holds another run: optimizer.lr is 0.01 there and 0.5 here"):
        run(folder, tmp_path, given, "--optimizer.lr=0.5")
    monkeypatch.setenv("MEDVISION_RUN", str(tmp_path / "mine"))
    whole = run(folder, tmp_path)
    assert whole.path == tmp_path / "mine"
    assert whole.predictions.read_bytes() == finished.predictions.read_bytes()
    capsys.readouterr()
    written = whole.report.stat().st_mtime_ns
    run(folder, tmp_path)
    assert f"finished already; report: {whole.report}" in capsys.readouterr().out
    assert whole.report.stat().st_mtime_ns == written
    assert not list(tmp_path.glob("discs/*"))


def test_a_folder_without_a_finished_epoch_may_become_another_run(folder, tmp_path):
    with pytest.raises(ConfigError, match="nothing is logged as 'val/nothing'"):
        run(folder, tmp_path, f"--run-folder={tmp_path / 'mine'}", "--checkpoint.monitor=val/nothing")
    assert not (tmp_path / "mine").exists()
    trial = ["--trainer.fast_dev_run=true", f"--run-folder={tmp_path / 'mine'}"]
    run(folder, tmp_path, *trial)
    assert yaml.safe_load(run(folder, tmp_path, *trial, "--seed=4").experiment.read_text())["seed"] == 4


def test_a_run_has_one_folder(finished, tmp_path):
    with pytest.raises(ConfigError, match="leave one out"):
        fit.main([f"--resume={finished.path}", f"--run-folder={tmp_path}"])


def test_a_finished_run_can_be_taken_further(folder, finished, tmp_path):
    short = run(folder, tmp_path, "--trainer.max_epochs=2")
    longer = fit.main(["--resume", str(short.path), "--trainer.max_epochs=3"])
    history = pd.read_csv(longer.history)
    assert list(history["epoch"]) == [0, 1, 2]
    assert history.notna().all(axis=None)
    assert longer.predictions.read_bytes() == finished.predictions.read_bytes()


def test_a_stopped_run_is_not_trained_again(folder, tmp_path):
    stopping = ["--early_stopping.patience=1", "--early_stopping.monitor=train/loss", "--optimizer.lr=1e-12"]
    stopped = run(folder, tmp_path, *stopping, "--early_stopping.min_delta=1", "--trainer.max_epochs=9")
    epochs = len(pd.read_csv(stopped.history))
    assert epochs < 9
    assert len(pd.read_csv(fit.main(["--resume", str(stopped.path)]).history)) == epochs


def test_resume_refuses_other_data_and_other_settings(folder, finished, tmp_path):
    with pytest.raises(ConfigError, match=r"leave out --optimizer.lr=1"):
        fit.main(["--resume", str(finished.path), "--optimizer.lr=1"])
    with pytest.raises(RunError, match="no such run folder"):
        fit.main(["--resume", str(tmp_path / "nothing")])
    with pytest.raises(RunError, match="no run here yet"):
        fit.main(["--resume", "latest", f"--output={tmp_path}"])


def test_evaluate_repeats_the_metrics(kind, finished):
    before = json.loads(finished.metrics.read_text())
    predictions = finished.predictions.read_bytes()
    assert evaluate([str(finished.path), "--split", "test"]) == before["test"]
    assert sorted(finished.predictions.read_bytes().splitlines()) == sorted(predictions.splitlines())
    train = evaluate([str(finished.path), "--split", "train"])
    assert train["image"][kind.metric]["n"] == (read_table(finished.split)["split"] == "train").sum()


def test_show_prints_what_runs(folder, capsys):
    assert run(folder, Path("unused"), "--show", "--optimizer.lr=3e-4") is None
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["optimizer"]["lr"] == 3e-4
    assert shown["data"]["resize"] == "letterbox"


def test_checkpoints_hold_plain_values_only(finished):
    for path in (finished.best, finished.last):
        content = torch.load(path, weights_only=True)
        assert content["hyper_parameters"]["dataset"]["image_size"] == 32


def test_averaged_weights_are_kept(kind, folder, finished, tmp_path):
    averaged = run(folder, tmp_path, "--ema.decay=0.9")
    assert not same_weights(averaged.best, finished.best)
    assert json.loads(averaged.metrics.read_text())["test"]["image"][kind.metric]["value"] is not None


def test_fast_dev_run_goes_through(folder, tmp_path, capsys):
    run(folder, tmp_path, "--trainer.fast_dev_run=true")
    assert "nothing is evaluated" in capsys.readouterr().out


def test_mirrored_predictions_are_averaged(kind, folder, tmp_path):
    options = ["--trainer.max_epochs=1"]
    plain, flipped = (
        run(folder, tmp_path / "a", *options),
        run(folder, tmp_path / "b", *options, "--evaluation.flips=true"),
    )
    assert same_weights(plain.best, flipped.best)
    assert plain.predictions.read_bytes() != flipped.predictions.read_bytes()


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_weights_of_other_types_train_and_are_evaluated_again_alike(kind, folder, tmp_path, precision):
    finished = run(folder, tmp_path, f"--trainer.precision={precision}", "--trainer.max_epochs=1")
    types = {values.dtype for values in weights(finished.best).values() if values.is_floating_point()}
    assert types == {torch.bfloat16 if precision == "bf16-true" else torch.float64}
    before = finished.predictions.read_bytes()
    evaluate([str(finished.path)])
    assert finished.predictions.read_bytes() == before
