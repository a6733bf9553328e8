import pytest

from medvision.config.settings import SplitSettings
from medvision.datamodules.mura import MURA
from medvision.errors import ConfigError, DataError
from medvision.phantoms.sets import generate
from tests.datamodules.reader_contract import ReaderContract


class TestMURA(ReaderContract):
    name = "mura"
    patients = 40
    expected_classes = ["normal", "abnormal"]  # noqa: RUF012
    columns = {"study", "body_part", "split"}  # noqa: RUF012

    def test_official_validation_set_is_the_test_set(self, root, prepared):
        split = prepared.split_table()
        valid = {image for image in split["image"] if image.startswith("valid/")}
        assert set(split.loc[split["split"] == "test", "image"]) == valid

    def test_all_images_can_be_pooled(self, root):
        datamodule = self.read(root, split=SplitSettings(official=False, test=0.3))
        datamodule.setup()
        split = datamodule.split_table()
        assert len(set(split.loc[split["split"] == "test", "image"].str.partition("/")[0])) == 2
        assert split.groupby("patient")["split"].nunique().max() == 1

    def test_label_is_that_of_the_study(self, root):
        table = self.read(root).read_table()
        for image, study, label in zip(table["image"], table["study"], table["label"], strict=True):
            assert ("_positive/" in image) == (label == "abnormal") == study.endswith("_positive")
        patient = table.iloc[0]["patient"]
        assert table.iloc[0]["image"].split("/")[2] == patient
        assert table.iloc[0]["study"].split("/")[:2] == [table.iloc[0]["body_part"], patient]


@pytest.fixture
def root(tmp_path):
    return generate("mura", tmp_path / "MURA-v1.1", patients=10, images=1)


def test_folders_are_read_where_there_are_no_csv_files(root):
    listed = MURA(root=str(root)).read_table()
    for file in root.glob("*.csv"):
        file.unlink()
    # macOS leaves these beside every file of an archive.
    hidden = root / listed["image"].iloc[0]
    hidden.with_name(f"._{hidden.name}").write_bytes(b"resource fork")
    walked = MURA(root=str(root)).read_table()
    assert sorted(walked["image"]) == sorted(listed["image"])


def test_a_listed_file_that_is_missing_is_named(root):
    image = MURA(root=str(root)).read_table()["image"].iloc[0]
    (root / image).unlink()
    with pytest.raises(DataError, match=f"{image}.*no such file"):
        MURA(root=str(root)).setup()


def test_body_parts_are_chosen(root):
    parts = MURA(root=str(root)).read_table()["body_part"]
    chosen = MURA(root=str(root), body_parts=[parts.iloc[0]]).read_table()
    assert set(chosen["body_part"]) == {parts.iloc[0]}
    assert len(chosen) == (parts == parts.iloc[0]).sum()
    with pytest.raises(ConfigError, match="KNEE not among ELBOW"):
        MURA(root=str(root), body_parts=["KNEE"]).read_table()


def test_one_folder_too_high_is_told(root):
    with pytest.raises(DataError, match=f"write `root: {root}`"):
        MURA(root=str(root.parent)).read_table()


def test_a_foreign_path_is_named(root):
    with (root / "train_image_paths.csv").open("a") as file:
        file.write("MURA-v1.1/train/XR_WRIST/odd.png\n")
    with pytest.raises(DataError, match="1 images are not in MURA's layout, the first is train/XR_WRIST/odd.png"):
        MURA(root=str(root)).read_table()
