import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from medvision import callbacks, fit
from medvision.errors import ConfigError, DataError, RunError
from medvision.evaluate import main as evaluate
from medvision.mask_scoring import read_saved_mask
from medvision.runs import read_table
from tests.drawings import draw_folder, draw_masks

SHARED = {
    "name": "discs",
    "seed": 3,
    "split": {"val": 0.2, "test": 0.2},
    "optimizer": {"lr": 0.01},
    "schedule": {"name": "plateau", "patience": 0},
    "trainer": {"max_epochs": 3, "accelerator": "cpu"},
    "evaluation": {"resamples": 50},
}
DATA = {
    "patient_pattern": "(?P<patient>[^/]+)_[0-9]+.png$",
    "image_size": 32,
    "batch_size": 8,
    "augmentation": "ultrasound",
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


@dataclass(frozen=True)
class Kind:
    """A task with data drawn for it, and what its runs leave behind."""

    draw: Callable[[Path], Path]
    data: dict[str, Any]
    model: dict[str, Any]
    files: list[str]
    history: set[str]
    columns: list[str]
    classes: tuple[list[str], list[str]]
    metric: str


KINDS = {
    "classification": Kind(
        draw=draw_folder,
        data={"name": "folder", **DATA},
        model={"task": "classification", "backbone": "two_layer_cnn", "dropout": 0.2},
        files=FILES,
        history={"train/accuracy", "val/f1", "val/auroc"},
        columns=["target", "predicted", "p_class0"],
        classes=(["class0", "class1"], []),
        metric="accuracy",
    ),
    "segmentation": Kind(
        draw=draw_masks,
        data={
            "name": "mask_folder",
            **DATA,
            "augmentation": "ultrasound_elastic",
            "mask_values": {0: "background", 1: "disc", 2: "bar"},
        },
        model={"task": "segmentation", "architecture": "unet", "encoder": "tu-test_resnet"},
        files=[*FILES, "frames/images.npz", "figures/panels.png", "figures/training.gif", "figures/training.webp"],
        history={"train/dice", "val/dice", "val/iou"},
        columns=["mask", "unit", "dice_disc"],
        classes=([], ["background", "disc", "bar"]),
        metric="dice",
    ),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request) -> Kind:
    return KINDS[request.param]


def write_experiment(root: Path, kind: Kind) -> Path:
    kind.draw(root / "images")
    content = {**SHARED, "data": {**kind.data, "root": str(root / "images")}, "model": kind.model}
    (root / "discs.yaml").write_text(yaml.safe_dump(content))
    return root


@pytest.fixture(scope="module")
def folder(kind, tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("discs"), kind)


@pytest.fixture(scope="module")
def classified(tmp_path_factory) -> Path:
    """For what only classification knows."""
    return write_experiment(tmp_path_factory.mktemp("classified"), KINDS["classification"])


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


def test_the_best_checkpoint_is_evaluated(classified, tmp_path):
    finished = run(classified, tmp_path)
    history = pd.read_csv(finished.history)
    metrics = json.loads(finished.metrics.read_text())
    assert metrics["val"]["image"]["log_loss"]["value"] == pytest.approx(history["val/loss"].min(), abs=1e-5)


def test_saved_masks_are_those_of_the_table(tmp_path):
    finished = run(write_experiment(tmp_path, KINDS["segmentation"]), tmp_path / "runs", "--trainer.max_epochs=8")
    table = read_table(finished.predictions)
    truths = [cv2.imread(str(tmp_path / "images" / name), cv2.IMREAD_UNCHANGED) for name in table["mask_true"]]
    masks = [read_saved_mask(finished.path / name) for name in table["mask"]]
    for truth, mask, dice, area in zip(truths, masks, table["dice_disc"], table["area_disc"], strict=True):
        assert mask.shape == truth.shape == (32, 40)
        assert area == (mask == 1).sum()
        overlap = 2 * ((mask == 1) & (truth == 1)).sum() / ((mask == 1).sum() + (truth == 1).sum())
        assert dice == pytest.approx(overlap)
    assert table["dice_disc"].mean() > 0.5
    assert set(table["unit"]) == {"px"}


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
        (["--data.resize=none"], ConfigError, "data.resize: none is for masks"),
    ],
)
def test_mistakes_are_told_before_a_run_folder_is_made(classified, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        run(classified, tmp_path, *options)
    assert not list(tmp_path.glob("*/*"))


def test_bad_images_are_all_listed_or_left_out(classified, tmp_path):
    draw_folder(tmp_path / "images")
    (tmp_path / "images" / "class0" / "broken_0.png").write_bytes(b"\x89PNG and then nothing")
    (tmp_path / "images" / "class1" / "empty_0.png").write_bytes(b"")
    options = [f"--data.root={tmp_path / 'images'}", "--trainer.max_epochs=1"]
    with pytest.raises(DataError) as caught:
        run(classified, tmp_path / "runs", *options)
    assert "broken_0.png" in str(caught.value)
    assert "empty_0.png" in str(caught.value)
    done = run(classified, tmp_path / "runs", *options, "--data.on_bad_image=skip")
    assert sorted(read_table(done.skipped)["image"]) == ["class0/broken_0.png", "class1/empty_0.png"]
    assert len(read_table(done.split)) == 36


def test_several_labels_at_once(classified, tmp_path):
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
    done = fit.main([str(classified / "discs.yaml"), str(tmp_path / "table.yaml"), f"--output={tmp_path / 'runs'}"])
    predictions = read_table(done.predictions)
    assert set(predictions["target"]) <= {"", "two", "other", "two|other"}
    assert "p_other" in predictions
    assert "label_counts" in json.loads(done.metrics.read_text())["test"]["image"]
