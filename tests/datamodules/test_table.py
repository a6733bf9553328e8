from pathlib import Path

import pandas as pd
import pytest

from medvision.datamodules.table import Table
from medvision.errors import ConfigError, DataError
from tests.datamodules.reader_contract import ReaderContract


class TestTable(ReaderContract):
    name = "table"
    patients = 18
    expected_classes = ["abnormal", "normal"]  # noqa: RUF012
    columns = {"study", "body_part", "sex", "age", "fracture", "implant"}  # noqa: RUF012
    published = False

    def test_a_given_order_of_classes(self, root):
        assert self.read(root, class_order=["normal", "abnormal"]).class_names == ["normal", "abnormal"]


class TestMultilabel(ReaderContract):
    name = "table"
    patients = 24
    parameters = {"label": ["implant", "fracture"]}  # noqa: RUF012
    expected_classes = ["implant", "fracture"]  # noqa: RUF012
    published = False

    def test_labels_are_joined_and_none_is_empty(self, root, prepared):
        source = pd.read_csv(root / "labels.csv", index_col="image")
        assert prepared.multilabel
        assert set(prepared.image_table["label"]) == {"", "implant", "fracture", "implant|fracture"}
        for image, label in zip(prepared.image_table["image"], prepared.image_table["label"], strict=True):
            assert set(filter(None, label.split("|"))) == {c for c in ("implant", "fracture") if source.loc[image, c]}


def write(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, **parameters) -> pd.DataFrame:
    return Table(root=str(folder), **parameters).read_table()


def test_columns_are_renamed_and_further_ones_kept(tmp_path):
    write(tmp_path, "path\tgrade\tsubject\tvisit\tsite\nx.png\t1\t007\tA\tnorth\n", "list.tsv")
    columns = {"image": "path", "label": "grade", "patient": "subject", "study": "visit"}
    table = read(tmp_path, table="list.tsv", **columns)
    expected = {"image": "x.png", "label": "1", "patient": "007", "study": "A", "site": "north"}
    assert table.iloc[0].to_dict() == expected


def test_a_class_may_be_called_none(tmp_path):
    table = read(write(tmp_path, "\ufeffimage,label,patient\na.png,None,1\nb.png,NA,2\nc.png,,3\n"))
    assert list(table["label"])[:2] == ["None", "NA"]
    assert table["label"].isna().tolist() == [False, False, True]


def test_parquet_reads_as_csv(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `parquet` is not installed")
    columns = {"image": ["a.png", "b.png"], "label": ["x", "y"], "patient": [7, 8], "a": [1.0, 0.0], "b": [True, True]}
    pd.DataFrame(columns).to_parquet(tmp_path / "labels.parquet")
    table = read(tmp_path, table="labels.parquet", label=["a", "b"])
    assert list(table["patient"]) == ["7", "8"]
    assert list(table["label"]) == ["a|b", "b"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label": "labels"}, "no column 'labels', it has image, label, patient, a, b; did you mean 'label'?"),
        ({"patient": "who"}, "no column 'who'"),
        ({"study": "visit"}, "no column 'visit'"),
        ({"table": "lables.csv"}, "no such table; the folder has labels.csv"),
        ({"label": ["a", "b"]}, "labels.csv:3: 'b' is 'maybe', expected 0 or 1"),
    ],
)
def test_what_the_table_lacks(tmp_path, parameters, message):
    write(tmp_path, "image,label,patient,a,b\nx.png,u,1,0,1\ny.png,v,2,1,maybe\n")
    with pytest.raises(DataError) as caught:
        read(tmp_path, **parameters)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label": ["a"]}, "write `label: a`"),
        ({"label": []}, "an empty list"),
        ({"label": ["a", "a"]}, "a is named twice"),
        ({"class_order": ["u", "u"]}, "u is named twice"),
        ({"label": ["a", "b"], "class_order": ["b", "a"]}, "remove class_order"),
    ],
)
def test_parameters_that_contradict_each_other(tmp_path, parameters, message):
    write(tmp_path, "image,label,patient,a,b\nx.png,u,1,0,1\n")
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, **parameters)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "image,label,patient\n", 'image,label\n"unclosed,x\n'])
def test_an_empty_or_broken_table_is_one_plain_message(tmp_path, text):
    with pytest.raises(DataError) as caught:
        read(write(tmp_path, text))
    assert "labels.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_patients_the_split_asks_for_them(tmp_path):
    write(tmp_path, "image,label\nx.png,u\n")
    with pytest.raises(DataError, match="no column 'patient'"):
        Table(root=str(tmp_path)).setup()


def test_patients_can_be_disclaimed(tmp_path):
    assert "patient" not in read(write(tmp_path, "image,label,patient\nx.png,u,1\n"), patient=None)


def test_an_official_split_is_kept(tmp_path):
    table = read(write(tmp_path, "image,label,patient,split\nx.png,u,1,train\ny.png,u,2,test\n"))
    assert list(table["split"]) == ["train", "test"]
