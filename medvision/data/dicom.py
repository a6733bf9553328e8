"""Pixels of a DICOM file (the extra `dicom`: pydicom and python-gdcm).

Grey values go through these steps, in this order:

1. stored values of one frame, decompressed;
2. modality LUT or rescale slope and intercept;
3. the VOI: its first LUT, scaled by the LUT's own range, or else its first window, scaled by the window; without either
   the whole range of the stored bits; where that leaves deep pixels (more than 8 bits) fewer than 32 grey values apart,
   or a window leaves a single one, the image's own minimum and maximum;
4. MONOCHROME1 is inverted, which pydicom leaves to its caller.

Warnings of pydicom about odd files are left to be shown. Overlay planes are not drawn.
"""

import importlib.util
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from medvision.data.pixels import check_size, scale_own_range, scale_range
from medvision.errors import ImageError

DICOM_SUFFIXES = (".dcm", ".dicom")
VISIBLE_SPAN = 32
DEFLATED = "1.2.840.10008.1.2.1.99"
INFLATED_LIMIT = 2**28
"""Bytes that a deflated file may unfold into: pydicom inflates it as a whole, and a small file may be gigabytes."""

_PALETTE = [
    f"{prefix}{colour}PaletteColorLookupTable{what}"
    for colour in ("Red", "Green", "Blue")
    for prefix, what in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
]
_PIXEL_TAGS = [
    *("Modality", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"),
    *("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", *_PALETTE),
]


def has_magic(file: BinaryIO) -> bool:
    """Whether an open file is DICOM by its content; the suffix does not count. The position moves."""
    file.seek(0)
    return file.read(132)[128:] == b"DICM"


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content.

    Raises:
        ImageError: the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            return has_magic(file)
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened: {error.strerror or error}") from error


def frames_of(path: Path) -> int:
    """Number of frames; no pixel is decoded.

    Raises:
        ImageError: the file is no DICOM image.
    """
    with understood(path):
        return _count_frames(path, read_header(path, _PIXEL_TAGS))


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a frame in pixels; none is decoded.

    Raises:
        ImageError: the file is no DICOM image.
    """
    with understood(path):
        return _size(path, read_header(path, _PIXEL_TAGS))


def read_pixels(path: Path, frame: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode one frame into what a viewer shows first.

    Args:
        path: the file.
        frame: counted from 0; None reads the first.

    Returns:
        (H, W) uint8 for grey, (H, W, 3) RGB uint8 for colour and palettes.

    Raises:
        ImageError: in one line with the transfer syntax, why the file cannot be decoded.
    """
    with understood(path):
        header = read_header(path, _PIXEL_TAGS)
        check_size(path, *_size(path, header))
        index, count = frame or 0, _count_frames(path, header)
    if index >= count:
        raise ImageError(f"{path}: has no frame {index}, its {count} frames are counted from 0")
    pixels = _module(path, "pydicom.pixels")
    try:
        with path.open("rb") as file:
            # Deflated files have no offsets: they must be inflated as a whole. All others give up one frame alone.
            whole = _module(path, "pydicom").dcmread(file) if _syntax(header) == DEFLATED else file
            stored = pixels.pixel_array(whole, index=index)
        _lift_functional_groups(header, index)
        photometric = header.get("PhotometricInterpretation", "MONOCHROME2")
        if photometric == "PALETTE COLOR":
            return _eight_bits(pixels.apply_color_lut(stored, header), 16)
        if stored.ndim == 3:
            return _eight_bits(stored, int(header.get("BitsStored", 8)))
        grey = _grey(pixels, stored, header)
        return 255 - grey if photometric == "MONOCHROME1" else grey
    except Warning:
        raise
    except Exception as error:
        raise ImageError(_undecodable(path, header, error)) from error


def _module(path: Path, name: str) -> ModuleType:
    # pydicom is an extra, and is imported only where a DICOM file is met
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImageError(f"{path}: is DICOM, which needs an extra: pip install 'medvision-lightning[dicom]'") from error


def read_header(path: Path, tags: list[str]) -> Any:
    """The named tags of a file, and no others, as a pydicom data set.

    Raises:
        ImageError: the file is no DICOM, is damaged, or the extra is missing.
    """
    pydicom = _module(path, "pydicom")
    with understood(path):
        _check_inflated(path)
        try:
            # Opened here, not by pydicom: a file in memory has no path for it.
            with path.open("rb") as file:
                return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
        except pydicom.errors.InvalidDicomError as error:
            raise ImageError(f"{path}: not a DICOM file: no `DICM` after the first 128 bytes") from error


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn whatever pydicom raises where a damaged element is looked at, which may be late, into one line."""
    try:
        yield
    except (ImageError, Warning):
        raise
    except Exception as error:
        raise ImageError(f"{path}: damaged or truncated DICOM: {_one_line(error)[:200]}") from error


def _check_inflated(path: Path) -> None:
    """Refuse a deflated file that unfolds into more than `INFLATED_LIMIT`."""
    filereader = _module(path, "pydicom.filereader")
    with path.open("rb") as file:
        if not has_magic(file):
            return
        # Group 2, which is never deflated, says how the rest is written; reading stops behind it.
        meta = filereader.read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
        if meta.get("TransferSyntaxUID") != DEFLATED:
            return
        inflate, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while part := inflate.unconsumed_tail or file.read(2**20):
            size += len(inflate.decompress(part, 2**20))
            if size > INFLATED_LIMIT:
                raise ImageError(
                    f"{path}: unfolds into more than {INFLATED_LIMIT // 2**20} MiB; save it without deflate"
                )
            if inflate.eof:
                return


def _syntax(header: Any) -> Any:
    return header.file_meta.get("TransferSyntaxUID", "")


def _size(path: Path, header: Any) -> tuple[int, int]:
    if not header.get("Rows") or not header.get("Columns"):
        raise ImageError(f"{path}: DICOM without an image (modality {header.get('Modality', 'unknown')})")
    return int(header.Columns), int(header.Rows)


def _count_frames(path: Path, header: Any) -> int:
    try:
        return max(1, int(header.get("NumberOfFrames") or 1))
    except (TypeError, ValueError) as error:
        raise ImageError(f"{path}: damaged DICOM: NumberOfFrames is not a number") from error


def _undecodable(path: Path, header: Any, error: Exception) -> str:
    syntax = _syntax(header)
    name = f"{getattr(syntax, 'name', syntax)} ({syntax})" if syntax else "unknown"
    advice = ""
    if importlib.util.find_spec("gdcm") is None:
        advice = "; pip install 'medvision-lightning[dicom]' adds decoders"
    return f"{path}: cannot be decoded, transfer syntax {name}: {_one_line(error)}{advice}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _lift_functional_groups(header: Any, index: int) -> None:
    """Copy rescale and window to where plain objects have them: enhanced ones keep them in groups."""
    groups = list(header.get("SharedFunctionalGroupsSequence") or [])[:1]
    groups += list(header.get("PerFrameFunctionalGroupsSequence") or [])[index : index + 1]
    for group in groups:
        for sequence in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(sequence) or []:
                header.update(item)


def _grey(pixels: ModuleType, stored: npt.NDArray[Any], header: Any) -> npt.NDArray[np.uint8]:
    """Steps 2 and 3 of the module's list."""
    values = pixels.apply_rescale(stored, header)
    if values.dtype == np.float64 and stored.dtype.itemsize <= 2:
        values = values.astype(np.float32)  # exact enough for 16 bits, and half the memory
    if header.get("VOILUTSequence"):
        return _scale_by_table(header.VOILUTSequence[0].LUTData, pixels.apply_voi(values, header))
    window = _window(header)
    if window is not None:
        seen = _through_window(values, *window)
        return scale_own_range(values) if seen.min() == seen.max() else seen
    if stored.dtype.kind == "f":
        return scale_own_range(values)
    bits, signed = int(header.get("BitsStored", 8)), bool(header.get("PixelRepresentation", 0))
    ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] if signed else [0, 2**bits - 1]).astype(stored.dtype)
    ends = pixels.apply_rescale(ends, header)
    seen = scale_range(values, float(ends.min()), float(ends.max()))
    return scale_own_range(values) if bits > 8 and np.ptp(seen) < VISIBLE_SPAN else seen


def _scale_by_table(table: Any, values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale what a look-up table put out by the range of the table, which is the same for all images."""
    entries = np.frombuffer(table, "<u2") if isinstance(table, bytes) else np.asarray(table)
    return scale_range(values, float(entries.min()), float(entries.max()))


def _window(header: Any) -> tuple[float, float, str] | None:
    centre, width = (finite_numbers(header.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if not centre or not width or width[0] <= 1:
        return None
    return centre[0], width[0], str(header.get("VOILUTFunction") or "LINEAR")


def _through_window(values: npt.NDArray[Any], centre: float, width: float, function: str) -> npt.NDArray[np.uint8]:
    """The three functions of DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3, with 255 as the largest output."""
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values.astype(np.float32) - centre) / width, -80, 80)
        return scale_range(1 / (1 + np.exp(exponent)), 0, 1)
    if function == "LINEAR_EXACT":
        return scale_range(values, centre - width / 2, centre + width / 2)
    return scale_range(values, centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def _eight_bits(colour: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    if colour.dtype != np.uint8 and colour.max() > 255:
        colour = colour >> (bits - 8)
    return colour.astype(np.uint8)


def finite_numbers(value: Any) -> list[float]:
    """The numbers of a decimal string, which may hold one, several, none or nonsense (then none)."""
    several = value if hasattr(value, "__iter__") and not isinstance(value, str) else [value]
    try:
        return [float(number) for number in several if number is not None and np.isfinite(float(number))]
    except (TypeError, ValueError):
        return []
