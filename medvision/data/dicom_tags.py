"""The few tags of a DICOM file that may enter an image table, with pseudonyms for patient and study."""

import hashlib
from pathlib import Path
from typing import Any, TypedDict

from medvision.data.dicom import finite_numbers, read_header, understood

CENTIMETRES = 3  # (0018,6024) Physical Units X Direction
TWO_DIMENSIONAL = 1  # (0018,6012) Region Spatial Format

_TABLE_TAGS = [
    *("PatientID", "StudyInstanceUID", "Modality", "BodyPartExamined", "PixelSpacing", "ImagerPixelSpacing"),
    *("SequenceOfUltrasoundRegions", "BurnedInAnnotation"),
]


class DicomTags(TypedDict):
    """What leaves a DICOM header, and nothing else does. None stands for what the file does not say.

    This is no de-identification after DICOM PS3.15: text burned into the pixels stays there.

    Attributes:
        patient: pseudonym of PatientID.
        study: pseudonym of StudyInstanceUID.
        modality: such as `US` or `CR`.
        body_part: in capitals, such as `KNEE`.
        row_mm: distance of two rows in mm.
        column_mm: distance of two columns in mm.
        burned_in: whether the file says that names or other text are part of the picture.
    """

    patient: str | None
    study: str | None
    modality: str | None
    body_part: str | None
    row_mm: float | None
    column_mm: float | None
    burned_in: bool | None


def dicom_tags(path: Path, salt: str = "") -> DicomTags:
    """Read the few tags that a table needs; names, dates and all the rest of the header stay in the file.

    Args:
        path: the file.
        salt: kept secret by whoever makes the table. Without it a short PatientID is found by trying them all.

    Raises:
        ImageError: the file is no DICOM.
    """
    with understood(path):
        header = read_header(path, _TABLE_TAGS)
        row, column = _spacing(header)
        burned_in = _text(header.get("BurnedInAnnotation"))
        return DicomTags(
            patient=pseudonym(_text(header.get("PatientID")), salt),
            study=pseudonym(_text(header.get("StudyInstanceUID")), salt),
            modality=_text(header.get("Modality")),
            body_part=_text(header.get("BodyPartExamined")),
            row_mm=row,
            column_mm=column,
            burned_in={"YES": True, "NO": False}.get(burned_in or ""),
        )


def pseudonym(identifier: str | None, salt: str = "") -> str | None:
    """The first 16 hexadecimal digits of the SHA-256 of an identifier; None stays None.

    >>> pseudonym("77654033")
    '18fcdf9f22dda6bc'
    """
    return None if identifier is None else hashlib.sha256(f"{salt}{identifier}".encode()).hexdigest()[:16]


def _text(value: Any) -> str | None:
    return str(value).strip() or None if value is not None else None


def _spacing(header: Any) -> tuple[float | None, float | None]:
    """Distances of rows and of columns in mm: of the patient, else of the detector, else of an ultrasound region."""
    for name in ("PixelSpacing", "ImagerPixelSpacing"):
        spacing = finite_numbers(header.get(name))
        if len(spacing) == 2 and min(spacing) > 0:
            return spacing[0], spacing[1]
    for region in header.get("SequenceOfUltrasoundRegions") or []:
        spacing = finite_numbers([region.get("PhysicalDeltaY"), region.get("PhysicalDeltaX")])
        flat = region.get("RegionSpatialFormat") == TWO_DIMENSIONAL
        if flat and region.get("PhysicalUnitsXDirection") == CENTIMETRES and len(spacing) == 2 and min(spacing) > 0:
            return 10 * spacing[0], 10 * spacing[1]
    return None, None
