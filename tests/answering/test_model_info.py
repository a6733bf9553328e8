import json

import numpy as np
import pytest
from pydantic import ValidationError

from medvision.answering.inputs import Preparation
from medvision.answering.model_info import ModelInfo, read_info
from medvision.config.tiles import TileGrid
from medvision.errors import ModelError
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import measure_range
from tests.answering.infos import info

BOTH = ("probabilities", "mask_probabilities")
RANGE = measure_range([8, 9], [8, 12], ["8-bit grey"], np.array([[0.1, 0.2], [0.3, 0.5]])).to_json()


def test_it_comes_back_from_text_as_it_was():
    made = info(BOTH, training_range=RANGE, tiles={"rows": 2, "columns": 3}, pixel_spacing=(0.1, 0.2))
    again = read_info(made.model_dump_json(), "a.onnx")
    assert again == made
    assert json.loads(made.model_dump_json())["training_range"] == RANGE, "whole numbers stay whole"
    assert made.preparation == Preparation(8, "letterbox", 1, TileGrid(rows=2, columns=3))
    assert made.range.to_json() == RANGE
    assert info().range is None


def test_it_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        info().name = "other"


def test_features_of_a_range_are_optional():
    assert info(training_range={**RANGE, "features": None}).range.features is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "medvision.format: Input should be 1"),
        ({"name": "../up"}, "medvision.name: String should match pattern"),
        ({"name": ""}, "medvision.name"),
        ({"identity": "0" * 63}, "medvision.identity"),
        ({"classes": []}, "medvision: Value error, neither classes nor mask_classes"),
        ({"classes": ["one"]}, "expected two classes or more of different names, got one"),
        ({"classes": ["one", "one"]}, "got one, one"),
        ({"classes": ["one", ""]}, "medvision.classes.1"),
        ({"mask_classes": ["background"]}, "got background"),
        ({"image_size": 0}, "medvision.image_size"),
        ({"image_size": 10**6}, "medvision: Value error, batches of 4 images of 1000000 pixels are more than 2 GiB"),
        ({"batch_size": 10**9}, "more than 2 GiB"),
        ({"tiles": {"rows": 10**4, "columns": 10**4}}, "batches of 100000000 images"),
        ({"tiles": {"rows": 1}}, "medvision.tiles.columns: Field required"),
        ({"channels": 2}, "medvision.channels"),
        ({"resize": "none"}, "window_overlap belongs to resize: none"),
        ({"window_overlap": 0.5}, "window_overlap belongs to resize: none"),
        ({"resize": "none", "window_overlap": 1.0}, "medvision.window_overlap: Input should be less than 1"),
        ({"pixel_spacing": [0.1, -1]}, "medvision.pixel_spacing.1"),
        ({"decision": {}}, "medvision.decision: Value error, is none: decision.json: damaged"),
        ({"decision": {"folds": {}}}, "medvision.decision: Value error, is none"),
        ({"decision": Decision().to_json() | {"temperature": 0.0}}, "medvision.decision"),
        ({"decision": Decision().to_json() | {"aggregate": "median"}}, "medvision.decision"),
        ({"decision": Decision().to_json() | {"thresholds": {"image": {"b": "x"}}}}, "medvision.decision"),
        ({"training_range": {}}, "medvision.training_range.longer: Field required"),
        ({"training_range": {**RANGE, "longer": [1]}}, "medvision.training_range.longer"),
        ({"training_range": {**RANGE, "proportions": [0.0, 1.0]}}, "medvision.training_range.proportions.0"),
        (
            {"training_range": {**RANGE, "features": {**RANGE["features"], "mean": [0.1]}}},
            "medvision.training_range.features: Value error, 1 means and 2 deviations",
        ),
        ({"training_range": {**RANGE, "features": {**RANGE["features"], "deviation": [0, 1]}}}, "deviation.0"),
        ({"precision": "fp8"}, "medvision.precision"),
        ({"experiment": None}, "medvision.experiment"),
        ({"more": 1}, "medvision.more: Extra inputs are not permitted"),
    ],
)
def test_what_does_not_fit_is_one_line(changes, words):
    text = json.dumps(json.loads(info().model_dump_json()) | changes)
    with pytest.raises(ModelError) as caught:
        read_info(text, "a.onnx")
    (line,) = caught.value.lines
    assert line.startswith("a.onnx: its metadata is damaged, or of another version of medvision: medvision")
    assert words in line
    assert "\n" not in line


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 10**5, '{"format": NaN}', "\x00"])
def test_what_is_no_object_is_one_line(text):
    with pytest.raises(ModelError, match=r"^a\.onnx: its metadata is damaged"):
        read_info(text, "a.onnx")


def test_every_part_is_described():
    told = ModelInfo.__doc__.split("Args:")[1]
    for name in ModelInfo.model_fields:
        assert f"        {name}: " in told
