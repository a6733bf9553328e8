import shutil

import pytest

from medvision.datamodules.knee_sections import KneeSections
from medvision.errors import DataError
from medvision.phantoms.sets import generate
from tests.datamodules.reader_contract import ReaderContract


class TestKneeSections(ReaderContract):
    name = "knee_sections"
    patients = 8
    expected_classes = ["SQR", "Medial", "Lateral", "Femoral"]  # noqa: RUF012
    published = False


@pytest.fixture
def root(tmp_path):
    return generate("knee_sections", tmp_path / "knees", patients=1, images=1)


def test_patient_is_what_stands_before_the_last_underscore(root):
    (root / "SQR" / "p000_1.png").rename(root / "SQR" / "clinic_a_12_left_3.png")
    assert "clinic_a_12_left" in set(KneeSections(root=str(root)).read_table()["patient"])


def test_a_foreign_and_an_absent_folder_are_named_together(root):
    (root / "Medial").rename(root / "medial")
    with pytest.raises(DataError, match=r"medial is no class; no folder Medial; expected <SQR\|Medial\|"):
        KneeSections(root=str(root)).read_table()


def test_a_file_name_without_patient_is_named(root):
    shutil.copyfile(root / "SQR" / "p000_1.png", root / "SQR" / "scan.png")
    with pytest.raises(DataError, match=r"1 of 5 images \(SQR/scan.png\) do not say the patient; expected"):
        KneeSections(root=str(root)).read_table()


def test_empty_class_folders(tmp_path):
    for section in KneeSections.classes:
        (tmp_path / section).mkdir()
    with pytest.raises(DataError, match="hold no images"):
        KneeSections(root=str(tmp_path)).read_table()
