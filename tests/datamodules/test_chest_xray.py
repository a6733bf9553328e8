from medvision.datamodules.chest_xray import ChestXray
from tests.datamodules.reader_contract import ReaderContract


class TestChestXray(ReaderContract):
    name = "chest_xray"
    expected_classes = ["normal", "pneumonia"]  # noqa: RUF012
    columns = {"subtype"}  # noqa: RUF012


def test_the_real_set(medvision_data):
    table = ChestXray(root=str(medvision_data / "chest_xray")).read_table()
    assert (len(table), table["patient"].nunique()) == (362, 280)
    assert set(table["label"]) == {"normal", "pneumonia"}
