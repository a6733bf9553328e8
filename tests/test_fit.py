import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from medvision import callbacks, fit
from medvision.errors import ConfigError, DataError, RunError
from medvision.evaluate import main as evaluate
from medvision.runs import read_table
from tests.drawings import draw_folder

EXPERIMENT = {
    "name": "discs",
    "seed": 3,
    "data": {
        "name": "folder",
        "patient_pattern": "(?P<patient>[^/]+)_[0-9]+.png$",
        "image_size": 32,
        "batch_size": 8,
        "augmentation": "ultrasound",
    },
    "split": {"val": 0.2, "test": 0.2},
    "model": {"task": "classification", "backbone": "two_layer_cnn", "dropout": 0.2},
    "optimizer": {"lr": 0.01},
    "schedule": {"name": "plateau", "patience": 0},
    "trainer": {"max_epochs": 3, "accelerator": "cpu"},
    "evaluation": {"resamples": 50},
}
FILES = [
    "experiment.yaml",
    "environment.json",
    "split.csv",
    "checkpoints/best.ckpt",
    "checkpoints/last.ckpt",
    "preprocessing.json",
    "history.csv",
    "predictions.csv",
    "metrics.json",
    "report.html",
    "figures/training_batch.png",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("discs")
    draw_folder(root / "images")
    content = {**EXPERIMENT, "data": {**EXPERIMENT["data"], "root": str(root / "images")}}
    (root / "discs.yaml").write_text(yaml.safe_dump(content))
    return root


def run(folder: Path, output: Path, *options: str):
    return fit.main([str(folder / "discs.yaml"), f"--output={output}", *options])


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return run(folder, tmp_path_factory.mktemp("finished"))


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["state_dict"]


def same_weights(left: Path, right: Path) -> bool:
    a, b = weights(left), weights(right)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_folder_holds_everything(finished, capsys):
    assert [name for name in FILES if not (finished.path / name).is_file()] == []
    assert (finished.path.parent / "latest").resolve() == finished.path.resolve()
    history = pd.read_csv(finished.history)
    assert list(history["epoch"]) == [0, 1, 2]
    assert {"lr", "seconds", "train/loss", "train/accuracy", "val/loss", "val/f1", "val/auroc"} <= set(history)
    preprocessing = json.loads(finished.preprocessing.read_text())
    assert preprocessing["classes"] == ["class0", "class1"]
    assert (preprocessing["mean"], preprocessing["std"]) == ([0.5], [0.5])


def test_every_image_is_in_one_split_and_every_patient_too(finished):
    split = read_table(finished.split)
    assert len(split) == 36
    assert split.groupby("patient")["split"].nunique().max() == 1
    assert split["sha256"].str.len().eq(64).all()
    predictions = read_table(finished.predictions)
    held_out = split[split["split"] != "train"]
    assert sorted(predictions["image"]) == sorted(held_out["image"])
    assert list(predictions.columns[:7]) == ["image", "patient", "split", "fold", "target", "predicted", "p_class0"]


def test_metrics_have_value_interval_and_counts(finished):
    metrics = json.loads(finished.metrics.read_text())
    assert set(metrics) == {"val", "test"}
    entry = metrics["test"]["image"]["accuracy"]
    assert set(entry) >= {"value", "low", "high", "n", "patients"}
    predictions = read_table(finished.predictions).query("split == 'test'")
    assert entry["value"] == pytest.approx((predictions["target"] == predictions["predicted"]).mean())
    assert entry["patients"] == predictions["patient"].nunique()


def test_the_best_checkpoint_is_evaluated(finished):
    history = pd.read_csv(finished.history)
    metrics = json.loads(finished.metrics.read_text())
    assert metrics["val"]["image"]["log_loss"]["value"] == pytest.approx(history["val/loss"].min(), abs=1e-5)


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
    before, after = (pd.read_csv(r.history).drop(columns="seconds") for r in (finished, resumed))
    pd.testing.assert_frame_equal(before, after)


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


def test_evaluate_repeats_the_metrics(finished):
    before = json.loads(finished.metrics.read_text())
    predictions = finished.predictions.read_bytes()
    assert evaluate([str(finished.path), "--split", "test"]) == before["test"]
    assert sorted(finished.predictions.read_bytes().splitlines()) == sorted(predictions.splitlines())
    train = evaluate([str(finished.path), "--split", "train"])
    assert train["image"]["accuracy"]["n"] == (read_table(finished.split)["split"] == "train").sum()


def test_show_prints_what_runs(folder, capsys):
    assert run(folder, Path("unused"), "--show", "--optimizer.lr=3e-4") is None
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["optimizer"]["lr"] == 3e-4
    assert shown["data"]["resize"] == "letterbox"


def test_checkpoints_hold_plain_values_only(finished):
    for path in (finished.best, finished.last):
        content = torch.load(path, weights_only=True)
        assert content["hyper_parameters"]["dataset"]["classes"] == ["class0", "class1"]


def test_averaged_weights_are_kept(folder, finished, tmp_path):
    averaged = run(folder, tmp_path, "--ema.decay=0.9")
    assert not same_weights(averaged.best, finished.best)
    assert json.loads(averaged.metrics.read_text())["test"]["image"]["accuracy"]["value"] is not None


def test_fast_dev_run_goes_through(folder, tmp_path, capsys):
    run(folder, tmp_path, "--trainer.fast_dev_run=true")
    assert "nothing is evaluated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--data.root=/nowhere"], DataError, "data.root: /nowhere is no folder"),
        (["--data.patient_pattern=null"], DataError, "no column 'patient'.*data.patient_pattern"),
        (["--data.patient_pattern=(?P<patient>x)y"], DataError, "36 of 36 images .* do not match"),
        (["--split.fold=7"], ConfigError, "split.fold"),
        (["--early_stopping.monitor=val/f2"], ConfigError, "nothing is logged as 'val/f2'; did you mean 'val/f1'"),
        (["--model.class_weights=[1,2,3]"], ConfigError, "3 weights for 2 classes"),
        (["--model.backbone=resnet81"], Exception, "did you mean"),
    ],
)
def test_mistakes_are_told_before_a_run_folder_is_made(folder, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        run(folder, tmp_path, *options)
    assert not list(tmp_path.glob("*/*"))


def test_bad_images_are_all_listed_or_left_out(folder, tmp_path):
    draw_folder(tmp_path / "images")
    (tmp_path / "images" / "class0" / "broken_0.png").write_bytes(b"\x89PNG and then nothing")
    (tmp_path / "images" / "class1" / "empty_0.png").write_bytes(b"")
    options = [f"--data.root={tmp_path / 'images'}", "--trainer.max_epochs=1"]
    with pytest.raises(DataError) as caught:
        run(folder, tmp_path / "runs", *options)
    assert "broken_0.png" in str(caught.value)
    assert "empty_0.png" in str(caught.value)
    done = run(folder, tmp_path / "runs", *options, "--data.on_bad_image=skip")
    assert sorted(read_table(done.skipped)["image"]) == ["class0/broken_0.png", "class1/empty_0.png"]
    assert len(read_table(done.split)) == 36


def test_several_labels_at_once(folder, tmp_path):
    draw_folder(tmp_path / "images")
    files = sorted((tmp_path / "images").rglob("*.png"))
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "image": [file.relative_to(tmp_path).as_posix() for file in files],
            "patient": [file.stem.partition("_")[0] for file in files],
            "two": [int("class1" in str(file)) for file in files],
            "other": generator.integers(0, 2, len(files)),
        }
    )
    table.to_csv(tmp_path / "labels.csv", index=False)
    (tmp_path / "table.yaml").write_text(
        f"data: {{name: table, root: {tmp_path}, label: [two, other], image_size: 32, batch_size: 8}}\n"
    )
    done = fit.main([str(folder / "discs.yaml"), str(tmp_path / "table.yaml"), f"--output={tmp_path / 'runs'}"])
    predictions = read_table(done.predictions)
    assert set(predictions["target"]) <= {"", "two", "other", "two|other"}
    assert "p_other" in predictions
    assert "label_counts" in json.loads(done.metrics.read_text())["test"]["image"]
