"""What only runs of classification do."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medvision import fit
from medvision.errors import ConfigError, DataError
from medvision.runs import read_table
from tests.drawings import draw_folder
from tests.kinds import KINDS, run, write_experiment


@pytest.fixture(scope="module")
def classified(tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("classified"), KINDS["classification"])


def test_the_best_checkpoint_is_evaluated(classified, tmp_path):
    finished = run(classified, tmp_path, "--evaluation.temperature=false")
    history = pd.read_csv(finished.history)
    metrics = json.loads(finished.metrics.read_text())
    assert metrics["val"]["image"]["log_loss"]["value"] == pytest.approx(history["val/loss"].min(), abs=1e-5)


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


def test_labels_are_no_masks(classified, tmp_path):
    with pytest.raises(ConfigError, match="this data set has no masks"):
        run(classified, tmp_path, "--model.task=segmentation")
