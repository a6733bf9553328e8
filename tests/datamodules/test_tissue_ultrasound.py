import cv2
import numpy as np
import pytest

from medvision.datamodules.tissue_ultrasound import TissueUltrasound
from medvision.errors import ConfigError, DataError
from tests.datamodules.reader_contract import ReaderContract, build


class TestTissueUltrasound(ReaderContract):
    name = "tissue_ultrasound"
    images = 2
    expected_mask_classes = ("rest", "fat", "muscle")
    published = False

    def test_fat_alone_makes_muscle_a_part_of_the_rest(self, root, prepared):
        binary = self.read(root, tissues=["fat"])
        binary.setup()
        assert binary.mask_classes == ["rest", "fat"]
        for row in range(4):
            three = prepared.original_mask(row)
            np.testing.assert_array_equal(binary.original_mask(row), (three == 1).astype(np.uint8))

    def test_masks_in_colours(self, root, tmp_path, prepared):
        (tmp_path / "masks").mkdir()
        (tmp_path / "images").symlink_to(root / "images")
        colours = np.array([[0, 0, 0], [255, 0, 0], [0, 200, 0]], dtype=np.uint8)
        for file in (root / "masks").glob("*.png"):
            mask = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            cv2.imwrite(str(tmp_path / "masks" / file.name), cv2.cvtColor(colours[mask], cv2.COLOR_RGB2BGR))
        values = {"#000000": "rest", "#ff0000": "fat", "#00c800": "muscle"}
        coloured = self.read(tmp_path, mask_values=values)
        coloured.setup()
        for row in (0, 5):
            np.testing.assert_array_equal(coloured.original_mask(row), prepared.original_mask(row))

    def test_a_tissue_without_a_value(self, root):
        with pytest.raises(ConfigError, match="no value is muscle"):
            self.read(root, mask_values={"0": "rest", "1": "fat"}).setup()

    def test_names_that_do_not_say_the_patient(self, tmp_path):
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
            cv2.imwrite(str(tmp_path / folder / "one.png"), np.zeros((8, 8), np.uint8))
        with pytest.raises(DataError, match="do not say the patient"):
            TissueUltrasound(root=str(tmp_path)).setup()
        assert list(build(self.name, tmp_path, patient_pattern=r"(?P<patient>\w+)\.png").read_table()["patient"]) == [
            "one"
        ]
