"""What datamodules with masks share, on drawn images."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from medvision.config.settings import SplitSettings
from medvision.data.masks import IGNORE
from medvision.datamodules.table import Table
from medvision.errors import ConfigError, DataError

CLASSES = {"0": "background", "1": "disc", "2": "bar"}


def draw(root: Path, sizes: list[tuple[int, int]], **columns: list) -> Path:
    """Images of given sizes with a bar of class 2, one pixel of class 1, and a corner of 9."""
    generator = np.random.default_rng(0)
    rows = []
    for number, (height, width) in enumerate(sizes):
        mask = np.zeros((height, width), np.uint8)
        mask[:, width // 2 : width // 2 + 4] = 2
        mask[height // 2, 1] = 1
        mask[:2, :2] = 9
        cv2.imwrite(str(root / f"{number}.png"), generator.integers(0, 255, (height, width), dtype=np.uint8))
        cv2.imwrite(str(root / f"{number}_mask.png"), mask)
        rows.append({"image": f"{number}.png", "drawn": f"{number}_mask.png", "patient": f"p{number}"})
    pd.DataFrame(rows).assign(**columns).to_csv(root / "labels.csv", index=False)
    return root


def read(root: Path, **settings: object) -> Table:
    defaults = {"label": None, "mask": "drawn", "mask_values": CLASSES, "ignore_value": 9, "image_size": 32}
    datamodule = Table(root=str(root), **{**defaults, **settings})
    datamodule.setup()
    return datamodule


SIZES = [(40, 60), (60, 40), (50, 50), (33, 70), (64, 64), (20, 90)]


@pytest.fixture
def root(tmp_path) -> Path:
    return draw(tmp_path, SIZES)


def test_masks_come_with_their_images(root):
    datamodule = read(root, batch_size=6)
    batch = next(iter(datamodule.train_dataloader()))
    assert "target" not in batch
    assert batch["mask"].dtype == torch.uint8
    assert set(batch["mask"].unique().tolist()) <= {0, 1, 2, IGNORE}
    # A letterboxed image has nothing to learn around it.
    for image, mask, row in zip(batch["image"], batch["mask"], batch["index"], strict=True):
        height, width = SIZES[int(row)]
        top = (32 - round(32 * height / max(height, width))) // 2
        assert (mask[:top] == IGNORE).all()
        assert (image[0, :top] == 0).all()
    assert datamodule.summary()["classes"] == []
    assert datamodule.summary()["mask_classes"] == ["background", "disc", "bar"]


def test_pixels_are_counted_as_the_network_sees_them(root):
    datamodule = read(root, resize="none")
    assert datamodule.count_pixels(np.array([0, 1])) == [2 * 2400 - 4 * 100 - 2 - 8, 2, 4 * 100]
    assert sum(read(root, image_size=64).count_pixels(np.array([4]))) == 64 * 64 - 4


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_maps_go_back_onto_the_original(root, fit):
    datamodule = read(root, resize=fit, image_size=64)
    for row, (height, width) in enumerate(SIZES):
        truth = datamodule.original_mask(row)
        assert truth.shape == (height, width)
        seen = datamodule.mask_pixels[row]
        maps = np.stack([seen == number for number in range(3)]).astype(np.float32)
        back = datamodule.to_original(row, maps).argmax(axis=0)
        bar = (back == 2) & (truth != IGNORE), truth == 2
        assert 2 * (bar[0] & bar[1]).sum() / (bar[0].sum() + bar[1].sum()) > 0.8


def test_images_that_keep_their_size(root):
    datamodule = read(root, resize="none", batch_size=4)
    batch = next(iter(datamodule.train_dataloader()))
    assert tuple(batch["image"].shape[1:]) == (1, 32, 32)
    assert tuple(batch["mask"].shape[1:]) == (32, 32)
    datamodule.predicted_split = "train"
    for whole in datamodule.predict_dataloader():
        assert tuple(whole["image"].shape) == (1, 1, *SIZES[int(whole["index"][0])])
    decoding = read(root, resize="none", cache=False)
    np.testing.assert_array_equal(datamodule.pixels[3], decoding.pixels[3])
    np.testing.assert_array_equal(datamodule.mask_pixels[3], decoding.mask_pixels[3])


def test_pixel_spacing_from_a_number_a_column_or_nowhere(tmp_path):
    draw(tmp_path, SIZES, mm=[0.1, 0.2, 0.1, 0.2, 0.1, 0.2])
    assert (read(tmp_path).unit, read(tmp_path).spacing_of(1)) == ("px", (1.0, 1.0))
    given, column = read(tmp_path, pixel_spacing=0.07), read(tmp_path, pixel_spacing="mm")
    assert (given.unit, given.spacing_of(1)) == ("mm", (0.07, 0.07))
    assert (column.unit, column.spacing_of(0), column.spacing_of(1)) == ("mm", (0.1, 0.1), (0.2, 0.2))


def test_dicom_files_say_their_spacing(root):
    dataset = pytest.importorskip("pydicom.dataset", reason="the extra `dicom` is not installed")
    uid = pytest.importorskip("pydicom.uid")
    table = pd.read_csv(root / "labels.csv")
    for number, (height, width) in enumerate(SIZES):
        file = dataset.Dataset()
        file.file_meta = dataset.FileMetaDataset()
        file.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = uid.SecondaryCaptureImageStorage
        file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = f"1.2.3.{number}"
        file.Rows, file.Columns, file.SamplesPerPixel = height, width, 1
        file.BitsAllocated = file.BitsStored = 8
        file.HighBit, file.PixelRepresentation, file.PhotometricInterpretation = 7, 0, "MONOCHROME2"
        file.PixelSpacing = [0.2, 0.1]
        file.PixelData = cv2.imread(str(root / f"{number}.png"), cv2.IMREAD_GRAYSCALE).tobytes()
        file.save_as(root / f"{number}.dcm", enforce_file_format=True)
    table.assign(image=[f"{k}.dcm" for k in range(6)]).to_csv(root / "labels.csv", index=False)
    datamodule = read(root)
    assert (datamodule.unit, datamodule.spacing_of(2)) == ("mm", (0.2, 0.1))
    table.assign(image=["0.png", *[f"{k}.dcm" for k in range(1, 6)]]).to_csv(root / "labels.csv", index=False)
    # One image of unknown spacing: pixels are the unit of all.
    assert read(root).unit == "px"


@pytest.mark.parametrize("wrong", ["0", "-1", "", "wide"])
def test_a_spacing_that_is_no_length(tmp_path, wrong):
    draw(tmp_path, SIZES, mm=["0.1", "0.2", wrong, "0.1", "0.1", "0.1"])
    with pytest.raises(DataError, match=r"data.pixel_spacing: column 'mm' must be a positive number.*2.png"):
        read(tmp_path, pixel_spacing="mm")


def test_masks_and_labels_together(tmp_path):
    draw(tmp_path, SIZES, kind=["a", "b"] * 3)
    datamodule = read(tmp_path, label="kind", batch_size=6)
    batch = next(iter(datamodule.train_dataloader()))
    assert set(batch) == {"image", "mask", "target", "index"}
    assert (datamodule.class_names, datamodule.mask_classes) == (["a", "b"], ["background", "disc", "bar"])


def test_a_row_without_a_mask(tmp_path):
    draw(tmp_path, SIZES, drawn=["", *[f"{k}_mask.png" for k in range(1, 6)]])
    with pytest.raises(DataError, match="1 images without a mask: 0.png"):
        read(tmp_path)
    assert len(read(tmp_path, on_bad_image="skip").image_table) == 5


def test_copies_with_other_masks_contradict_each_other(root):
    (root / "1.png").write_bytes((root / "0.png").read_bytes())
    cv2.imwrite(str(root / "1_mask.png"), np.zeros((40, 60), np.uint8))
    with pytest.raises(DataError, match="identical images with different masks: 0.png = 1.png"):
        read(root)
    assert len(read(root, on_bad_image="skip").image_table) == 4


def test_a_class_that_no_mask_shows(root):
    with pytest.raises(DataError, match="nerve"):
        read(root, mask_values={**CLASSES, "3": "nerve"})


def test_nothing_to_learn(root):
    with pytest.raises(ConfigError, match="nothing could be learned"):
        read(root, mask=None)


def test_a_split_by_label_needs_no_label(root):
    assert set(read(root, split=SplitSettings(stratify="label")).split_table()["split"]) == {"train", "val", "test"}


def test_the_split_table_holds_the_masks(root):
    table = read(root).split_table()
    assert list(table["mask"]) == [f"{k}_mask.png" for k in range(6)]
    assert table["mask_sha256"].str.len().eq(64).all()
    assert table["mask_sha256"].nunique() == 6


def test_names_that_the_prediction_table_needs(tmp_path):
    draw(tmp_path, SIZES, dice_bar=[1] * 6)
    with pytest.raises(DataError, match="has a column dice_bar, a name that the prediction table needs"):
        read(tmp_path)
    with pytest.raises(DataError, match="rename one, two would have the column area_true_disc"):
        read(tmp_path, mask_values={"0": "background", "1": "disc", "2": "true_disc"})
