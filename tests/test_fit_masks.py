"""What only runs with masks do."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from medvision import fit
from medvision.errors import MedvisionError
from medvision.evaluate import main as evaluate
from medvision.mask_scoring import read_saved_mask
from medvision.runs import read_table
from tests.kinds import KINDS, run, write_experiment


@pytest.fixture(scope="module")
def segmented(tmp_path_factory) -> Path:
    return write_experiment(tmp_path_factory.mktemp("segmented"), KINDS["segmentation"])


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


def test_large_images_are_predicted_window_by_window(segmented, tmp_path):
    done = run(segmented, tmp_path, "--data.resize=none", "--data.image_size=24", "--trainer.max_epochs=1")
    table = read_table(done.predictions)
    assert {read_saved_mask(done.path / name).shape for name in table["mask"]} == {(32, 40)}
    assert json.loads(done.preprocessing.read_text())["resize"] == "none"
    again = evaluate([str(done.path)])
    assert again == json.loads(done.metrics.read_text())["test"]


def test_masks_and_labels_at_once(segmented, tmp_path):
    images = sorted((segmented / "images" / "images").glob("*.png"))
    bars = [cv2.imread(str(file.parents[1] / "masks" / file.name), cv2.IMREAD_UNCHANGED).max() == 2 for file in images]
    table = pd.DataFrame({"image": [f"images/{file.name}" for file in images]})
    table["outline"] = table["image"].str.replace("images/", "masks/")
    table["kind"], table["patient"] = np.where(bars, "with bar", "without"), [f.stem.partition("_")[0] for f in images]
    table.to_csv(segmented / "images" / "labels.csv", index=False)
    (tmp_path / "both.yaml").write_text(
        f"data: {{name: table, root: {segmented / 'images'}, mask: outline, label: kind, image_size: 32,\n"
        "  batch_size: 8, mask_values: {0: background, 1: disc, 2: bar}}\n"
        "model: {task: multitask, encoder: tu-test_resnet, class_weights: balanced}\n"
        "split: {val: 0.3, test: 0.3}\n"
        "trainer: {max_epochs: 2}\n"
    )
    done = fit.main([str(segmented / "discs.yaml"), str(tmp_path / "both.yaml"), f"--output={tmp_path / 'runs'}"])
    predictions = read_table(done.predictions)
    assert {"target", "predicted", "p_with bar", "p_without", "dice_disc", "mask_true"} <= set(predictions)
    entries = json.loads(done.metrics.read_text())["test"]["image"]
    assert {"auroc", "accuracy", "dice", "hd95_bar"} <= set(entries)
    assert {"val/dice", "val/auroc"} <= set(pd.read_csv(done.history))
    assert "Dice" in done.report.read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model.architecture=unett"], "no architecture 'unett'; did you mean 'unet'"),
        (["--model.encoder=test_resnet"], "did you mean 'tu-test_resnet'"),
        (["--model.class_weights=[1,2]"], "2 weights for 3 classes"),
        (["--checkpoint.monitor=val/dyce"], "did you mean 'val/dice'"),
        (["--data.mask_values={0: background, 1: disc}"], r"{0: background, 1: disc, 2: class2}: 2 in \d+ masks"),
        (["--data.pixel_spacing=mm"], "no column 'mm'"),
        (["--model.task=classification"], "this data set has no labels"),
    ],
)
def test_mistakes_with_masks_are_told_before_a_run_folder_is_made(segmented, tmp_path, options, words):
    with pytest.raises(MedvisionError, match=words):
        run(segmented, tmp_path, *options)
    assert not list(tmp_path.glob("*/*"))
