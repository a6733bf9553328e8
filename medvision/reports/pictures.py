"""Pictures inside a page: data URLs that share what a page may weigh, as it travels by mail."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

# The rest is for all other pictures.
ANIMATION_SHARE = 0.5
_QUALITIES = (80, 65, 50, 35)
_LEAST_SIDE = 64
_KINDS = {".webp": "image/webp", ".gif": "image/gif", ".jpg": "image/jpeg"}
_JPEG = _KINDS[".jpg"]


def share_budget(sizes: Sequence[int], budget: int) -> int:
    """The largest size that each may have so that all together keep to the budget; the small ones stay as they are.

    Args:
        sizes: what each would take.
        budget: for all of them.

    >>> share_budget([10, 100, 200], 400)
    200
    >>> share_budget([10, 100, 200], 110)
    50
    """
    left = budget
    for place, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - place)
        if size > share:
            return max(share, 0)
        left -= size
    return max(sizes, default=0)


def embed_pictures(pictures: Mapping[str, tuple[Path, int]], budget: int) -> dict[str, str]:
    """Pictures as data URLs of JPEGs that together keep to a budget; the largest ones give way first.

    Args:
        pictures: {name: (file, width in pixels at most)}; of an animation its last frame is taken.
        budget: characters of all URLs. Of fewer than some thousands a picture no size is small enough.

    Returns:
        {name: URL}.
    """
    urls = {name: embed_picture(path, width) for name, (path, width) in pictures.items()}
    most = share_budget([len(url) for url in urls.values()], budget)
    for name, (path, width) in pictures.items():
        if len(urls[name]) > most:
            urls[name] = embed_picture(path, width, most)
    return urls


def embed_picture(path: Path, width: int, most: int | None = None) -> str:
    """A picture as the data URL of a JPEG; a JPEG that fits is taken as it is.

    Args:
        path: of any kind that Pillow reads; of an animation its last frame is taken.
        width: in pixels, at most.
        most: characters of the URL; quality and then size go down until it fits, to a longer side of 64 pixels. None
            for no bound.
    """
    with Image.open(path) as file:
        fits = file.format == "JPEG" and file.width <= width
        file.seek(getattr(file, "n_frames", 1) - 1)
        picture = file.convert("RGB")
    if fits:
        url = _data_url(_JPEG, path.read_bytes())
        if most is None or len(url) <= most:
            return url
    picture.thumbnail((width, 10 * picture.height))
    while True:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, optimize=True)
            url = _data_url(_JPEG, buffer.getvalue())
            if most is None or len(url) <= most:
                return url
        side = max(picture.size)
        if side <= _LEAST_SIDE:
            return url
        smaller = max(_LEAST_SIDE, int(0.8 * side))
        picture.thumbnail((smaller, smaller))


def embed_animation(paths: Sequence[Path], most: int) -> str | None:
    """The first of some GIF or WebP files whose data URL is short enough, as it is; None where none is.

    Args:
        paths: files that are there.
        most: characters of the URL.
    """
    for path in paths:
        # Four characters for three bytes.
        if path.stat().st_size * 4 / 3 < most:
            url = _data_url(_KINDS[path.suffix], path.read_bytes())
            if len(url) <= most:
                return url
    return None


def _data_url(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
