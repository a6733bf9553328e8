from medvision.datamodules.lung_us import LungUltrasound
from tests.datamodules.reader_contract import ReaderContract


class TestLungUltrasound(ReaderContract):
    name = "lung_us"
    patients = 30
    images = 2
    expected_classes = ["covid", "pneumonia", "regular"]  # noqa: RUF012
    columns = {"study", "probe", "licence"}  # noqa: RUF012

    def test_a_video_is_a_study_of_one_patient(self, prepared):
        assert prepared.image_table.groupby("study")["patient"].nunique().max() == 1
        assert prepared.image_table["study"].nunique() > prepared.image_table["patient"].nunique()

    def test_viral_pneumonia_can_be_kept(self, root):
        datamodule = self.read(root, viral=True)
        assert datamodule.class_names == ["covid", "pneumonia", "regular", "viral"]
        assert set(datamodule.read_table()["label"]) == set(datamodule.class_names)


def test_the_real_set(medvision_data):
    table = LungUltrasound(root=str(medvision_data / "lung_us"), viral=True).read_table()
    assert (len(table), table["patient"].nunique()) == (447, 55)
    assert table["licence"].notna().all()
