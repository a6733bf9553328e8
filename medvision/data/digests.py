"""The SHA-256 by which `split.csv` knows an image again, wherever its file is."""

from hashlib import sha256
from pathlib import Path

from medvision.config.tiles import TileGrid


def image_digest(file: Path, frame: int | None = None) -> str:
    """SHA-256 of a file, and of the frame where it has several."""
    return sha256(file.read_bytes() + (b"" if frame is None else f"#{frame}".encode())).hexdigest()


def tile_digest(whole: str, row: int, column: int, grid: TileGrid) -> str:
    """That of a tile, from that of its image.

    Args:
        whole: SHA-256 of the image.
        row: of the tile, counted from 1.
        column: likewise.
        grid: how many tiles.
    """
    return sha256(f"{whole}#r{row}c{column} of {grid.rows} x {grid.columns}".encode()).hexdigest()
