import importlib.util

import numpy as np
import pytest

from medvision.answering.asked import find_images
from medvision.answering.dicom_seg import check_dicom_seg
from medvision.answering.model import Member
from medvision.answering.session import Extras, answer
from medvision.evaluation.operating_point import UNCHANGED
from tests.answering.fakes import Brightness, model

highdicom = pytest.importorskip("highdicom", reason="the extra dicom-seg")
pydicom = pytest.importorskip("pydicom", reason="the extra dicom")

FILES = [
    "wg04_RG3_JLSL.dcm",
    "wg04_US1_RLE.dcm",
    "pydicomdata_OBXXXX1A_rle_2frame.dcm",
    "pydicom_examples_ybr_color.dcm",
]


@pytest.mark.parametrize("name", FILES)
def test_a_segmentation_holds_the_mask_and_names_its_source(medvision_data, tmp_path, name):
    file = medvision_data / "dicom" / name
    asked = find_images(file)[-1:]
    made = model("maps", members=[Member(Brightness("maps", gain=8.0), UNCHANGED)])
    mask = answer(made, asked).images["mask"][0]
    answer(made, asked, output=tmp_path / "answers", extras=Extras(dicom_seg=True))
    (written,) = (tmp_path / "answers" / "dicom_seg").iterdir()
    source, found = pydicom.dcmread(file), highdicom.seg.segread(written)
    assert found.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.4"
    assert (found.PatientID, found.StudyInstanceUID) == (source.PatientID, source.StudyInstanceUID)
    np.testing.assert_array_equal(found.pixel_array.reshape(mask.shape), mask)
    assert mask.any()
    (segment,) = found.SegmentSequence
    assert (segment.SegmentLabel, segment.SegmentAlgorithmType) == ("light", "AUTOMATIC")
    (referenced,) = found.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert referenced.ReferencedSOPInstanceUID == source.SOPInstanceUID
    (plane,) = found.PerFrameFunctionalGroupsSequence
    (drawn_on,) = plane.DerivationImageSequence[0].SourceImageSequence
    assert drawn_on.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert drawn_on.ReferencedSOPClassUID == referenced.ReferencedSOPClassUID == source.SOPClassUID
    assert "1.2.840.10008.5.1.4.1.1.7" not in str(found)
    assert drawn_on.get("ReferencedFrameNumber") == source.get("NumberOfFrames"), "the last one"


def test_other_images_get_none(tmp_path):
    answer(model("maps"), find_images(np.zeros((4, 4), np.uint8)), output=tmp_path / "a", extras=Extras(dicom_seg=True))
    assert not (tmp_path / "a" / "dicom_seg").exists()


def test_without_the_extra_it_is_one_line(monkeypatch):
    assert check_dicom_seg() == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert check_dicom_seg() == ["--dicom-seg needs an extra: pip install 'medvision-lightning[dicom-seg]'"]


def test_a_header_that_lacks_something_is_listed(medvision_data, tmp_path):
    source = pydicom.dcmread(medvision_data / "dicom" / FILES[0])
    del source.PatientID
    source.save_as(tmp_path / "a.dcm")
    found = answer(model("maps"), find_images(tmp_path / "a.dcm"), output=tmp_path / "a", extras=Extras(dicom_seg=True))
    assert found.images.empty
    assert "a.dcm: no DICOM segmentation can be made of its header: " in found.skipped["reason"][0]
