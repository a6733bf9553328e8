import json
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EMAWeightAveraging
from sklearn.ensemble import RandomForestClassifier

from medvision import callbacks, fit
from medvision.config import load_experiment
from medvision.errors import ConfigError
from medvision.models import estimators
from medvision.runs import read_table
from medvision.tasks.baseline import BaselineTask
from medvision.training import build_datamodule
from tests.drawings import draw_folder
from tests.kinds import DATA, FILES, Kind, run, same_weights, write_experiment

OPTIMIZER, SCHEDULE = {"name": "adamw", "lr": 1e-3}, {"name": "none"}
SUMMARY = {
    "classes": ["single", "double"],
    "multilabel": False,
    "channels": 1,
    "image_size": 32,
    "train_counts": [30, 10],
    "train_images": 40,
}
KIND = Kind(
    draw=draw_folder,
    data={"name": "folder", **DATA},
    model={"task": "baseline", "features": ["edges", "intensity"], "estimator": "random_forest"},
    files=[*FILES, "decision.json", "cases.json"],
    history={"train/accuracy", "val/f1", "val/auroc"},
    columns=["target", "predicted", "p_class0"],
    classes=(["class0", "class1"], []),
    metric="accuracy",
)


def task(**settings):
    return BaselineTask(SUMMARY, OPTIMIZER, SCHEDULE, **settings)


@pytest.fixture(autouse=True, scope="module")
def few_trees():
    usual, estimators.TREES = estimators.TREES, 20
    yield
    estimators.TREES = usual


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("discs"), KIND)


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return run(folder, tmp_path_factory.mktemp("finished"))


def test_a_run_folder_holds_everything(finished):
    assert [name for name in KIND.files if not (finished.path / name).is_file()] == []
    history = read_table(finished.history)
    assert list(history["epoch"]) == [0, 1, 2]
    assert KIND.history | {"train/loss", "val/loss"} <= set(history)
    assert set(history["lr"]) == {0.0}
    assert json.loads(finished.environment.read_text())["model"] == {"parameters": 0, "trained_parameters": 0}


def test_measurements_of_all_images_are_in_a_table(finished, folder):
    features, split = read_table(finished.features), read_table(finished.split)
    names = task(features=["edges", "intensity"]).measured
    assert list(features.columns[-len(names) :]) == names
    assert list(features["image"]) == list(split["image"])
    assert list(features["split"]) == list(split["split"])
    datamodule = build_datamodule(load_experiment([finished.experiment], []))
    one = task(features=["edges", "intensity"]).measure(torch.from_numpy(datamodule.pixels[7].copy())[None, None])
    np.testing.assert_allclose(features.loc[7, names].to_numpy(float), one[0].numpy(), rtol=1e-6)


def test_the_report_names_no_neural_network(finished):
    page = finished.report.read_text(encoding="utf-8")
    assert "No deep learning, a classical baseline: a random forest on edges" in page
    assert "Deep learning: the neural network" not in page
    assert "random forest on edges and intensity" in page


def test_a_training_takes_one_pass_where_nothing_is_said(folder, tmp_path):
    (tmp_path / "short.yaml").write_text((folder / "discs.yaml").read_text().replace("max_epochs: 3", "devices: 1"))
    run_folder = fit.main([str(tmp_path / "short.yaml"), f"--output={tmp_path}"])
    assert list(read_table(run_folder.history)["epoch"]) == [0]


def test_the_gallery_says_that_there_are_no_maps(finished):
    cases = json.loads(finished.cases.read_text())
    assert {case["map"] for case in cases} == {None}
    assert all("no feature maps" in case["note"] for case in cases)


def test_one_pass_is_what_scikit_learn_says_of_the_training_images(folder, tmp_path):
    options = ["--trainer.max_epochs=1", "--data.augmentation=none", "--evaluation.temperature=false"]
    plain = run(folder, tmp_path, *options)
    datamodule = build_datamodule(load_experiment([plain.experiment], []))
    measured = task(features=["edges", "intensity"]).measure(
        torch.from_numpy(np.stack([datamodule.pixels[row] for row in range(len(datamodule.image_table))])).unsqueeze(1)
    )
    rows = {split: datamodule.assignment.rows(split) for split in ("train", "test")}
    # The order of the training images decides what each tree draws: forests that are large agree whatever it is.
    forest = RandomForestClassifier(400, random_state=0).fit(measured[rows["train"]], datamodule.targets[rows["train"]])
    found = read_table(plain.predictions).query("split == 'test'")
    names = datamodule.image_table["image"].iloc[rows["test"]]
    expected = dict(zip(names, forest.predict_proba(measured[rows["test"]]), strict=True))
    answers = np.array([expected[image][1] for image in found["image"]])
    assert np.corrcoef(answers, found["p_class1"])[0, 1] > 0.9
    assert np.abs(answers - found["p_class1"]).max() < 0.35


def test_a_killed_run_goes_on_and_ends_bit_identical(folder, finished, tmp_path, monkeypatch):
    saves = []

    def die_after_two(self, trainer):
        save(self, trainer)
        saves.append(trainer.current_epoch)
        if len(saves) == 2:
            raise RuntimeError("killed")

    save = callbacks.LastCheckpoint._save
    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", die_after_two)
    with pytest.raises(RuntimeError, match="killed"):
        run(folder, tmp_path)
    monkeypatch.setattr(callbacks.LastCheckpoint, "_save", save)
    resumed = fit.main(["--resume", "latest", f"--output={tmp_path}"])
    assert resumed.predictions.read_bytes() == finished.predictions.read_bytes()
    assert same_weights(resumed.last, finished.last)
    kept = torch.load(resumed.last, weights_only=True)["baseline"]
    assert [len(features) for features, _ in kept] == [(read_table(finished.split)["split"] == "train").sum()] * 3
    assert "baseline" not in torch.load(resumed.best, weights_only=True)


def test_augmented_passes_add_up(finished):
    (first, targets), (second, again), _ = torch.load(finished.last, weights_only=True)["baseline"]
    assert targets.sum() == again.sum()
    assert not torch.equal(first.sort(dim=0).values, second.sort(dim=0).values)


def test_workers_and_cache_change_no_bit(folder, finished, tmp_path):
    other = run(folder, tmp_path, "--data.num_workers=1", "--data.cache=false")
    assert other.predictions.read_bytes() == finished.predictions.read_bytes()
    assert same_weights(other.best, finished.best)


def test_mirrored_predictions_are_averaged():
    torch.manual_seed(0)
    model = task(features="intensity", estimator="logistic_regression")
    pixels = torch.randint(0, 256, (8, 1, 32, 32), dtype=torch.uint8)
    model.network.estimator.fit(model.network.features(pixels).numpy(), np.arange(8) % 2)
    left, right = (model.predict_rows(turned)["probabilities"] for turned in (pixels, pixels.flip(-1)))
    model.flips = True
    torch.testing.assert_close(model.predict_rows(pixels)["probabilities"], (left + right) / 2)
    assert not torch.equal(left, right)


def test_an_embedding_needs_no_weight_file_once_it_is_trained(folder, tmp_path):
    embedding = ["--model.features=embedding", "--model.backbone=two_layer_cnn", "--model.estimator=kmeans"]
    trained = run(folder, tmp_path, *embedding, "--trainer.max_epochs=1")
    state = torch.load(trained.best, weights_only=True)["state_dict"]
    assert {"network.features.embedder.mean", "network._extra_state"} <= set(state)
    assert len(read_table(trained.predictions)) == (read_table(trained.split)["split"] != "train").sum()


def test_a_trial_run_goes_through(folder, tmp_path, capsys):
    run(folder, tmp_path, "--trainer.fast_dev_run=true", "--data.batch_size=2")
    assert "nothing is evaluated" in capsys.readouterr().out


def test_several_classes_at_once():
    summary = {**SUMMARY, "classes": ["a", "b", "c"], "multilabel": True, "train_counts": [20, 10, 30]}
    model = BaselineTask(summary, OPTIMIZER, SCHEDULE, features="intensity", class_weights="balanced")
    assert model.network.estimator.class_weights.tolist() == [1, 3, pytest.approx(1 / 3)]
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (12, 1, 32, 32), dtype=torch.uint8, generator=generator)
    targets = torch.randint(0, 2, (12, 3), generator=generator)
    model.network.estimator.fit(model.network.features(pixels).numpy(), targets.numpy())
    assert model.predict_rows(pixels)["probabilities"].shape == (12, 3)
    assert torch.isfinite(model.compute_loss(model(pixels), {"target": targets.float()}))


def test_the_seed_of_the_experiment_decides_whatever_the_weights_are():
    seeds = []
    for settings in ({"features": "edges"}, {"features": "embedding", "backbone": "vgg_small"}):
        torch.manual_seed(5)
        seeds.append(task(**settings).network.estimator.seed)
    torch.manual_seed(6)
    assert seeds[0] == seeds[1] != task().network.estimator.seed


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": "embedding"}, "model.backbone: not given"),
        ({"features": []}, "an empty list"),
        ({"features": ["hog", "hog"]}, "model.features: hog more than once"),
        ({"backbone": "vgg_small"}, "model.backbone: nobody asks for it"),
        ({"pretrained": "weights.pt"}, "model.pretrained: nobody asks for it"),
        ({"estimator": "nearest_neighbours", "class_weights": "balanced"}, "neighbours vote with one voice each"),
        ({"class_weights": [1.0, 2.0, 3.0]}, "3 weights for 2 classes"),
    ],
)
def test_what_does_not_go_together_is_told(settings, message):
    with pytest.raises(ConfigError, match=message):
        task(**settings)


def test_images_without_labels_are_refused():
    with pytest.raises(ConfigError, match="no labels"):
        BaselineTask({**SUMMARY, "classes": []}, OPTIMIZER, SCHEDULE)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"devices": 2, "strategy": "ddp"}, "trainer.devices: 2"),
        ({"gradient_clip_val": 1.0}, "trainer.gradient_clip_val"),
        ({"accumulate_grad_batches": 2}, "trainer.accumulate_grad_batches"),
        ({"callbacks": [EMAWeightAveraging()]}, "ema"),
    ],
)
def test_what_only_gradients_can_do_is_refused(settings, named):
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    task().check_trainer(Trainer(max_epochs=1, **quiet))
    with pytest.raises(ConfigError, match=f"^{named}: a baseline is fitted on one device"):
        task().check_trainer(Trainer(max_epochs=1, **quiet, **settings))
