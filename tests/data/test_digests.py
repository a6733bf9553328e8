from hashlib import sha256

import cv2
import numpy as np

from medvision.config.tiles import TileGrid
from medvision.data.digests import image_digest, tile_digest
from medvision.data.tiles import tile_name
from medvision.datamodules.base import DataModule
from medvision.datamodules.double_contour import DoubleContour


def test_a_digest_is_that_of_the_content_and_the_frame(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert image_digest(tmp_path / "a") == sha256(b"abc").hexdigest()
    assert image_digest(tmp_path / "a", 3) == sha256(b"abc#3").hexdigest()


def test_digests_are_those_that_split_csv_holds(tmp_path):
    file = tmp_path / "a.png"
    cv2.imwrite(str(file), np.zeros((4, 4), np.uint8))
    assert image_digest(file) == DataModule(root=str(tmp_path)).digest("a.png")
    assert image_digest(file, 2) == DataModule(root=str(tmp_path)).digest("a.png#2")
    grid = TileGrid(rows=2, columns=3)
    tiled = DoubleContour(root=str(tmp_path), tiles=grid)
    assert tile_digest(image_digest(file), 2, 3, grid) == tiled.digest(tile_name("a.png", 2, 3))
