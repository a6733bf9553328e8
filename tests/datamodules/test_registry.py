from pathlib import Path

import numpy as np
import pytest
import torch

from medvision.config import find_class
from medvision.config.registry import DATAMODULES
from medvision.config.settings import SplitSettings
from medvision.errors import DataError
from medvision.phantoms.sets import SETS, generate

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(DATAMODULES))
def test_every_datamodule_is_simulated_and_inherits_the_contract(name):
    assert name in SETS
    assert "ReaderContract" in (HERE / f"test_{name}.py").read_text()
    assert find_class("data", name).__name__ in (HERE / f"test_{name}.py").read_text()


def test_targets_are_the_labels_of_their_images(tmp_path):
    root = generate("lung_us", tmp_path / "set", patients=12)
    datamodule = find_class("data", "lung_us")(root=str(root), image_size=32, batch_size=4)
    datamodule.setup()
    for batch in datamodule.train_dataloader():
        named = np.array(datamodule.class_names)[batch["target"].numpy()]
        assert list(named) == list(datamodule.image_table["label"].to_numpy()[batch["index"].numpy()])
    assert sum(datamodule.summary()["train_counts"]) == datamodule.summary()["train_images"]


def test_real_copies_are_an_error_unless_skipped(medvision_data):
    cls, root = find_class("data", "medmnist"), str(medvision_data / "medmnist")
    split = SplitSettings(group="image")
    with pytest.raises(DataError, match="identical images of different images"):
        cls(root=root, image_size=28, split=split).setup()
    skipping = cls(root=root, image_size=28, split=split, on_bad_image="skip")
    skipping.setup()
    assert len(skipping.skipped) == 5856 - len(skipping.image_table) == 29
    assert len(set(skipping.inspection.digests)) == len(skipping.inspection.digests)
    assert isinstance(next(iter(skipping.test_dataloader()))["image"], torch.Tensor)
