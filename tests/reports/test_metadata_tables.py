import pandas as pd

from medvision.reports.metadata_tables import metadata_rows, metadata_splits, metadata_table

TABLE = pd.DataFrame(
    {
        "image": [f"{k}.png" for k in range(40)],
        "patient": [f"p{k}" for k in range(40)],
        "split": ["val"] * 10 + ["test"] * 30,
        "target": ["a", "b"] * 20,
        "predicted": ["a"] * 40,
        "p_a": 0.5,
        "p_b": 0.5,
        "sex": ["F", "M", "M", "F", ""] * 8,
        "age": [float(20 + k) for k in range(39)] + [None],
    }
)


def test_groups_are_counted_by_split():
    assert metadata_splits(TABLE) == ["val", "test"]
    rows = metadata_rows(TABLE, None, ["a", "b"], [])
    assert rows["sex"] == [
        ("F", [("4", ["40%"]), ("12", ["40%"])]),
        ("M", [("4", ["40%"]), ("12", ["40%"])]),
        ("not known", [("2", ["20%"]), ("6", ["20%"])]),
    ]


def test_a_number_has_its_median_and_range():
    assert metadata_rows(TABLE, ["age"], ["a", "b"], []) == {
        "age": [
            ("median, range", [("24.5", ["20 to 29"]), ("44", ["30 to 58"])]),
            ("not known", [("0", ["0%"]), ("1", ["3%"])]),
        ]
    }


def test_columns_that_are_not_there_are_left_out():
    assert metadata_rows(TABLE, ["site"], ["a", "b"], []) == {}
    assert metadata_rows(TABLE.drop(columns="split"), None, ["a", "b"], []) == {}


def test_the_split_tells_of_all_images_where_it_has_metadata():
    split = pd.DataFrame(
        {"image": ["a", "b", "c", "d"], "label": ["x", "y", "x", "y"], "split": ["train"] * 3 + ["unused"]}
    )
    split = split.assign(group=["1", "2", "3", "4"], fold=0, sha256=["5", "6", "7", "8"], mask="m", mask_sha256="9")
    assert metadata_table(split, TABLE) is TABLE
    table = metadata_table(split.assign(sex=["F", "F", "M", "M"]), TABLE)
    assert metadata_splits(table) == ["train"]
    assert metadata_rows(table, None, ["x", "y"], []) == {"sex": [("F", [("2", ["67%"])]), ("M", [("1", ["33%"])])]}
