import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from medvision.datamodules.folder import Folder
from medvision.errors import ConfigError, DataError
from medvision.phantoms.sets import generate
from tests.datamodules.reader_contract import ReaderContract

PATTERN = r"(?P<patient>[^/]+)_\d+\.png$"


class TestFolder(ReaderContract):
    name = "folder"
    images = 2
    parameters = {"patient_pattern": PATTERN}  # noqa: RUF012
    expected_classes = ["broken", "intact"]  # noqa: RUF012
    published = False


def draw(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), np.full((4, 4), number, dtype=np.uint8))
    return root


def test_images_lie_at_any_depth_and_hidden_ones_are_ignored(tmp_path):
    draw(tmp_path, "a/p1_1.png", "a/deep/er/p2_1.PNG", "b/p3_1.jpg", "_old/p4_1.png", ".git/p5_1.png", "b/._p3_1.png")
    (tmp_path / "b" / "notes.txt").write_text("not an image")
    table = Folder(root=str(tmp_path)).read_table()
    assert list(table["image"]) == ["a/deep/er/p2_1.PNG", "a/p1_1.png", "b/p3_1.jpg"]
    assert list(table["label"]) == ["a", "a", "b"]
    assert "patient" not in table


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_split_folders_become_the_official_split(tmp_path, val):
    draw(tmp_path, "train/a/p1_1.png", f"{val}/a/p2_1.png", "testing/b/p3_1.png")
    table = Folder(root=str(tmp_path), patient_pattern=PATTERN).read_table()
    assert dict(zip(table["patient"], table["split"], strict=True)) == {"p1": "train", "p2": "val", "p3": "test"}
    assert set(table["label"]) == {"a", "b"}


def test_split_folders_beside_class_folders_are_refused(tmp_path):
    draw(tmp_path, "train/a/p1_1.png", "control/p2_1.png")
    with pytest.raises(DataError, match="train beside control; expected .*/train/<class>/<image>"):
        Folder(root=str(tmp_path)).read_table()


def test_a_split_without_class_folders_is_refused(tmp_path):
    draw(tmp_path, "train/a/p1_1.png", "test/p2_1.png")
    with pytest.raises(DataError, match="/test: no images in class folders"):
        Folder(root=str(tmp_path)).read_table()


def test_without_pattern_the_message_says_what_to_add(tmp_path):
    draw(tmp_path, "a/p1_1.png", "b/p2_1.png")
    with pytest.raises(DataError, match=r"patient_pattern.*split: \{group: image\}"):
        Folder(root=str(tmp_path)).setup()


def test_pattern_gives_patient_study_and_further_columns(tmp_path):
    draw(tmp_path, "a/p1-s2-L_1.png")
    pattern = r"(?P<patient>p\d+)-(?P<study>s\d+)-(?P<side>[LR])"
    table = Folder(root=str(tmp_path), patient_pattern=pattern).read_table()
    assert table.iloc[0].to_dict() == {
        "image": "a/p1-s2-L_1.png",
        "label": "a",
        "patient": "p1",
        "study": "s2",
        "side": "L",
    }


def test_images_that_do_not_match_are_listed(tmp_path):
    draw(tmp_path, "a/p1_1.png", *(f"b/other{n}.png" for n in range(7)))
    with pytest.raises(DataError, match=r"7 of 8 images \(b/other0.png, .*b/other4.png, …\) do not match"):
        Folder(root=str(tmp_path), patient_pattern=PATTERN).read_table()


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(", "no regular expression"), (r"p\d+", "no group"), ("(?P<patient>p)(?P<label>.)", "label may not be")],
)
def test_a_wrong_pattern_is_one_plain_message(tmp_path, pattern, message):
    draw(tmp_path, "a/p1_1.png")
    with pytest.raises(ConfigError, match=message):
        Folder(root=str(tmp_path), patient_pattern=pattern).read_table()


def test_frames_are_images_of_one_study(tmp_path):
    draw(tmp_path, "a/p1_1.png")
    pages = [Image.fromarray(np.full((4, 4), value, dtype=np.uint8)) for value in (1, 2, 3)]
    pages[0].save(tmp_path / "a" / "p2_1.tif", save_all=True, append_images=pages[1:])
    table = Folder(root=str(tmp_path), patient_pattern=r"(?P<patient>[^/]+)_\d+\.[a-z]+$").read_table()
    assert list(table["image"]) == ["a/p1_1.png", "a/p2_1.tif#0", "a/p2_1.tif#1", "a/p2_1.tif#2"]
    assert list(table["patient"]) == ["p1", "p2", "p2", "p2"]
    assert list(table["study"]) == ["a/p1_1.png", *["a/p2_1.tif"] * 3]


def test_dicom_without_a_suffix_is_found(tmp_path, medvision_data):
    pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
    (tmp_path / "a").mkdir()
    shutil.copyfile(medvision_data / "dicom" / "pydicom_CR_cspine_16x16.dcm", tmp_path / "a" / "IM0001")
    (tmp_path / "a" / "LICENSE").write_text("not an image")
    assert list(Folder(root=str(tmp_path)).read_table()["image"]) == ["a/IM0001"]


def test_a_damaged_file_is_reported_with_its_name(tmp_path):
    draw(tmp_path, *(f"{label}/p{n}{label}_1.png" for label in "ab" for n in range(8)))
    (tmp_path / "a" / "bad_1.tif").write_bytes(b"no image at all")
    with pytest.raises(DataError, match="bad_1.tif"):
        Folder(root=str(tmp_path), patient_pattern=r"(?P<patient>[^/]+)_\d+\.[a-z]+$").setup()


def test_the_positive_class_can_be_named(tmp_path):
    root = generate("folder", tmp_path / "set", patients=12)
    pattern = r"(?P<patient>[^/]+)_\d+\.png$"
    datamodule = Folder(root=str(root), image_size=32, patient_pattern=pattern, class_order=["intact", "broken"])
    datamodule.setup()
    assert datamodule.class_names == ["intact", "broken"]
    assert set(datamodule.image_table["label"][datamodule.targets == 1]) == {"broken"}
    with pytest.raises(DataError, match="labels 'broken' are none of the classes intact, bent"):
        Folder(root=str(root), patient_pattern=pattern, class_order=["intact", "bent"]).setup()
