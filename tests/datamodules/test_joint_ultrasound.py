import pytest

from medvision.datamodules.joint_ultrasound import JointUltrasound
from medvision.errors import DataError
from tests.datamodules.reader_contract import ReaderContract


class TestJointUltrasound(ReaderContract):
    name = "joint_ultrasound"
    patients = 20
    expected_classes = ["Knee", "Elbow", "Ankle", "Other"]  # noqa: RUF012
    published = False


def test_a_foreign_folder_is_named(tmp_path):
    for joint in ("Knee", "Elbow", "Ankle", "Other", "Shoulder"):
        (tmp_path / joint).mkdir()
    with pytest.raises(DataError, match="Shoulder is no class"):
        JointUltrasound(root=str(tmp_path)).read_table()
