from types import SimpleNamespace

import numpy as np
import pytest

from medvision.answering.inputs import Preparation
from medvision.exporting import building
from medvision.exporting.building import Built, ProgramNetwork, build
from medvision.exporting.formats import PRECISIONS
from medvision.models.window_places import window_starts


@pytest.mark.parametrize(
    ("kind", "asked", "names"),
    [
        ("onnx", ["fp32"], ["discs.onnx"]),
        ("onnx", ["int8", "fp16"], ["discs.onnx", "discs.fp16.onnx", "discs.int8.onnx"]),
        ("torch", ["fp16"], ["discs.pt2", "discs.fp16.pt2"]),
        ("huggingface", ["fp32"], ["discs-huggingface"]),
    ],
)
def test_32_bits_come_first_asked_for_or_not(monkeypatch, tmp_path, kind, asked, names):
    made = []

    def write(source, path, precision, before):
        assert [one.path for one in before] == made
        made.append(path)
        return Built(path, precision, None, None)

    monkeypatch.setitem(building._WRITERS, kind, write)
    source = SimpleNamespace(experiment=SimpleNamespace(name="discs"))
    built = build(source, kind, asked, tmp_path)
    assert [one.path for one in built] == [tmp_path / name for name in names]
    assert [one.precision for one in built] == [p for p in PRECISIONS[kind] if p == "fp32" or p in asked]


def make_source(fit):
    model = SimpleNamespace(preparation=Preparation(4, fit, 1))
    return SimpleNamespace(model=model, reference=SimpleNamespace(task=SimpleNamespace(window_overlap=0.5)))


def bright(pixels):
    grey = pixels[:, 0] / np.float32(255)
    return {"mask_probabilities": np.stack([1 - grey, grey], axis=1), "features": np.ones((len(pixels), 3), np.float32)}


def test_a_program_is_asked_about_squares_as_they_are():
    pixels = np.arange(32, dtype=np.uint8).reshape(2, 1, 4, 4)
    said = ProgramNetwork(bright, make_source("letterbox")).ask(pixels)
    np.testing.assert_array_equal(said["maps"], bright(pixels)["mask_probabilities"])
    assert said["features"].shape == (2, 3)


def test_a_program_sees_larger_images_window_by_window():
    """What is said of a pixel does not depend on its window: blended, it is what it was."""
    shapes = []

    def program(pixels):
        shapes.append(pixels.shape)
        return bright(pixels)

    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, 7, 3), dtype=np.uint8)
    said = ProgramNetwork(program, make_source("none")).ask(pixels)
    np.testing.assert_allclose(said["maps"], bright(pixels)["mask_probabilities"], atol=1e-6)
    assert sum(shape[0] for shape in shapes) == len(window_starts(7, 4, 0.5))
    assert {shape[1:] for shape in shapes} == {(1, 4, 4)}
