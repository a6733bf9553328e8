"""Pictures inside a page: data URLs, small enough for a page that travels by mail."""

import base64
import io
from pathlib import Path

from PIL import Image

MOST_PICTURE_BYTES = 1_000_000
MOST_ANIMATION_BYTES = 3_000_000
_QUALITIES = (80, 65, 50, 35)
_LEAST_WIDTH = 200
_KINDS = {".webp": "image/webp", ".gif": "image/gif"}


def embed_picture(path: Path, width: int, most: int = MOST_PICTURE_BYTES) -> str:
    """A picture as the data URL of a JPEG.

    Args:
        path: of any kind that Pillow reads; of an animation its last frame is taken.
        width: in pixels, at most.
        most: bytes of the JPEG; quality and then size go down until it fits, to a width of 200 pixels.
    """
    with Image.open(path) as file:
        file.seek(getattr(file, "n_frames", 1) - 1)
        picture = file.convert("RGB")
    picture.thumbnail((width, 10 * picture.height))
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, optimize=True)
            if buffer.tell() <= most:
                return _data_url("image/jpeg", buffer.getvalue())
        if picture.width <= _LEAST_WIDTH:
            return _data_url("image/jpeg", buffer.getvalue())
        picture.thumbnail((max(_LEAST_WIDTH, int(0.8 * picture.width)), picture.height))


def choose_animation(*paths: Path) -> Path | None:
    """The first of some GIF or WebP files that is there and at most 3 MB large; None where none is."""
    return next((path for path in paths if path.is_file() and path.stat().st_size <= MOST_ANIMATION_BYTES), None)


def embed_animation(path: Path) -> str:
    """A GIF or WebP as a data URL, as it is."""
    return _data_url(_KINDS[path.suffix], path.read_bytes())


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
