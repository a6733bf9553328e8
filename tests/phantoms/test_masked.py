from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medvision.phantoms import masked
from medvision.phantoms.files import MARK

# Of each set: its writer, patients, images of each, and the values of its masks.
SETS = {
    "tissue_ultrasound": (masked.write_tissue_ultrasound, 4, 2, {0, 1, 2}),
    "mask_folder": (masked.write_mask_folder, 4, 2, {0, 255}),
    "nerve_us": (masked.write_nerve_us, 12, 1, {0, 1, 2}),
    "fetal_head_us": (masked.write_fetal_head_us, 6, 2, {0, 1}),
    "lungs_xray": (masked.write_lungs_xray, 7, 2, {0, 1, 255}),
}
TABLES = {"nerve_us", "fetal_head_us", "lungs_xray"}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder and pairs (image, mask) of every set, drawn when it is asked for."""
    made: dict[str, tuple[Path, list[tuple[Path, Path]]]] = {}

    def draw(name):
        if name not in made:
            write, patients, images, _ = SETS[name]
            folder = tmp_path_factory.mktemp(name)
            write(folder, 0, patients, images)
            found = sorted((folder / "images").iterdir())
            made[name] = folder, [(image, folder / "masks" / f"{image.stem}.png") for image in found]
        return made[name]

    return draw


def values_of(mask):
    with Image.open(mask) as image:
        return np.asarray(image).copy()


@pytest.mark.parametrize("name", SETS)
def test_every_image_has_a_mask_of_its_size_with_the_declared_values(drawn, name):
    folder, pairs = drawn(name)
    assert sorted((folder / "masks").iterdir()) == sorted(mask for _, mask in pairs)
    values = set()
    for image_file, mask_file in pairs:
        with Image.open(image_file) as image, Image.open(mask_file) as mask:
            assert mask.size == image.size
            assert mask.mode == ("P" if name == "nerve_us" else "L")
            assert mask.info["Comment"] == MARK
            found = set(np.unique(np.asarray(mask)).tolist())
            assert len(found) > 1
            values |= found
    assert values == SETS[name][3]


@pytest.mark.parametrize("name", SETS)
def test_a_larger_set_begins_with_the_smaller_one(drawn, name, tmp_path):
    write, patients, images, _ = SETS[name]
    write(tmp_path, 0, patients - 1, images)
    few = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.suffix in (".png", ".jpg")]
    folder, pairs = drawn(name)
    assert 0 < len(few) < 2 * len(pairs)
    assert all((tmp_path / path).read_bytes() == (folder / path).read_bytes() for path in few)


@pytest.mark.parametrize("name", SETS)
def test_the_same_seed_draws_the_same_and_another_does_not(drawn, name, tmp_path):
    write, _, images, _ = SETS[name]
    for seed in (0, 1):
        write(tmp_path / str(seed), seed, 2, images)
    folder, _ = drawn(name)
    files = [
        path.relative_to(tmp_path / "0") for path in (tmp_path / "0").rglob("*") if path.suffix in (".png", ".jpg")
    ]
    assert len(files) == 4 * images
    for path in files:
        same, other = ((tmp_path / seed / path).read_bytes() for seed in "01")
        assert same == (folder / path).read_bytes() != other


@pytest.mark.parametrize("name", sorted(TABLES))
def test_columns_are_those_of_the_real_set(drawn, name, medvision_data):
    real = medvision_data / name / "labels.csv"
    if not real.is_file():
        pytest.skip(f"real images: {real} is absent")
    assert list(pd.read_csv(drawn(name)[0] / "labels.csv")) == list(pd.read_csv(real))


@pytest.mark.parametrize("name", sorted(TABLES))
def test_the_table_names_exactly_the_files(drawn, name):
    folder, pairs = drawn(name)
    table = pd.read_csv(folder / "labels.csv")
    named = sorted(zip(table["image"], table["mask"], strict=True))
    assert named == [tuple(file.relative_to(folder).as_posix() for file in pair) for pair in pairs]


def test_fat_of_a_mask_folder_is_the_fat_of_tissue_ultrasound(drawn):
    three, two = drawn("tissue_ultrasound")[1], drawn("mask_folder")[1]
    for (_, classes), (_, fat) in zip(three, two, strict=True):
        wanted = np.where(values_of(classes) == 1, 255, 0)
        np.testing.assert_array_equal(values_of(fat), wanted)


def test_nerves_come_in_three_sizes_in_grey_and_colour_and_some_without_vessels(drawn):
    _, pairs = drawn("nerve_us")
    forms = set()
    for image_file, _ in pairs:
        with Image.open(image_file) as image:
            forms.add((image.size, image.mode))
    assert forms == {((256, 256), "L"), ((267, 256), "RGB"), ((380, 316), "RGB")}
    assert [k for k, (_, mask) in enumerate(pairs) if not (values_of(mask) == 2).any()] == [7]


def test_a_nerve_picture_stands_twice_with_two_masks(tmp_path, monkeypatch):
    assert (masked.COPIED, masked.COPY) == (43, 77), "as in the real set"
    monkeypatch.setattr(masked, "COPIED", 1)
    monkeypatch.setattr(masked, "COPY", 3)
    masked.write_nerve_us(tmp_path, 0, 4, 1)
    first, second = (tmp_path / f"images/{k:04d}.png" for k in (1, 3))
    assert first.read_bytes() == second.read_bytes()
    one, two = (values_of(tmp_path / f"masks/{k:04d}.png") for k in (1, 3))
    assert one.shape == two.shape
    assert (one == 1).any()
    np.testing.assert_array_equal(np.where(one == 1, 0, one), two)


def test_head_circumferences_are_those_of_the_masks(drawn):
    """Against the length of the outline of each mask, which OpenCV smooths into an ellipse."""
    folder, _ = drawn("fetal_head_us")
    table = pd.read_csv(folder / "labels.csv")
    for row in table.itertuples():
        mask = cv2.imread(str(folder / row.mask), cv2.IMREAD_UNCHANGED)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        axes = np.array(cv2.fitEllipse(contours[0])[1]) / 2 + 0.5
        angle = np.linspace(0, 2 * np.pi, 2001)
        length = np.hypot(np.diff(axes[0] * np.cos(angle)), np.diff(axes[1] * np.sin(angle))).sum()
        assert length * row.pixel_size_mm == pytest.approx(row.ellipse_circumference_mm, rel=0.01)
    error = table["head_circumference_mm"] - table["ellipse_circumference_mm"]
    assert 0.3 < error.std() < 2
    assert abs(error.mean()) < 1.2


def test_some_heads_are_seen_twice(drawn):
    table = pd.read_csv(drawn("fetal_head_us")[0] / "labels.csv")
    assert table.groupby("patient").size().tolist() == [2, 2, 1, 2, 2, 1]
    spread = table.groupby("patient")["ellipse_circumference_mm"].agg(np.ptp) / table["ellipse_circumference_mm"].mean()
    assert spread.max() < 0.1, "both of the same head"


def test_films_have_every_finding_in_every_view(drawn):
    folder, _ = drawn("lungs_xray")
    table = pd.read_csv(folder / "labels.csv")
    assert len(table[["finding", "view"]].drop_duplicates()) == 4
    assert set(table["view"]) == {"PA", "AP Supine"}
    assert set(table["finding"]) == {"COVID-19", "No Finding"}
    assert (table.groupby("patient")[["finding", "view"]].nunique() == 1).all(axis=None)
