from pathlib import Path
from typing import Any

import pytest

from medvision.data.dicom_tags import dicom_tags, pseudonym
from medvision.errors import ImageError

pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian


def write(path: Path, tags: dict[str, Any]) -> Path:
    """Save a DICOM file that holds nothing but these tags."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.3.4"
    header.Modality = "CR"
    for name, value in tags.items():
        setattr(header, name, value)
    header.save_as(path, enforce_file_format=True)
    return path


def test_only_the_listed_tags_leave_the_header(tmp_path: Path) -> None:
    secrets = {"PatientName": "Doe^Jane", "PatientBirthDate": "19700101", "PatientAddress": "Elm Street"}
    tags = {"PatientID": " 4711 ", "StudyInstanceUID": "1.2.3", "BodyPartExamined": "KNEE", "BurnedInAnnotation": "NO"}
    path = write(tmp_path / "a.dcm", secrets | tags | {"PixelSpacing": [0.2, 0.1]})
    found = dicom_tags(path)
    assert found == {
        "patient": pseudonym("4711"), "study": pseudonym("1.2.3"), "modality": "CR", "body_part": "KNEE",
        "row_mm": 0.2, "column_mm": 0.1, "burned_in": False,
    }  # fmt: skip
    assert not any(value in str(found) for value in ("4711", "1.2.3", *secrets.values()))
    assert dicom_tags(path, salt="x")["patient"] != found["patient"]


def test_what_the_file_does_not_say_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", {"PatientID": "  ", "PixelSpacing": [0, 0], "BurnedInAnnotation": ""})
    found = dict(dicom_tags(path))
    assert found.pop("modality") == "CR"
    assert set(found.values()) == {None}


def test_spacing_of_the_detector_and_of_an_ultrasound_region(tmp_path: Path) -> None:
    path = write(tmp_path / "a.dcm", {"ImagerPixelSpacing": [0.14, 0.15]})
    assert (dicom_tags(path)["row_mm"], dicom_tags(path)["column_mm"]) == (0.14, 0.15)
    trace, flat = Dataset(), Dataset()
    for region, kind, units in ((trace, 3, 4), (flat, 1, 3)):
        region.RegionSpatialFormat, region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection = kind, units, units
        region.PhysicalDeltaX, region.PhysicalDeltaY = 0.01 * kind, 0.02 * kind
    path = write(tmp_path / "b.dcm", {"SequenceOfUltrasoundRegions": Sequence([trace, flat])})
    assert (dicom_tags(path)["row_mm"], dicom_tags(path)["column_mm"]) == pytest.approx((0.2, 0.1))


def test_what_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"no preamble" * 50)
    with pytest.raises(ImageError, match=r"a\.dcm: not a DICOM file"):
        dicom_tags(tmp_path / "a.dcm")
