from pathlib import Path

import cv2
import numpy as np
import pytest

from medvision.config.settings import SplitSettings
from medvision.datamodules.mask_folder import MaskFolder
from medvision.errors import ConfigError, DataError
from tests.datamodules.reader_contract import ReaderContract


class TestMaskFolder(ReaderContract):
    name = "mask_folder"
    images = 2
    parameters = {"patient_pattern": r"(?P<patient>[^/]+)_\d+\.png$"}  # noqa: RUF012
    expected_mask_classes = ("background", "foreground")
    published = False


def write(root: Path, files: dict[str, int], shape: tuple[int, int] = (16, 20)) -> Path:
    """Files by name, each with a square of a value; images are noise."""
    generator = np.random.default_rng(0)
    for name, value in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 255, shape, dtype=np.uint8)
        if value:
            pixels[:] = 0
            pixels[4:10, 4:10] = value
        cv2.imwrite(str(root / name), pixels)
    return root


def table(root: Path, **settings: object) -> dict[str, str]:
    read = MaskFolder(root=str(root), **settings).read_table()
    return dict(zip(read["image"], read["mask"], strict=True))


def test_several_masks_of_an_image_and_other_endings(tmp_path):
    write(tmp_path, {"images/a.jpg": 0, "images/a_1.png": 0, "masks/a.png": 1, "masks/a_2.png": 1, "masks/a_1.png": 1})
    assert table(tmp_path) == {"images/a.jpg": "masks/a.png|masks/a_2.png", "images/a_1.png": "masks/a_1.png"}


def test_subfolders_are_kept(tmp_path):
    write(tmp_path, {"images/p1/a.png": 0, "images/p2/a.png": 0, "masks/p1/a.png": 1, "masks/p2/a.png": 1})
    assert table(tmp_path) == {"images/p1/a.png": "masks/p1/a.png", "images/p2/a.png": "masks/p2/a.png"}


def test_images_and_masks_in_one_folder(tmp_path):
    write(tmp_path, {"all/x (1).png": 0, "all/x (1)_mask.png": 255, "all/x (1)_mask_1.png": 255})
    found = table(tmp_path, images="all", masks="all", mask_suffix="_mask")
    assert found == {"all/x (1).png": "all/x (1)_mask.png|all/x (1)_mask_1.png"}
    with pytest.raises(ConfigError, match="data.mask_suffix"):
        table(tmp_path, images="all", masks="all")


def test_a_folder_a_class(tmp_path):
    files = {f"images/{k}.png": 0 for k in range(6)} | {f"masks/fat/{k}.png": 255 for k in range(6)}
    write(tmp_path, files | {f"masks/bone/{k}.png": 7 for k in range(1, 6)})
    for k in range(1, 6):
        mask = np.zeros((16, 20), np.uint8)
        mask[12:, 12:] = 7
        cv2.imwrite(str(tmp_path / f"masks/bone/{k}.png"), mask)
    datamodule = MaskFolder(root=str(tmp_path), image_size=16, split=SplitSettings(group="image"))
    datamodule.setup()
    assert datamodule.mask_classes == ["background", "bone", "fat"]
    assert datamodule.image_table["mask"][0] == "fat=masks/fat/0.png"
    assert np.bincount(datamodule.original_mask(1).ravel()).tolist() == [320 - 36 - 32, 32, 36]


def test_every_image_needs_its_mask_and_every_mask_its_image(tmp_path):
    write(tmp_path, {"images/a.png": 0, "images/b.png": 0, "masks/a.png": 1, "masks/c.png": 1})
    with pytest.raises(DataError) as caught:
        table(tmp_path)
    assert "1 images (images/b.png) without a mask" in caught.value.lines[0]
    assert "1 masks (masks/c.png) without an image" in caught.value.lines[1]


def test_undeclared_values_are_counted_and_the_line_proposed(tmp_path):
    files = {f"images/{k}.png": 0 for k in range(6)} | {f"masks/{k}.png": 255 - (k == 0) for k in range(6)}
    write(tmp_path, files)
    settings = {"root": str(tmp_path), "image_size": 16, "split": SplitSettings(group="image")}
    with pytest.raises(DataError, match="255 in 5 masks .180 pixels"):
        MaskFolder(**settings, mask_values={"0": "background", "254": "fat"}).setup()
    joined = MaskFolder(**settings, mask_values={"0": "background", "254": "fat", "255": "fat"})
    joined.setup()
    assert joined.mask_classes == ["background", "fat"]


def test_a_mask_of_another_size_names_both(tmp_path):
    write(tmp_path, {f"images/{k}.png": 0 for k in range(6)} | {f"masks/{k}.png": 1 for k in range(6)})
    cv2.imwrite(str(tmp_path / "masks/3.png"), np.zeros((16, 21), np.uint8))
    settings = {"root": str(tmp_path), "image_size": 16, "split": SplitSettings(group="image")}
    with pytest.raises(DataError) as caught:
        MaskFolder(**settings).setup()
    (line, *_) = [line for line in caught.value.lines if "3.png" in line]
    assert "21" in line
    assert "20" in line
    skipping = MaskFolder(**settings, on_bad_image="skip")
    skipping.setup()
    assert list(skipping.skipped["image"]) == ["images/3.png"]
    assert len(skipping.image_table) == 5
