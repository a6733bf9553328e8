"""Masks as DICOM segmentation objects (the extra `dicom-seg`: highdicom)."""

import importlib
import importlib.metadata
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medvision import DISTRIBUTION
from medvision.answering.asking import Answer
from medvision.answering.model import Model
from medvision.errors import ImageError
from medvision.reports.palette import class_colour

MAKER = "medvision"
SCHEME = "99MEDVISION"


def check_dicom_seg() -> list[str]:
    """What is missing for DICOM segmentations, a line each."""
    if importlib.util.find_spec("highdicom") is None:
        return [f"--dicom-seg needs an extra: pip install '{DISTRIBUTION}[dicom-seg]'"]
    return []


def save_dicom_seg(model: Model, answer: Answer, path: Path) -> None:
    """Write the mask of a DICOM image as a DICOM Segmentation (PS3.3 A.51), with a segment for each class.

    Patient and study are those of the source, which the object refers to by frame. The classes are named in a coding
    scheme of our own, as no standard code can be guessed from their names.

    Args:
        model: that has drawn the mask.
        answer: of a DICOM image, with its mask.
        path: the file.

    Raises:
        ImageError: the header of the source lacks what a segmentation must say.
    """
    mask = answer.record.pixels
    assert mask is not None, "an answer without a mask"
    try:
        segmentation = _segmentation(model, answer, mask)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ImageError(f"{answer.asked.name}: no DICOM segmentation can be made of its header: {reason}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    segmentation.save_as(part)
    part.replace(path)


def _segmentation(model: Model, answer: Answer, mask: npt.NDArray[np.uint8]) -> Any:
    pydicom, hd = importlib.import_module("pydicom"), importlib.import_module("highdicom")
    source = pydicom.dcmread(answer.asked.source, stop_before_pixels=True)
    kind, several = source.SOPClassUID, int(source.get("NumberOfFrames") or 1) > 1
    if several:
        # highdicom takes no single frame of several without positions in space, which ultrasound does not have: it is
        # shown an image of one frame, and the references are set right behind it.
        source.SOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
        del source.NumberOfFrames
    if source.get("PatientName") and "^" not in str(source.PatientName):
        # highdicom doubts a name of one part unless it is said to be the family name.
        source.PatientName = f"{source.PatientName}^"
    version = importlib.metadata.version(DISTRIBUTION)
    planes = np.stack([mask == number for number in range(1, len(model.mask_classes))], axis=-1)
    segmentation = hd.seg.Segmentation(
        source_images=[source],
        pixel_array=planes[None].astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_describe(hd, model, number, version) for number in range(1, len(model.mask_classes))],
        series_instance_uid=hd.UID(),
        series_number=1,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer=MAKER,
        manufacturer_model_name=model.name[:64],
        software_versions=version,
        device_serial_number=model.identity[:16],
        series_description="Segmentation, for research use only",
        omit_empty_frames=False,
    )
    if several:
        for item in segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence:
            item.ReferencedSOPClassUID = kind
        for item in _sources(segmentation):
            item.ReferencedSOPClassUID, item.ReferencedFrameNumber = kind, (answer.asked.frame or 0) + 1
    return segmentation


def _sources(segmentation: Any) -> Iterator[Any]:
    """Where each plane of a segmentation names the image that it was drawn on."""
    for plane in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in plane.DerivationImageSequence:
            yield from derivation.SourceImageSequence


def _describe(hd: Any, model: Model, number: int, version: str) -> Any:
    codes = importlib.import_module("pydicom.sr.codedict").codes
    name = model.mask_classes[number]
    lab = hd.color.CIELabColor.from_rgb(*class_colour(number)) if hasattr(hd.color.CIELabColor, "from_rgb") else None
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:64],
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=hd.sr.CodedConcept(f"CLASS{number}", SCHEME, name[:64]),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=f"{MAKER} {model.name}"[:64],
            version=version,
            family=importlib.import_module("pydicom.sr.codedict").codes.DCM.ArtificialIntelligence,
        ),
        display_color=lab,
    )
