import pandas as pd

from medvision.application.charts import curve_chart, probability_chart


def layers(chart):
    """The layers of a chart, each with the values that it draws."""
    plain = chart.to_dict()
    # Data that are the same for all layers stand beside them.
    return [
        {**layer, "values": plain["datasets"][layer.get("data", plain.get("data"))["name"]]} for layer in plain["layer"]
    ]


def test_a_bar_a_class_and_a_line_where_the_answer_turns():
    bars, lines = layers(probability_chart({"no": 0.734, "yes": 0.266}, {"yes": 0.25}, ["yes"], ["no"]))
    assert [(row["class"], row["probability"], row["answer"]) for row in bars["values"]] == [
        ("no (true)  0.73", 0.734, False),
        ("yes  0.27", 0.266, True),
    ]
    assert bars["encoding"]["x"]["scale"]["domain"] == [0, 1]
    assert lines["values"] == [{"class": "yes  0.27", "threshold": 0.25}]
    assert lines["mark"]["type"] == "tick"


def test_where_the_most_probable_class_is_the_answer_there_is_no_line():
    (bars,) = layers(probability_chart({"a": 0.5, "b": 0.3, "c": 0.2}, {}, ["a"], ["a"], 3))
    assert [row["class"] for row in bars["values"]] == ["a (true)  0.500", "b  0.300", "c  0.200"]
    # In the order of the classes, not of the alphabet.
    assert bars["encoding"]["y"]["sort"] is None


def test_curves_count_epochs_from_one_and_leave_gaps_out():
    history = pd.DataFrame({"epoch": [0, 1, 2], "train/loss": [3.0, 2.0, 1.0], "val/loss": [None, 2.5, 1.5]})
    curves, here, best = layers(curve_chart(history, ["train/loss", "val/loss"], "loss", 1, 2))
    found = [(row["curve"], row["at"], row["value"]) for row in curves["values"]]
    assert found == [
        ("train/loss", 1, 3),
        ("train/loss", 2, 2),
        ("train/loss", 3, 1),
        ("val/loss", 2, 2.5),
        ("val/loss", 3, 1.5),
    ]
    assert (here["values"], best["values"]) == ([{"at": 2}], [{"at": 3}])
    assert curves["encoding"]["x"]["scale"]["domain"] == [1, 3]


def test_an_unknown_best_epoch_has_no_line():
    history = pd.DataFrame({"epoch": [0], "val/dice": [0.5]})
    curves, here = layers(curve_chart(history, ["val/dice"], "validation", 0, None))
    assert curves["values"] == [{"at": 1, "curve": "dice", "value": 0.5}]
    assert curves["encoding"]["color"]["scale"]["domain"] == ["dice"]
    assert here["values"] == [{"at": 1}]
