from pathlib import Path

import numpy as np
import pytest

from medvision.config.settings import SplitSettings
from medvision.datamodules.medmnist import MedMNIST
from medvision.errors import ConfigError, DataError
from tests.datamodules.reader_contract import ReaderContract


class TestMedMNIST(ReaderContract):
    name = "medmnist"
    patients = 40
    expected_classes = ["normal", "pneumonia"]  # noqa: RUF012
    has_patients = False
    columns = {"split"}  # noqa: RUF012

    def test_pixels_and_split_are_those_of_the_archive(self, root, prepared):
        with np.load(root / "pneumoniamnist.npz") as archive:
            pixels = prepared.read_pixels("pneumoniamnist.npz/val/1")
            np.testing.assert_array_equal(pixels, archive["val_images"][1])
            counts = {split: len(archive[f"{split}_labels"]) for split in ("train", "val", "test")}
        assert prepared.image_table["split"].value_counts().to_dict() == counts
        assert prepared.split_table()["split"].value_counts().to_dict() == counts


def archive(folder: Path, name: str = "bloodmnist.npz", **arrays: np.ndarray) -> Path:
    images, labels = np.zeros((2, 4, 4, 3), dtype=np.uint8), np.array([[0], [10]])
    parts = {f"{s}_{what}": a for s in ("train", "val", "test") for what, a in (("images", images), ("labels", labels))}
    np.savez(folder / name, **{**parts, **arrays})
    return folder


def test_unknown_sets_have_numbers_for_classes(tmp_path):
    table = MedMNIST(root=str(archive(tmp_path)), file="bloodmnist.npz").read_table()
    assert sorted(set(table["label"])) == ["00", "10"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"val_labels": np.zeros((2, 14))}, "has 14 labels an image, expected one"),
        ({"val_labels": np.zeros((3, 1))}, "3 labels of 2 images in val"),
    ],
)
def test_labels_that_do_not_fit(tmp_path, arrays, message):
    with pytest.raises((ConfigError, DataError), match=message):
        MedMNIST(root=str(archive(tmp_path, **arrays)), file="bloodmnist.npz").read_table()


def test_what_the_folder_has_instead(tmp_path):
    with pytest.raises(DataError, match="the folder has bloodmnist.npz"):
        MedMNIST(root=str(archive(tmp_path))).read_table()


@pytest.mark.parametrize("cut", [0, 10, 200])
def test_a_damaged_archive_is_one_plain_message(tmp_path, cut):
    file = archive(tmp_path) / "bloodmnist.npz"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(DataError, match="cannot be read as an .npz archive"):
        MedMNIST(root=str(tmp_path), file=file.name).read_table()


def test_an_archive_of_something_else(tmp_path):
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(DataError, match="no train_images, train_labels, .*; it has x"):
        MedMNIST(root=str(tmp_path), file="other.npz").read_table()


def test_the_real_archive(medvision_data):
    datamodule = MedMNIST(root=str(medvision_data / "medmnist"), split=SplitSettings(group="image"))
    table = datamodule.read_table()
    assert table["split"].value_counts().to_dict() == {"train": 4708, "val": 524, "test": 624}
    assert set(table["label"]) == {"normal", "pneumonia"}
