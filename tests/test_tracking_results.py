import io
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import wandb
from PIL import Image

from medvision import tracking_results
from medvision.config.settings import Experiment
from medvision.data.masks import IGNORE
from medvision.datamodules.masked import MaskedDataModule
from medvision.reports.palette import palette_png
from medvision.runs import RunFolder, read_json, write_json, write_table
from medvision.tracking import current_run, finish, hash_name, wandb_logger
from medvision.tracking_results import best_values, log_results, score_values
from tests.wandb_server import WandbServer

HISTORY = pd.DataFrame(
    {
        "epoch": [0, 1, 2, 3],
        "lr": [0.1] * 4,
        "train/loss": [4.0, 3.0, 2.0, 1.0],
        "val/loss": [0.9, 0.5, np.nan, 0.5],
        "val/auroc": [0.6, 0.7, 0.9, np.nan],
    }
)
METRICS = {
    "val": {
        "image": {
            "auroc": {"value": 0.75, "low": 0.5, "high": 0.875, "n": 4, "patients": 2},
            "auroc_torn": {"value": 0.75, "low": 0.5, "high": 0.875, "n": 4, "patients": 2},
            "confusion_matrix": {"value": [[1, 1], [1, 1]], "classes": ["whole", "torn"], "n": 4},
        },
        "patient": {"auroc": {"value": None, "low": None, "high": None, "n": 2, "patients": 2}},
    }
}
TEST = {"image": {"auroc": {"value": 1.0, "low": None, "high": None, "n": 2, "patients": 1}}}
CLASSES = ["whole", "torn"]
PIXELS = np.arange(12 * 16, dtype=np.uint8).reshape(12, 16)


def experiment_of(**tracking):
    content = {"name": "knees", "data": {}, "model": {}, "tracking": {"wandb": "online", **tracking}}
    return Experiment.model_validate(content)


class Labelled:
    """As much of a datamodule as is asked for."""

    def __init__(self, names, *, simulated=False, multilabel=False):
        self.image_table = pd.DataFrame({"image": names})
        self.class_names, self.mask_classes = CLASSES, []
        self.simulated, self.multilabel = simulated, multilabel

    def read_pixels(self, image):
        return PIXELS + self.image_table["image"].tolist().index(image)


class Masked(MaskedDataModule):
    """The same with masks, of which one pixel is not scored."""

    class_names, mask_classes, multilabel, simulated = [], ["background", "fluid"], False, False

    def __init__(self, names):
        self.image_table = pd.DataFrame({"image": names})

    def read_pixels(self, image):
        return PIXELS

    def original_mask(self, row):
        mask = (PIXELS > 100).astype(np.uint8)
        mask[0, 0] = IGNORE
        return mask


@pytest.fixture
def server(tmp_path, monkeypatch):
    with WandbServer() as server:
        environment = server.environment(tmp_path / "home")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        for name in ("WANDB_MODE", "WANDB_SWEEP_ID", "MEDVISION_SWEEP"):
            monkeypatch.delenv(name, raising=False)
        yield server
        finish(1)


@pytest.fixture
def run(tmp_path):
    """An evaluated run with four validation images of two patients, one of them with no name."""
    run = RunFolder(tmp_path / "run")
    run.best.parent.mkdir(parents=True)
    write_table(run.history, HISTORY)
    write_json(run.metrics, METRICS)
    write_json(run.preprocessing, {"size": 224})
    names = [f"Smith_{number}.png" for number in range(4)]
    table = pd.DataFrame({"image": names, "patient": ["Smith", "Smith", "Jones", ""], "split": "val"})
    table["target"], table["predicted"] = ["whole", "torn", "torn", "torn"], ["whole", "whole", "torn", "torn"]
    write_table(run.predictions, table)
    weights = {"layer.weight": torch.arange(3.0)}
    torch.save({"state_dict": weights, "hyper_parameters": {"pretrained": "/home/anna/weights"}}, run.best)
    return run


def pictures(arrived, folder):
    """The pictures of a run, by their name, as arrays."""
    found = {name: content for name, content in arrived.files.items() if name.startswith(f"media/images/{folder}")}
    return {name: np.asarray(Image.open(io.BytesIO(content))) for name, content in found.items()}


def test_the_best_epoch_is_that_of_the_checkpoint():
    # The first of two equal losses, as ModelCheckpoint keeps it.
    assert best_values(HISTORY, "val/loss") == {"best/epoch": 1, "best/val/loss": 0.5, "best/val/auroc": 0.7}
    # What is undefined there is left out.
    assert best_values(HISTORY, "val/auroc") == {"best/epoch": 2, "best/val/auroc": 0.9}


def test_without_a_value_there_is_no_best_epoch():
    assert best_values(HISTORY, "val/dice") == {}
    assert best_values(HISTORY.assign(**{"val/loss": np.nan}), "val/loss") == {}
    assert best_values(HISTORY.iloc[:0], "val/loss") == {}


def test_scores_have_their_intervals_and_no_name_of_a_curve():
    expected = {"validation/auroc": 0.75, "validation/auroc_low": 0.5, "validation/auroc_high": 0.875}
    assert score_values(METRICS) == expected
    assert score_values({**METRICS, "test": TEST}) == {**expected, "test/auroc": 1.0}
    dice = {"image": {"dice": {"value": 0.5}}, "patient": {"dice": {"value": 0.25, "low": 0.125, "high": 0.5}}}
    assert score_values({"test": dice}) == {
        "test/dice": 0.5,
        "test/patient/dice": 0.25,
        "test/patient/dice_low": 0.125,
        "test/patient/dice_high": 0.5,
    }


def test_a_run_that_is_not_tracked_records_nothing(run):
    log_results(experiment_of(wandb="off"), run, Labelled([]))
    assert current_run() is None
    assert not run.tracking.exists()


def test_results_arrive_without_images_and_without_a_checkpoint(server, run):
    experiment = experiment_of()
    (logger,) = wandb_logger(experiment, run)
    logger.log_metrics({"val/auroc": 0.9}, step=3)
    log_results(experiment, run, Labelled([f"Smith_{number}.png" for number in range(4)]))
    assert current_run() is None
    (arrived,) = server.runs.values()
    assert arrived.exitcode == 0
    expected = best_values(HISTORY, "val/loss") | score_values(METRICS)
    assert {name: arrived.summary[name] for name in expected} == expected
    # What a sweep looks at stays the value of its curve.
    assert arrived.summary["val/auroc"] == 0.9
    # The picture of the confusion matrix, and no artifact: its manifest would tell the folder of the run.
    assert arrived.history[-1]["validation/confusion_matrix"]["caption"] == "images of the validation split"
    assert len(pictures(arrived, "")) == 1
    assert server.artifacts == {}
    assert b"Smith" not in server.everything()


def test_images_arrive_where_they_are_asked_for_under_hashed_names(server, run):
    experiment = experiment_of(images=True)
    wandb_logger(experiment, run)
    salt = read_json(run.tracking)["salt"]
    names = [f"Smith_{number}.png" for number in range(4)]
    log_results(experiment, run, Labelled(names, simulated=True))
    (arrived,) = server.runs.values()
    panel = arrived.history[-1]["validation/images"]
    smith, jones, unnamed = (hash_name(name, salt) for name in ("Smith", "Jones", "Smith_3.png"))
    assert panel["captions"] == [
        f"SIMULATED · patient {smith} · true: whole · predicted: whole",
        f"SIMULATED · patient {smith} · true: torn · predicted: whole",
        f"SIMULATED · patient {jones} · true: torn · predicted: torn",
        f"SIMULATED · image {unnamed} · true: torn · predicted: torn",
    ]
    shown = pictures(arrived, "validation")
    for number, name in enumerate(panel["filenames"]):
        assert np.array_equal(shown[name][..., 0], PIXELS + number)
    sent = server.everything()
    assert b"SIMULATED" in sent
    assert b"Smith" not in sent
    assert salt.encode() not in sent


def test_masks_lie_over_their_image(server, run):
    experiment = experiment_of(images=True)
    wandb_logger(experiment, run)
    predicted = (PIXELS > 50).astype(np.uint8)
    palette_png(predicted, run.path / "masks" / "one.png")
    table = pd.DataFrame({"image": ["Smith_0.png"], "patient": ["Smith"], "split": ["val"], "mask": ["masks/one.png"]})
    write_table(run.predictions, table)
    datamodule = Masked(["Smith_0.png"])
    log_results(experiment, run, datamodule)
    (arrived,) = server.runs.values()
    (masks,) = arrived.history[-1]["validation/images"]["all_masks"]
    shown = pictures(arrived, "mask")
    assert np.array_equal(shown[masks["truth"]["path"]], datamodule.original_mask(0))
    assert np.array_equal(shown[masks["prediction"]["path"]], predicted)


def test_a_large_image_is_sent_smaller(run, monkeypatch):
    write_json(run.tracking, {"salt": "salt"})
    datamodule = Labelled(["Smith_0.png"])
    monkeypatch.setattr(datamodule, "read_pixels", lambda image: np.zeros((600, 1200, 3), np.uint8))
    (image,) = tracking_results._images(run, datamodule, pd.DataFrame({"image": ["Smith_0.png"]}))
    assert image.image.size == (512, 256)


def test_the_confusion_matrix_is_that_of_the_last_split(run):
    datamodule = Labelled([], simulated=True)
    tested = {**METRICS, "test": {"image": METRICS["val"]["image"]}}
    (name, picture), *others = tracking_results._pictures(
        experiment_of(), run, datamodule, tested, pd.DataFrame()
    ).items()
    assert (name, picture._caption, others) == (
        "test/confusion_matrix",
        "SIMULATED · images of the test split",
        [],
    )
    # Of masks alone, and of several labels an image, there is none.
    assert tracking_results._pictures(experiment_of(), run, datamodule, {"val": {}}, pd.DataFrame()) == {}


def test_of_a_checkpoint_the_weights_arrive_alone(server, run):
    experiment = experiment_of(checkpoints=True)
    wandb_logger(experiment, run)
    log_results(experiment, run, Labelled([f"Smith_{number}.png" for number in range(4)]))
    (model,) = (artifact for artifact in server.artifacts.values() if artifact.type == "model")
    assert model.state == "COMMITTED"
    assert json.loads(model.files["preprocessing.json"]) == {"size": 224}
    weights = torch.load(io.BytesIO(model.files["best.ckpt"]), weights_only=True)
    assert list(weights) == ["state_dict"]
    assert torch.equal(weights["state_dict"]["layer.weight"], torch.arange(3.0))
    # Neither where the weights came from nor where they are.
    sent = server.everything()
    assert b"anna" not in sent
    assert str(run.path).encode() not in sent


def test_what_the_client_refuses_is_told_and_nothing_is_lost(run, monkeypatch, capsys):
    class Refusing:
        def __init__(self):
            self.summary = {}

        def log(self, values):
            raise wandb.Error("no room\nleft")

    ended = []
    monkeypatch.setattr(tracking_results, "current_run", Refusing)
    monkeypatch.setattr(tracking_results, "finish", ended.append)
    log_results(experiment_of(), run, SimpleNamespace(simulated=False))
    assert ended == [1]
    assert capsys.readouterr().out == "W&B: no room left; the run folder has everything\n"
