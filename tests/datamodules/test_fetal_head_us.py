import pytest

from medvision.config.settings import SplitSettings
from medvision.datamodules.fetal_head_us import FetalHeadUltrasound
from medvision.errors import ConfigError
from tests.datamodules.reader_contract import ReaderContract, build


class TestFetalHeadUltrasound(ReaderContract):
    name = "fetal_head_us"
    expected_mask_classes = ("background", "head")
    columns = frozenset({"pixel_size_mm", "head_circumference_mm"})

    def test_every_image_has_its_own_pixel_size(self, prepared):
        assert prepared.unit == "mm"
        sizes = prepared.image_table["pixel_size_mm"].astype(float)
        assert [prepared.spacing_of(row) for row in range(3)] == [(size, size) for size in sizes[:3]]

    def test_a_column_that_is_not_there(self, root):
        datamodule = build(self.name, root, pixel_spacing="spacing")
        with pytest.raises(ConfigError, match="data.pixel_spacing: the image table has no column 'spacing'"):
            datamodule.setup()

    def test_the_real_set(self, medvision_data):
        root = str(medvision_data / "fetal_head_us")
        datamodule = FetalHeadUltrasound(root=root, image_size=64, split=SplitSettings())
        datamodule.setup()
        assert len(datamodule.image_table) == 118
        assert datamodule.spacing_of(0) == pytest.approx((0.05422898, 0.05422898))
        assert datamodule.original_mask(0).shape == (540, 800)
