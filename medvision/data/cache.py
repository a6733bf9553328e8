"""Images decoded and resized once, in one memory-mapped file that folds, sweeps and comparisons share."""

import json
import mmap
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from filelock import FileLock
from platformdirs import user_cache_dir
from tqdm import tqdm

from medvision.errors import DataError, ImageError

FORMAT = 2
CHUNK = 256
RELEASE_AFTER = 64 * 2**20
RESERVE = 1.05


@dataclass(frozen=True)
class Inspection:
    """What was found in the image files of a table, one entry a row.

    Args:
        digests: SHA-256 of the content; an empty string for an unreadable image.
        heights: original height in pixels; 0 for an unreadable image.
        widths: original width in pixels.
        counts: of a mask: pixels by the value that its file holds; empty for an image.
        errors: row -> why that image cannot be read.
    """

    digests: list[str]
    heights: list[int]
    widths: list[int]
    counts: list[dict[str, int]]
    errors: dict[int, str] = field(default_factory=dict)

    def of_rows(self, rows: Sequence[int] | np.ndarray) -> "Inspection":
        """The entries of some readable rows."""
        return Inspection(
            [self.digests[row] for row in rows],
            [self.heights[row] for row in rows],
            [self.widths[row] for row in rows],
            [self.counts[row] for row in rows],
        )


@dataclass(frozen=True)
class Decoded:
    """One image, or one mask, as it enters the cache: (S, S) or (S, S, 3) uint8, original size, digest, counts."""

    pixels: np.ndarray
    height: int
    width: int
    digest: str
    counts: dict[str, int] = field(default_factory=dict)


def cache_folder() -> Path:
    """`$MEDVISION_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("MEDVISION_CACHE") or user_cache_dir("medvision"))


def cache_key(description: object) -> str:
    """A name for everything that decides the pixels: equal descriptions, equal pixels.

    Args:
        description: plain JSON values.
    """
    text = json.dumps([FORMAT, description], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:24]


class PixelCache:
    """The pixels of all rows of a table, mapped from a file and read without copying the file into memory.

    Args:
        path: the file of raw uint8 pixels.
        shape: (N, S, S) or (N, S, S, 3).
    """

    def __init__(self, path: Path, shape: Sequence[int]) -> None:
        self.path, self.shape = path, tuple(shape)
        self._open()

    def _open(self) -> None:
        with self.path.open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._pixels = np.frombuffer(self._map, dtype=np.uint8).reshape(self.shape)
        self._read = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> np.ndarray:
        """The pixels of one row, a read-only view (S, S) or (S, S, 3) uint8."""
        pixels = self._pixels[row]
        self._count(pixels.nbytes)
        return pixels

    def _count(self, read: int) -> None:
        self._read += read
        if self._read > RELEASE_AFTER:
            # Pages that were read stay counted as ours until they are given back; the system keeps them cached.
            self._read = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                self._map.madvise(mmap.MADV_DONTNEED)

    def __getstate__(self) -> dict[str, object]:
        return {"path": self.path, "shape": self.shape}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._open()


class SizedPixelCache(PixelCache):
    """The same for images that keep their own sizes.

    Args:
        path: the file of raw uint8 pixels, one image after the other.
        shape: (bytes of the file,).
        places: of each row: where its pixels begin, and their shape; an empty shape for an unreadable image.
    """

    def __init__(self, path: Path, shape: Sequence[int], places: Sequence[tuple[int, list[int]]]) -> None:
        self.places = list(places)
        super().__init__(path, shape)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row: int) -> np.ndarray:
        """The pixels of one row, a read-only view (H, W) or (H, W, 3) uint8."""
        start, shape = self.places[row]
        self._count(size := int(np.prod(shape)))
        return self._pixels[start : start + size].reshape(shape)

    def __getstate__(self) -> dict[str, object]:
        return {**super().__getstate__(), "places": self.places}


def inspect_images(
    names: Sequence[str], decode: Callable[[str], Decoded], keep: Callable[[int, np.ndarray], None]
) -> Inspection:
    """Decode every image once, on all cores, with a progress bar.

    Args:
        names: image names.
        decode: reads one image; raises ImageError for one that cannot be read.
        keep: receives the row and the pixels of each readable image, from several threads.
    """
    found = Inspection([""] * len(names), [0] * len(names), [0] * len(names), [{} for _ in names])

    def take(row: int) -> None:
        try:
            image = decode(names[row])
        except ImageError as error:
            found.errors[row] = str(error)
            return
        keep(row, image.pixels)
        found.digests[row], found.counts[row] = image.digest, image.counts
        found.heights[row], found.widths[row] = image.height, image.width

    bar = tqdm(total=len(names), desc="reading images", unit="image", disable=len(names) < CHUNK, file=sys.stderr)
    with bar, ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(names), CHUNK):
            rows = range(start, min(start + CHUNK, len(names)))
            list(pool.map(take, rows))
            bar.update(len(rows))
    return found


def open_cache(
    key: str, shape: Sequence[int] | None, names: Sequence[str], decode: Callable[[str], Decoded]
) -> tuple[PixelCache, Inspection]:
    """Open the cache of that key; build it first where there is none.

    One builder at a time: a second process waits and then reads. The cache appears under its name only when it is
    complete, so a killed builder leaves nothing that could be read by mistake.

    Args:
        key: from `cache_key`.
        shape: (N, S, S) or (N, S, S, 3); None where every image keeps its own size.
        names: N image names.
        decode: reads one image at its cached size.

    Raises:
        DataError: too little disk space, or a cache folder that cannot be written.
    """
    folder = cache_folder() / key
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _build(folder, shape, names, decode)
    except OSError as error:
        raise DataError(
            f"cannot write the cache {folder}: {error.strerror or error}; set MEDVISION_CACHE to another folder, or "
            "write `data: {cache: false}`"
        ) from error
    try:
        return _open(folder, shape)
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{folder}: damaged ({error}); remove this folder, and it is built again") from error


def _open(folder: Path, shape: Sequence[int] | None) -> tuple[PixelCache, Inspection]:
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    index["errors"] = {int(row): why for row, why in index["errors"].items()}
    places, file = index.pop("places"), folder / "pixels.u8"
    inspection = Inspection(**index)
    if shape is None:
        return SizedPixelCache(file, [file.stat().st_size], places), inspection
    return PixelCache(file, shape), inspection


def _build(folder: Path, shape: Sequence[int] | None, names: Sequence[str], decode: Callable[[str], Decoded]) -> None:
    for leftover in folder.parent.glob(f"{folder.name}.part*"):
        shutil.rmtree(leftover)
    if shape is not None:
        _announce(folder, int(np.prod(shape)), len(names))
    part = folder.with_name(f"{folder.name}.part{os.getpid()}")
    part.mkdir()
    places: list[tuple[int, list[int]]] = [(0, [0])] * len(names)
    with (part / "pixels.u8").open("wb") as file:
        step = 0
        if shape is not None:
            file.truncate(size := int(np.prod(shape)))
            step = size // len(names)
        writing = threading.Lock()

        def keep(row: int, image: np.ndarray) -> None:
            with writing:
                start = file.seek(0, os.SEEK_END) if shape is None else file.seek(row * step)
                places[row] = start, list(image.shape)
                file.write(np.ascontiguousarray(image).tobytes())

        inspection = inspect_images(names, decode, keep)
        # A file of no bytes cannot be mapped.
        file.write(b"\0" * (file.seek(0, os.SEEK_END) == 0))
    index = {**asdict(inspection), "places": places if shape is None else []}
    (part / "index.json").write_text(json.dumps(index), encoding="utf-8")
    part.rename(folder)


def _announce(folder: Path, size: int, images: int) -> None:
    """Say how much disk a cache takes, and refuse one that does not fit."""
    free = shutil.disk_usage(folder.parent).free
    print(f"cache: {images} images take {size / 2**20:.1f} MiB in {folder}", file=sys.stderr)
    if size * RESERVE > free:
        raise DataError(
            f"the cache needs {size / 2**30:.2f} GiB, {free / 2**30:.2f} GiB are free in {folder.parent}; set "
            "MEDVISION_CACHE to a larger disk, lower data.image_size, or write `data: {cache: false}`"
        )
