import shutil

import cv2
import numpy as np
import pytest

from medvision.application.data_at_hand import open_data
from medvision.config import load_experiment
from medvision.data.masks import IGNORE
from medvision.errors import DataError, ImageError
from medvision.runs import RunFolder, read_table, write_table
from tests.application.discs import trained


@pytest.fixture
def masks(tmp_path, tmp_path_factory):
    """A run for masks and its images, both copied, and its experiment."""
    return copied("segmentation", tmp_path, tmp_path_factory)


def copied(kind, tmp_path, factory):
    run, images = trained(kind, factory)
    shutil.copytree(run.path, tmp_path / "run")
    shutil.copytree(images, tmp_path / "images")
    run = RunFolder(tmp_path / "run")
    return run, tmp_path / "images", load_experiment([run.experiment], [f"--data.root={tmp_path / 'images'}"])


def test_an_image_and_its_mask_are_those_of_the_files(masks):
    run, root, experiment = masks
    data = open_data(run, experiment)
    table = read_table(run.predictions)
    row = table[table["split"] == "test"].iloc[0]
    image = data.image(row["image"])
    np.testing.assert_array_equal(image, cv2.imread(str(root / row["image"]), cv2.IMREAD_UNCHANGED))
    truth = data.truth(row["mask_true"], image.shape)
    np.testing.assert_array_equal(truth, cv2.imread(str(root / row["mask_true"]), cv2.IMREAD_UNCHANGED))
    assert not (truth == IGNORE).any()
    # The table counts the same pixels.
    assert [(truth == k).sum() for k in (1, 2)] == [row["area_true_disc"], row["area_true_bar"]]


def test_a_file_that_has_changed_is_not_shown(masks):
    run, root, experiment = masks
    row = read_table(run.predictions).iloc[0]
    size = open_data(run, experiment).image(row["image"]).shape
    cv2.imwrite(str(root / row["image"]), np.zeros(size, np.uint8))
    cv2.imwrite(str(root / row["mask_true"]), np.zeros(size, np.uint8))
    data = open_data(run, experiment)
    with pytest.raises(DataError, match="image is not the file that the run has seen") as told:
        data.image(row["image"])
    assert row["image"] not in str(told.value)
    with pytest.raises(DataError, match="mask is not the file"):
        data.truth(row["mask_true"], size)


def test_a_file_that_is_gone_is_told_of(masks):
    run, root, experiment = masks
    row = read_table(run.predictions).iloc[0]
    (root / row["image"]).unlink()
    (root / row["mask_true"]).unlink()
    data = open_data(run, experiment)
    with pytest.raises(DataError, match="image cannot be read: No such file"):
        data.image(row["image"])
    with pytest.raises((DataError, ImageError), match=r"cannot be read|no such file"):
        data.truth(row["mask_true"], (32, 40))


def test_a_data_set_that_is_gone_is_told_of(masks):
    run, root, experiment = masks
    shutil.rmtree(root)
    with pytest.raises(DataError, match="is no folder here"):
        open_data(run, experiment)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "images/../../secret.png"])
def test_names_that_lead_out_of_the_data_set_are_refused(masks, name, tmp_path):
    run, _, experiment = masks
    cv2.imwrite(str(tmp_path / "secret.png"), np.zeros((8, 8), np.uint8))
    split = read_table(run.split)
    split.loc[0, "image"] = name
    write_table(run.split, split)
    with pytest.raises(DataError, match="lead out of the folder"):
        open_data(run, experiment)


def test_names_that_the_run_does_not_list_are_not_read(masks, tmp_path):
    run, root, experiment = masks
    data = open_data(run, experiment)
    cv2.imwrite(str(root / "other.png"), np.zeros((8, 8), np.uint8))
    for name in ("other.png", "../secret.png"):
        with pytest.raises(DataError, match="no split of the run"):
            data.image(name)
        with pytest.raises(DataError, match="no split of the run"):
            data.truth(name, (8, 8))


def test_a_run_without_masks_has_no_true_one(tmp_path, tmp_path_factory):
    run, _, experiment = copied("classification", tmp_path, tmp_path_factory)
    data = open_data(run, experiment)
    name = read_table(run.predictions)["image"][0]
    assert data.image(name).shape == (32, 32)
    with pytest.raises(DataError, match="no split of the run"):
        data.truth(name, (32, 32))
