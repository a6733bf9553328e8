import importlib.util

import cv2
import numpy as np
import pytest
import torch

from medvision.answering.asked import find_images
from medvision.answering.exported import open_exported, read_metadata
from medvision.answering.model import Member, Model
from medvision.answering.session import Extras, answer
from medvision.errors import ConfigError, ModelError
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import measure_range
from medvision.models.windows import sliding_window
from tests.answering.fakes import Brightness, model
from tests.answering.graphs import make_graph, write_graph
from tests.answering.infos import SIZE, info

onnx = pytest.importorskip("onnx", reason="the extra onnx")
pytest.importorskip("onnxruntime", reason="the extra onnx")

ALL = ("probabilities", "mask_probabilities", "features")


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_a_graph_says_what_the_same_network_says_in_python(tmp_path):
    opened = open_exported(write_graph(tmp_path / "a.onnx", *ALL))
    given = pixels(3, 1, SIZE, SIZE)
    said, expected = opened.members[0].network.ask(given), Brightness("probabilities", "maps").ask(given)
    assert set(said) == {"probabilities", "maps", "features"}
    for name, values in expected.items():
        assert said[name].dtype == np.float32
        np.testing.assert_allclose(said[name], values, atol=1e-6)
    np.testing.assert_allclose(said["features"], np.repeat(said["probabilities"][:, 1:], 2, axis=1))


def test_a_file_answers_as_a_model_of_the_same_network_does(tmp_path):
    images = [pixels(20, 30, seed=seed) for seed in range(5)]
    ours = answer(open_exported(write_graph(tmp_path / "a.onnx", *ALL[:2])), find_images(images)).images
    theirs = answer(model("probabilities", "maps"), find_images(images)).images
    assert list(ours.drop(columns="trained_on")) == list(theirs.drop(columns="trained_on"))
    np.testing.assert_allclose(ours["p_bright"], theirs["p_bright"], atol=1e-6)
    for left, right in zip(ours["mask"], theirs["mask"], strict=True):
        np.testing.assert_array_equal(left, right)


def test_what_the_metadata_say_comes_along(tmp_path):
    known = measure_range([8, 8], [8, 8], ["8-bit grey"], np.array([[0.2, 0.2], [0.4, 0.4]]))
    decision = Decision(temperature=3.0, aggregate="max", thresholds={"image": {"bright": 0.3}})
    about = info(
        ALL, decision=decision.to_json(), training_range=known.to_json(), tiles={"rows": 1, "columns": 2}, channels=3
    )
    opened = open_exported(write_graph(tmp_path / "a.onnx", *ALL, about=about))
    assert isinstance(opened, Model)
    assert (opened.name, opened.classes, opened.mask_classes) == ("fake/a.onnx", about.classes, about.mask_classes)
    assert (opened.patients, opened.batch_size, opened.simulated) == (20, 4, True)
    assert opened.preparation == about.preparation
    assert opened.preparation.inputs_each == 2
    (member,) = opened.members
    assert isinstance(member, Member)
    assert member.decision.temperature == 1.0, "it is in the graph"
    assert (member.decision.aggregate, member.decision.threshold("image", "bright")) == ("max", 0.3)
    np.testing.assert_array_equal(opened.ranges[0].features.mean, known.features.mean)
    assert read_metadata(tmp_path / "a.onnx") == about


def test_an_image_unlike_those_of_the_training_is_told_of(tmp_path):
    known = measure_range([8, 8], [8, 8], ["8-bit grey"], np.array([[0.4, 0.4], [0.5, 0.5]]))
    opened = open_exported(write_graph(tmp_path / "a.onnx", *ALL, about=info(ALL, training_range=known.to_json())))
    found = answer(opened, find_images([np.full((8, 8), 115, np.uint8), np.full((8, 8), 255, np.uint8)])).images
    assert found["unlike"][0] == ""
    assert found["unlike"][1].startswith("features ")


def test_whether_it_was_trained_on_a_file_is_not_known(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), pixels(8, 8))
    opened = open_exported(write_graph(tmp_path / "a.onnx"))
    assert list(answer(opened, find_images(tmp_path / "a.png")).images["trained_on"]) == [None]


def test_files_of_one_run_are_told_apart_by_what_they_hold(tmp_path):
    first, second = (open_exported(write_graph(tmp_path / f"{gain}.onnx", gain=gain)).identity for gain in (0.5, 0.75))
    assert first != second
    assert open_exported(tmp_path / "0.5.onnx").identity == first


@pytest.mark.parametrize(("height", "width"), [(8, 8), (21, 30), (5, 19), (5, 6)])
@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.7])
def test_windows_are_blended_as_in_training(tmp_path, height, width, overlap):
    about = info(ALL[1:], resize="none", window_overlap=overlap)
    network = open_exported(write_graph(tmp_path / "a.onnx", *ALL[1:], about=about)).members[0].network
    image = pixels(2, 1, height, width)
    # Maps that depend on the place within a window, so that windows must lie and weigh alike.
    ramp = np.linspace(0, 0.5, SIZE, dtype=np.float32)
    asked = network._ask
    network._ask = lambda given: (said := asked(given)) | {"maps": said["maps"] * ramp}

    def predict(windows):
        grey = windows.float().mean(dim=1, keepdim=True) / 255
        return torch.cat([1 - grey, grey], dim=1) * torch.from_numpy(ramp)

    expected = sliding_window(predict, torch.from_numpy(image), SIZE, overlap).numpy()
    said = network.ask(image)
    assert said["maps"].shape == (2, 2, height, width)
    np.testing.assert_allclose(said["maps"], expected, atol=1e-6)
    assert said["features"].shape == (2, 2)


def test_features_of_windows_are_their_mean(tmp_path):
    about = info(ALL[1:], resize="none", window_overlap=0.0)
    network = open_exported(write_graph(tmp_path / "a.onnx", *ALL[1:], about=about)).members[0].network
    image = np.zeros((1, 1, SIZE, 2 * SIZE), np.uint8)
    image[..., SIZE:] = 255
    np.testing.assert_allclose(network.ask(image)["features"], [[0.5, 0.5]])


def test_evidence_is_refused_in_one_line(tmp_path):
    opened = open_exported(write_graph(tmp_path / "a.onnx"))
    with pytest.raises(ConfigError, match="--gradcam: a baseline or an ONNX file has no feature maps"):
        answer(opened, find_images(pixels(8, 8)), output=tmp_path / "out", extras=Extras(gradcam=True))


def test_without_the_extra_it_is_one_line(tmp_path, monkeypatch):
    write_graph(tmp_path / "a.onnx")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError) as caught:
        open_exported(tmp_path / "a.onnx")
    assert caught.value.lines == (
        f"{tmp_path}/a.onnx: needs onnx and onnxruntime: pip install 'medvision-lightning[onnx]'",
    )


def renamed(model, old, new):
    for output in model.graph.output:
        output.name = new if output.name == old else output.name
    for node in model.graph.node:
        node.output[:] = [new if name == old else name for name in node.output]
    return model


def reshaped(shape):
    """A model whose probabilities have another shape."""
    model = renamed(make_graph(), "probabilities", "before")
    model.graph.initializer.append(onnx.helper.make_tensor("shape", onnx.TensorProto.INT64, [len(shape)], shape))
    model.graph.node.append(onnx.helper.make_node("Reshape", ["before", "shape"], ["probabilities"]))
    model.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("probabilities", 1, None))
    return model


def nan():
    model = renamed(make_graph(), "probabilities", "before")
    model.graph.initializer.append(onnx.helper.make_tensor("nan", 1, [], [float("nan")]))
    model.graph.node.append(onnx.helper.make_node("Mul", ["before", "nan"], ["probabilities"]))
    model.graph.output[0].name = "probabilities"
    return model


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: make_graph(name="picture"), r"expected one input, image uint8 \(B, C, H, W\); it has picture"),
        (lambda: make_graph(given=onnx.TensorProto.FLOAT), "it has image tensor.float. of 4 axes"),
        (lambda: make_graph("features"), "expected an output probabilities float32; it has none"),
        (lambda: make_graph(kind=onnx.TensorProto.DOUBLE), r"it has tensor\(double\)"),
        (lambda: reshaped([4, 1]), r"says probabilities of shape \(4, 1\)"),
        (lambda: reshaped([1, 4]), r"says probabilities of shape \(1, 4\)"),
        (lambda: reshaped([3, 1]), "its graph fails for inputs of 2 x 1 x 8 x 8"),
        (nan, "says probabilities that are no numbers"),
        (lambda: make_graph(gain=float("inf")), "says probabilities that are no numbers"),
    ],
)
def test_a_graph_that_does_not_fit_is_one_line(tmp_path, made, words):
    write_graph(tmp_path / "a.onnx", model=made())
    with pytest.raises(ModelError, match=words) as caught:
        open_exported(tmp_path / "a.onnx")
    assert len(caught.value.lines) == 1
    assert caught.value.lines[0].startswith(f"{tmp_path}/a.onnx: ")
    assert "\n" not in caught.value.lines[0]


def test_values_out_of_range_are_told_of_when_an_image_brings_them(tmp_path):
    opened = open_exported(write_graph(tmp_path / "a.onnx", gain=2.0))
    with pytest.raises(ModelError, match="says probabilities from -1 to 2, expected 0 to 1"):
        answer(opened, find_images(np.full((8, 8), 255, np.uint8)))


def test_features_other_than_the_metadata_tell_are_one_line(tmp_path):
    known = measure_range([8], [8], ["8-bit grey"], np.zeros((2, 3)))
    write_graph(tmp_path / "a.onnx", *ALL, about=info(ALL, training_range=known.to_json()))
    with pytest.raises(ModelError, match="gives 2 features, and its metadata tell of 3"):
        open_exported(tmp_path / "a.onnx")


def test_a_session_asks_the_processor_alone(tmp_path):
    opened = open_exported(write_graph(tmp_path / "a.onnx"))
    assert opened.members[0].network.session.get_providers() == ["CPUExecutionProvider"]
