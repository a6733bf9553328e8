from medvision.config.settings import SplitSettings
from medvision.datamodules.hip_us import HipUltrasound
from tests.datamodules.reader_contract import ReaderContract


class TestHipUltrasound(ReaderContract):
    name = "hip_us"
    patients = 24
    expected_classes = ["substandard", "standard"]  # noqa: RUF012
    has_patients = False


def test_the_real_set_without_its_known_copy(medvision_data):
    datamodule = HipUltrasound(
        root=str(medvision_data / "hip_us"), image_size=16, cache=False, split=SplitSettings(group="image")
    )
    datamodule.setup()
    assert datamodule.image_table["label"].value_counts().to_dict() == {"standard": 25, "substandard": 25}
