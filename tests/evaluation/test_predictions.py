import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.predictions import (
    check_predictions,
    join_names,
    prediction_table,
    shortest_decimals,
)

IMAGES = pd.DataFrame(
    {"image": ["1.png", "2.png"], "label": ["b", "a"], "sex": ["f", "m"], "patient": ["p", "q"], "split": "test"},
    index=[7, 3],
)


def test_columns_stand_in_the_order_of_the_table():
    table = prediction_table(IMAGES, np.array([[0.25, 0.75], [0.1, 0.9]], np.float32), ["a", "b"])
    assert list(table.columns) == ["image", "patient", "split", "target", "predicted", "p_a", "p_b", "sex"]
    assert table["target"].tolist() == ["b", "a"]
    assert table["predicted"].tolist() == ["b", "b"]
    assert table["p_a"].tolist() == [0.25, 0.1]
    assert table["sex"].tolist() == ["f", "m"]


def test_several_labels_are_joined_and_none_is_empty():
    images = IMAGES.assign(label=["a|b", None])
    table = prediction_table(images, np.array([[0.5, 0.6], [0.1, 0.4]], np.float32), ["a", "b"], multilabel=True)
    assert table["predicted"].tolist() == ["a|b", ""]
    assert table["target"].tolist() == ["a|b", ""]


def test_a_column_with_a_taken_name_is_refused():
    with pytest.raises(DataError, match="rename the columns target"):
        prediction_table(IMAGES.assign(target=1), np.full((2, 2), 0.5, np.float32), ["a", "b"])


def test_a_written_table_gives_exactly_the_same_metrics(tmp_path):
    random = np.random.default_rng(0)
    images = pd.DataFrame({"image": [f"{k}" for k in range(50)], "label": random.choice(["a", "b"], 50)})
    chances = random.random(50).astype(np.float32)
    table = prediction_table(images, np.stack([chances, 1 - chances], axis=1), ["a", "b"])
    table.to_csv(tmp_path / "predictions.csv", index=False)
    again = pd.read_csv(tmp_path / "predictions.csv", dtype={"image": str})
    pd.testing.assert_frame_equal(again, table, check_dtype=False, check_exact=True)
    settings = {"classes": ["a", "b"], "resamples": 20}
    assert classification_metrics(again, **settings) == classification_metrics(table, **settings)


def test_decimals_are_as_short_as_the_float32_allows():
    values = np.array([0.1, 1 / 3, 1e-30, 1.0])
    assert [repr(float(value)) for value in shortest_decimals(values)] == ["0.1", "0.33333334", "1e-30", "1.0"]
    assert (shortest_decimals(values).astype(np.float32) == values.astype(np.float32)).all()


def test_names_are_joined_in_the_order_of_the_classes():
    assert join_names(["b", "a"], np.array([True, True])) == "b|a"
    assert join_names(["b", "a"], np.array([False, False])) == ""


def test_a_drawn_table_passes(draw):
    check_predictions(draw(), ["a", "b", "c"])
    check_predictions(draw(multilabel=True), ["a", "b", "c"], multilabel=True)


def test_all_mistakes_are_listed_at_once(draw):
    frame = draw()
    frame.loc[0, "target"] = "d"
    frame.loc[1, "predicted"] = None
    frame.loc[2, "image"] = "3.png"
    frame.loc[4, "p_a"] = np.nan
    with pytest.raises(DataError) as caught:
        check_predictions(frame, ["a", "b", "c"], where="predictions.csv")
    assert caught.value.lines == (
        "predictions.csv: column target holds 'd'; the classes are a, b, c",
        "predictions.csv: column predicted holds ''; the classes are a, b, c",
        "predictions.csv: an image stands in more than one row: 3.png",
        "predictions.csv: probabilities must be numbers from 0 to 1, and are not at 4.png",
    )


def test_sums_columns_and_rows_are_checked(draw):
    with pytest.raises(DataError, match="sum to 1, and do not at 0.png"):
        check_predictions(draw().assign(p_a=0.99), ["a", "b", "c"])
    check_predictions(draw(multilabel=True).assign(p_a=0.99), ["a", "b", "c"], multilabel=True)
    with pytest.raises(DataError, match="no column p_c; it has image, patient"):
        check_predictions(draw().drop(columns="p_c"), ["a", "b", "c"])
    with pytest.raises(DataError, match="no rows"):
        check_predictions(draw().iloc[:0], ["a", "b", "c"])
    with pytest.raises(DataError, match="numbers from 0 to 1"):
        check_predictions(draw().assign(p_a="much"), ["a", "b", "c"])
