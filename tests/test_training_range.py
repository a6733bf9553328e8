import json

import numpy as np
import pandas as pd
import pytest

from medvision.config import load_experiment
from medvision.data.images import read_image
from medvision.evaluation.training_range import TrainingRange
from medvision.inference import load_best
from medvision.runs import RunFolder
from medvision.training import build_datamodule
from medvision.training_range import MOST, training_range, write_training_range
from tests.answering.fakes import Brightness
from tests.kinds import KINDS, run, write_experiment


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    done = run(root, root / "runs", "--trainer.max_epochs=1", "--evaluation.resamples=0")
    experiment = load_experiment([str(done.experiment)], [])
    return experiment, RunFolder(done.path), build_datamodule(experiment)


def test_the_training_split_says_what_training_images_are_like(trained):
    _, _, data = trained
    found = training_range(data, Brightness("features"))
    assert found.longer == (32, 32)
    assert found.proportions == (1, 1)
    assert found.storages == ("8-bit grey",)
    table = data.assignment.table
    means = {
        split: [read_image(data.file_of(name), 1).mean() / 255 for name in table["image"][table["split"] == split]]
        for split in ("train", "val")
    }
    assert found.features.mean[0] == pytest.approx(np.mean(means["train"]), rel=1e-4)
    assert found.features.images == len(means["train"]) + len(means["val"])


def test_a_network_that_tells_no_features_has_none(trained):
    assert training_range(trained[2], Brightness("probabilities")).features is None


def test_only_some_images_of_a_large_split_are_looked_at(trained, monkeypatch):
    monkeypatch.setitem(MOST, "train", 5)
    monkeypatch.setitem(MOST, "val", 2)
    assert training_range(trained[2], Brightness("features")).features.images == 7


def test_it_is_written_into_the_run_folder(trained):
    experiment, folder, data = trained
    task = load_best(experiment, folder, data)
    before = task.device
    write_training_range(experiment, folder, data, task)
    assert task.device == before
    found = TrainingRange.from_json(json.loads(folder.training_range.read_text()))
    assert found.features.farthest > 0
    assert np.isfinite(found.features.mean).all()
    assert folder.training_range.stat().st_size < 100_000


def test_tiles_are_measured_as_the_image_that_they_were_cut_from(trained, tmp_path):
    experiment, _, _ = trained
    images = tmp_path / "images"
    KINDS["classification"].draw(images, 12)
    for number, name in enumerate(("normal", "double_contour")):
        (images / f"class{number}").rename(images / name)
    settings = {"name": "double_contour", "root": str(images), "image_size": 16, "tiles": {"rows": 2, "columns": 2}}
    data = build_datamodule(experiment.model_copy(update={"data": settings}))
    assert set(pd.Series(data.inspection.heights)) == {16}
    assert training_range(data, Brightness("features")).longer == (32, 32)
