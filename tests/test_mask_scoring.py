from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medvision.config.settings import SplitSettings
from medvision.datamodules.mask_folder import MaskFolder
from medvision.evaluation.mask_scores import score_names
from medvision.mask_scoring import MaskScorer, mask_names, read_saved_mask
from medvision.runs import RunFolder
from tests.drawings import draw_masks

VALUES = {"0": "background", "1": "disc", "2": "bar"}


def test_every_mask_has_a_name_of_its_own_inside_the_run_folder():
    names = mask_names(["a/x.png", "a/x.jpg", "../../x.png", "/etc/x.png", "s.dcm#0", "s.dcm#12", "s.dcm"])
    assert len(set(names)) == len(names)
    assert all(Path(name).parts[0] == "masks" and ".." not in Path(name).parts for name in names)
    assert names[:2] == ["masks/a/x.png", "masks/a/x.jpg.png"]


@pytest.mark.parametrize("fit", ["letterbox", "stretch", "none"])
def test_maps_are_scored_and_saved_at_the_original_size(tmp_path, fit):
    root = draw_masks(tmp_path / "set", size=48)
    datamodule = MaskFolder(
        root=str(root), image_size=128, resize=fit, mask_values=VALUES, split=SplitSettings(group="image")
    )
    datamodule.setup()
    rows = [0, 7]
    maps = np.stack([[datamodule.mask_pixels[row] == k for k in range(3)] for row in rows]).astype(np.float32)
    arrays = MaskScorer(datamodule, RunFolder(tmp_path))({"index": np.array(rows), "maps": maps})
    assert set(arrays) == {"index", "scores"}
    scores = [dict(zip(score_names(datamodule.mask_classes), row, strict=True)) for row in arrays["scores"]]
    for row, score in zip(rows, scores, strict=True):
        truth = datamodule.original_mask(row)
        saved = tmp_path / mask_names(list(datamodule.image_table["image"]))[row]
        with Image.open(saved) as picture:
            assert picture.mode == "P"
        # Enlarged to the network's size and back again: the border may move by half a pixel.
        assert (read_saved_mask(saved) == truth).mean() > (0.999 if fit == "none" else 0.98)
        assert score["area_true_disc"] == (truth == 1).sum()
        assert score["dice_disc"] > 0.95
    # The first patient has no bar, and none was predicted: not counted.
    assert np.isnan(scores[0]["dice_bar"])
    assert scores[1]["dice_bar"] > 0.95
