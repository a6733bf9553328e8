import numpy as np

from medvision.config.settings import SplitSettings
from medvision.datamodules.nerve_us import NerveUltrasound
from tests.datamodules.reader_contract import ReaderContract


class TestNerveUltrasound(ReaderContract):
    name = "nerve_us"
    patients = 24
    has_patients = False
    expected_mask_classes = ("background", "nerve", "vessel")

    def test_the_real_set(self, medvision_data):
        datamodule = NerveUltrasound(
            root=str(medvision_data / "nerve_us"), image_size=64, split=SplitSettings(group="image")
        )
        datamodule.setup()
        assert len(datamodule.image_table) == 202
        assert not {"images/0043.png", "images/0077.png"} & set(datamodule.image_table["image"])
        pixels = [datamodule.count_pixels(np.array([row])) for row in range(202)]
        assert sum(vessel == 0 for _, _, vessel in pixels) == 21
        assert datamodule.unit == "px"
        assert datamodule.original_mask(0).shape == datamodule.read_pixels(datamodule.image_table["image"][0]).shape
