"""How an image file stores its pixels, in words."""

from pathlib import Path

from medvision.data.dicom import read_header
from medvision.data.images import image_header

_MODES = {"1": "1-bit grey", "L": "8-bit grey", "LA": "8-bit grey", "I": "32-bit grey", "F": "floating-point grey"}
_TAGS = ["BitsStored", "SamplesPerPixel", "PhotometricInterpretation"]


def storage_of(path: Path) -> str:
    """Bit depth, and grey or colour, such as `8-bit grey`, `16-bit grey` or `8-bit colour`; no pixel is decoded.

    What a grey image stored with three channels holds is not looked at: it is `8-bit colour`.

    Raises:
        ImageError: the file is no image, or its header cannot be read.
    """
    mode = image_header(path)[2]
    if mode == "DICOM":
        header = read_header(path, _TAGS)
        colour = header.get("SamplesPerPixel", 1) != 1 or header.get("PhotometricInterpretation") == "PALETTE COLOR"
        return f"{header.get('BitsStored', 8)}-bit {'colour' if colour else 'grey'}"
    if mode.startswith("I;16"):
        return "16-bit grey"
    return _MODES.get(mode, "8-bit colour")
