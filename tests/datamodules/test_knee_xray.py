from medvision.datamodules.knee_xray import KneeXray
from tests.datamodules.reader_contract import ReaderContract


class TestKneeXray(ReaderContract):
    name = "knee_xray"
    patients = 40
    images = 2
    expected_classes = ["KL0", "KL3-4"]  # noqa: RUF012
    columns = {"side", "kl_grade"}  # noqa: RUF012


class TestFiveGrades(ReaderContract):
    name = "knee_xray"
    patients = 60
    images = 2
    parameters = {"grading": "five"}  # noqa: RUF012
    expected_classes = ["KL0", "KL1", "KL2", "KL3", "KL4"]  # noqa: RUF012


def test_the_real_set(medvision_data):
    five = KneeXray(root=str(medvision_data / "knee_xray"), grading="five").read_table()
    assert (len(five), five["patient"].nunique()) == (1040, 520)
    binary = KneeXray(root=str(medvision_data / "knee_xray")).read_table()
    assert set(binary["label"]) == {"KL0", "KL3-4"}
    assert len(binary) == five["kl_grade"].isin(["0", "3", "4"]).sum()
