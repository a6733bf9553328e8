"""Pictures of exemplars: small, and simulated ones say so."""

import numpy as np
import pytest
from PIL import Image

from medvision.reports.cluster_pictures import SIDE, save_exemplar


@pytest.mark.parametrize("shape", [(60, 30), (30, 60, 3), (400, 200)])
def test_the_longer_side_is_that_of_all(tmp_path, shape):
    image = np.full(shape, 200, dtype=np.uint8)
    save_exemplar(image, tmp_path / "deep" / "one.jpg", simulated=False)
    with Image.open(tmp_path / "deep" / "one.jpg") as picture:
        assert max(picture.size) == SIDE
        assert picture.width / picture.height == pytest.approx(shape[1] / shape[0])
        assert np.abs(np.asarray(picture.convert("L")).astype(int) - 200).max() < 6


def test_a_simulated_image_says_so_below(tmp_path):
    image = np.zeros((50, 50), dtype=np.uint8)
    for simulated in (False, True):
        save_exemplar(image, tmp_path / f"{simulated}.jpg", simulated=simulated)
    with Image.open(tmp_path / "True.jpg") as marked, Image.open(tmp_path / "False.jpg") as plain:
        assert marked.height > plain.height == SIDE
        assert np.asarray(marked)[: SIDE - 2].max() < 20
        assert np.asarray(marked)[SIDE:].max() > 150
