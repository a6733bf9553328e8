import numpy as np

from medvision.data.masks import IGNORE
from medvision.datamodules.lungs_xray import LungsXray
from tests.datamodules.reader_contract import ReaderContract


class TestLungsXray(ReaderContract):
    name = "lungs_xray"
    patients = 30
    expected_mask_classes = ("background", "lung")
    columns = frozenset({"finding", "view"})

    def test_a_column_becomes_the_label(self, root):
        datamodule = self.read(root, label="view")
        datamodule.setup()
        assert datamodule.class_names == ["AP Supine", "PA"]
        batch = next(iter(datamodule.train_dataloader()))
        views = datamodule.image_table["label"].to_numpy()[batch["index"].numpy()]
        assert [datamodule.class_names[k] for k in batch["target"]] == list(views)

    def test_the_real_set(self, medvision_data):
        datamodule = LungsXray(root=str(medvision_data / "lungs_xray"), image_size=32)
        datamodule.setup()
        assert len(datamodule.image_table) == 83
        masks = [datamodule.original_mask(row) for row in range(83)]
        assert sum((mask == IGNORE).any() for mask in masks) == 4
        assert all(np.isin(mask, [0, 1, IGNORE]).all() for mask in masks)
