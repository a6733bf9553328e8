import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medvision.data.dicom import is_dicom
from medvision.data.images import frames_of, image_header, read_image
from medvision.errors import ImageError

pydicom = pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.pixels import apply_rescale, apply_voi_lut, pixel_array  # noqa: E402
from pydicom.sequence import Sequence  # noqa: E402
from pydicom.uid import ExplicitVRLittleEndian, generate_uid  # noqa: E402

REAL = Path(os.environ.get("MEDVISION_DATA") or Path(__file__).parents[3] / "shared" / "data") / "dicom"
needs_real_files = pytest.mark.skipif(not REAL.is_dir(), reason="MEDVISION_DATA has no folder `dicom`")
WITHOUT_PIXELS = "pydicom_chrJapMulti.dcm"


def write(path: Path, stored: np.ndarray, bits: int, tags: dict[str, Any] | None = None, signed: bool = False) -> Path:
    """Save a grey image, or several as frames, as an uncompressed DICOM file."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = generate_uid(entropy_srcs=[path.name])
    header.Modality, header.PhotometricInterpretation, header.SamplesPerPixel = "CR", "MONOCHROME2", 1
    header.Rows, header.Columns = stored.shape[-2:]
    header.BitsAllocated = 8 * stored.dtype.itemsize
    header.BitsStored, header.HighBit, header.PixelRepresentation = bits, bits - 1, int(signed)
    if stored.ndim == 3:
        header.NumberOfFrames = len(stored)
    for name, value in (tags or {}).items():
        setattr(header, name, value)
    header.PixelData = stored.tobytes()
    header.save_as(path, enforce_file_format=True)
    return path


def table(data: np.ndarray, first: int, keyword: str) -> Sequence:
    item = Dataset()
    item.LUTDescriptor = [len(data), first, 16]
    setattr(item, keyword, "made for a test")
    item["LUTData"] = pydicom.DataElement(0x00283006, "OW", data.astype("<u2").tobytes())
    return Sequence([item])


@pytest.fixture
def ramp() -> np.ndarray:
    return np.arange(4096, dtype=np.uint16).reshape(64, 64)


def test_window_is_scaled_to_its_range(tmp_path: Path, ramp: np.ndarray) -> None:
    path = write(tmp_path / "a.dcm", ramp, 12, {"WindowCenter": [1000.5, 9], "WindowWidth": [1001, 9]})
    expected = np.clip((ramp - 500.0) / 1000, 0, 1) * 255
    assert np.abs(read_image(path, 1) - expected).max() <= 0.501


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_agree_with_pydicom(tmp_path: Path, ramp: np.ndarray, function: str) -> None:
    rescale = {"RescaleSlope": 2, "RescaleIntercept": -1024, "RescaleType": "HU"}
    window = {"WindowCenter": 300, "WindowWidth": 2500, "VOILUTFunction": function}
    path = write(tmp_path / "a.dcm", ramp, 12, rescale | window)
    header = pydicom.dcmread(path)
    seen = apply_voi_lut(apply_rescale(header.pixel_array, header), header)
    expected = (seen + 1024) / (2 * 4095) * 255
    assert np.abs(read_image(path, 1) - expected).max() <= 0.55


def test_monochrome1_is_inverted_after_the_window(tmp_path: Path, ramp: np.ndarray) -> None:
    window = {"WindowCenter": 1000, "WindowWidth": 1000}
    plain = read_image(write(tmp_path / "a.dcm", ramp, 12, window), 1)
    inverted = read_image(write(tmp_path / "b.dcm", ramp, 12, window | {"PhotometricInterpretation": "MONOCHROME1"}), 1)
    np.testing.assert_array_equal(inverted, 255 - plain)
    assert inverted[0, 0] == 255


def test_a_voi_lut_comes_before_the_window_and_is_scaled_by_its_own_range(tmp_path: Path, ramp: np.ndarray) -> None:
    lut = table(np.linspace(1000, 3000, 2048), 1024, "LUTExplanation")
    path = write(tmp_path / "a.dcm", ramp, 12, {"VOILUTSequence": lut, "WindowCenter": 5, "WindowWidth": 5})
    expected = np.clip((ramp - 1024.0) / 2047, 0, 1) * 255
    assert np.abs(read_image(path, 1) - expected).max() <= 0.65


def test_a_modality_lut_comes_first(tmp_path: Path, ramp: np.ndarray) -> None:
    lut = table(np.arange(4096)[::-1] * 2, 0, "LUTExplanation")
    lut[0].ModalityLUTType = "US"
    path = write(tmp_path / "a.dcm", ramp, 12, {"ModalityLUTSequence": lut, "WindowCenter": 4096, "WindowWidth": 8192})
    seen = read_image(path, 1)
    assert seen[0, 0] == 255
    assert seen[-1, -1] == 0


@pytest.mark.parametrize("signed", [False, True])
def test_without_a_window_the_stored_bits_count(tmp_path: Path, signed: bool) -> None:
    stored = np.linspace(0, 1500, 400).astype(np.int16 if signed else np.uint16).reshape(20, 20)
    seen = read_image(write(tmp_path / "a.dcm", stored, 12, signed=signed), 1)
    expected = (stored + 2048.0 * signed) / 4095 * 255
    assert np.abs(seen - expected).max() <= 0.501


def test_where_nothing_would_be_visible_the_own_range_counts(tmp_path: Path) -> None:
    dark = np.linspace(100, 1100, 400).astype(np.uint16).reshape(20, 20)
    expected = (dark - 100.0) / 1000 * 255
    for name, bits, tags in (("a", 16, {}), ("b", 12, {"WindowCenter": 3000, "WindowWidth": 100})):
        assert np.abs(read_image(write(tmp_path / name, dark, bits, tags), 1) - expected).max() <= 0.501
    faint = np.array([[0, 1, 2, 3]], np.uint8)  # a dark frame of 8 bits stays dark
    np.testing.assert_array_equal(read_image(write(tmp_path / "c", faint, 8), 1), faint)


@pytest.mark.parametrize("width", [0, -5, 1, ""])
def test_a_window_that_is_none_is_left_out(tmp_path: Path, ramp: np.ndarray, width: Any) -> None:
    path = write(tmp_path / "a.dcm", ramp, 12, {"WindowCenter": 40, "WindowWidth": width})
    assert np.abs(read_image(path, 1) - ramp / 4095 * 255).max() <= 0.501


def test_enhanced_objects_keep_the_window_in_groups(tmp_path: Path) -> None:
    def group(centre: float) -> Dataset:
        voi, item = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = centre, 101
        item.FrameVOILUTSequence = Sequence([voi])
        return item

    stored = np.full((2, 8, 8), 120, np.uint16)
    stored[:, 0] = [[100], [100]]
    tags = {"PerFrameFunctionalGroupsSequence": Sequence([group(150.5), group(90.5)])}
    path = write(tmp_path / "a.dcm", stored, 12, tags)
    assert read_image(path, 1, 0)[4, 4] == 51
    assert read_image(path, 1, 1)[4, 4] == 204


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (5, 9, 8), dtype=np.uint8)
    path = write(tmp_path / "no_suffix", stored, 8)
    assert frames_of(path) == 5
    assert image_header(path) == (8, 9, "DICOM")
    for number, frame in enumerate(stored):
        np.testing.assert_array_equal(read_image(path, 1, number), frame)
    np.testing.assert_array_equal(read_image(path, 1), stored[0])
    with pytest.raises(ImageError, match="no_suffix: has no frame 5, its 5 frames are counted from 0"):
        read_image(path, 1, 5)


def test_what_cannot_be_decoded_names_file_and_transfer_syntax(tmp_path: Path, ramp: np.ndarray) -> None:
    path = write(tmp_path / "video.dcm", ramp, 12)
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    header["PixelData"] = pydicom.DataElement(0x7FE00010, "OB", pydicom.encaps.encapsulate([b"\0\0\0\1"]))
    header["PixelData"].is_undefined_length = True
    header.save_as(path, enforce_file_format=True)
    with pytest.raises(ImageError, match=r"video\.dcm: cannot be decoded, transfer syntax MPEG-4 .*4\.102\)[^\n]*$"):
        read_image(path, 1)


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, ramp: np.ndarray, part: float) -> None:
    path = write(tmp_path / "a.dcm", ramp, 12)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ImageError, match=r"^[^\n]*a\.dcm: [^\n]*$"):
        read_image(path, 1)


def test_what_is_no_image(tmp_path: Path, ramp: np.ndarray) -> None:
    (tmp_path / "a.dcm").write_bytes(b"no preamble" * 50)
    assert not is_dicom(tmp_path / "a.dcm")
    with pytest.raises(ImageError, match=r"a\.dcm: not a DICOM file"):
        read_image(tmp_path / "a.dcm", 1)
    path = write(tmp_path / "report.dcm", ramp, 12, {"Modality": "SR"})
    assert is_dicom(path)
    header = pydicom.dcmread(path)
    del header.PixelData, header.Rows, header.Columns
    header.save_as(path, enforce_file_format=True)
    with pytest.raises(ImageError, match=r"report\.dcm: DICOM without an image \(modality SR\)"):
        read_image(path, 1)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path, ramp: np.ndarray) -> None:
    path = write(tmp_path / "a.dcm", ramp, 12, {"Rows": 60_000, "Columns": 60_000})
    with pytest.raises(ImageError, match="60000 x 60000 pixels, the limit is 80 megapixels"):
        read_image(path, 1)


def test_a_missing_extra_is_one_line(tmp_path: Path, ramp: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.dcm", ramp, 12)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r"a\.dcm: .* pip install 'medvision-lightning\[dicom\]'$"):
        read_image(path, 1)


@needs_real_files
def test_every_real_file_is_read_or_refused_in_one_line() -> None:
    with (REAL / "dicom_table.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (REAL / row["file"]).exists()]
    assert rows
    for row in rows:
        path = REAL / row["file"]
        if row["file"] == WITHOUT_PIXELS:
            with pytest.raises(ImageError, match=rf"{WITHOUT_PIXELS}: [^\n]*no pixel data[^\n]*$"):
                read_image(path, 1)
            continue
        colour, grey = read_image(path, 3), read_image(path, 1)
        assert colour.shape == (int(row["rows"]), int(row["cols"]), 3)
        assert frames_of(path) == int(row["frames"])
        assert np.ptp(grey) > 40, row["file"]
        is_grey = row["photometric"].startswith("MONOCHROME")
        assert not is_grey or (colour == grey[..., None]).all()


@needs_real_files
@pytest.mark.parametrize("name", ["J2KR", "JLSL", "JPLL"])
def test_lossless_kinds_give_the_same_pixels(name: str) -> None:
    reference = read_image(REAL / "wg04_RG3_RLE.dcm", 1)
    np.testing.assert_array_equal(read_image(REAL / f"wg04_RG3_{name}.dcm", 1), reference)


@needs_real_files
def test_colour_kinds_give_the_same_pixels() -> None:
    for first, second in (("wg04_US1_UNC", "wg04_US1_RLE"), ("wg04_US1_UNC", "wg04_US1_J2KR"),
                          ("pydicomdata_color-pl", "pydicomdata_color-px")):  # fmt: skip
        np.testing.assert_array_equal(read_image(REAL / f"{first}.dcm", 3), read_image(REAL / f"{second}.dcm", 3))
    np.testing.assert_array_equal(read_image(REAL / "wg04_US1_UNC.dcm", 3), pixel_array(REAL / "wg04_US1_UNC.dcm"))


@needs_real_files
def test_bone_is_bright_whatever_the_photometric_interpretation() -> None:
    leg, stored = read_image(REAL / "wg04_RG3_RLE.dcm", 1), pixel_array(REAL / "wg04_RG3_RLE.dcm")
    bone, air = (slice(790, 810), slice(900, 920)), (slice(790, 810), slice(520, 540))
    assert stored[bone].mean() < stored[air].mean()
    assert leg[bone].mean() > 130 > 70 > leg[air].mean()
