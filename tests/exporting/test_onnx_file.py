import re
from dataclasses import dataclass
from types import SimpleNamespace

import onnx
import pytest
import torch

from medvision.answering.exported import read_metadata
from medvision.answering.model_info import KEY
from medvision.errors import ModelError
from medvision.exporting.onnx_file import add_info, write_onnx
from medvision.exporting.torch_file import write_torch
from tests.exporting.infos import make_info
from tests.exporting.networks import KINDS, batched, check_outputs, draw_image, draw_network, open_file


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multitask")
    drawn = draw_network(folder, "multitask")
    write_onnx(drawn.graph, 1, folder / "x.onnx")
    return drawn, folder / "x.onnx"


def test_a_file_says_of_originals_of_any_size_what_predict_says(written):
    drawn, path = written
    check_outputs(drawn, open_file(path))


def test_a_batch_is_answered_like_its_images(written):
    ask = open_file(written[1])
    images = [batched(draw_image(45, 61, 1, seed)) for seed in range(3)]
    together = ask(torch.cat([torch.from_numpy(one) for one in images]).numpy())
    for k, one in enumerate(images):
        for name, values in ask(one).items():
            assert abs(together[name][k] - values[0]).max() < 1e-5


def test_inputs_and_outputs_are_those_that_were_agreed(written):
    model = onnx.load(written[1])
    sides = {
        one.name: [side.dim_param or side.dim_value for side in one.type.tensor_type.shape.dim]
        for one in (*model.graph.input, *model.graph.output)
    }
    assert sides == {
        "image": ["batch", 1, "height", "width"],
        "probabilities": ["batch", 2],
        "mask_probabilities": ["batch", 3, "height", "width"],
        "mask": ["batch", "height", "width"],
        "features": ["batch", sides["features"][1]],
    }
    kinds = {one.name: one.type.tensor_type.elem_type for one in (*model.graph.input, *model.graph.output)}
    assert kinds.pop("image") == kinds.pop("mask") == onnx.TensorProto.UINT8
    assert set(kinds.values()) == {onnx.TensorProto.FLOAT}


def test_nothing_tells_where_it_was_made(written):
    content = written[1].read_bytes()
    assert not re.findall(rb"[\w./-]*(?:\.py\b|site-packages|medvision|/home|/root|/tmp|/work)[\w./-]*", content)


@pytest.mark.slow
def test_windows_have_one_size(tmp_path):
    drawn = draw_network(tmp_path, "unet", fit="none")
    write_onnx(drawn.graph, 1, tmp_path / "x.onnx")
    shape = onnx.load(tmp_path / "x.onnx").graph.input[0].type.tensor_type.shape
    assert [side.dim_param or side.dim_value for side in shape.dim] == ["batch", 1, 32, 32]


class Exported:
    """What the exporter of torch gives, of a network too large or for one size."""

    def __init__(self, images, size):
        shape = (images, 1, "height", "width")
        value = onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, shape)
        self.model_proto = FakeModel(SimpleNamespace(input=[value]), size)


@dataclass
class FakeModel:
    graph: SimpleNamespace
    size: int

    def ByteSize(self):  # noqa: N802
        return self.size


@pytest.mark.parametrize(
    ("images", "size", "words"),
    [("batch", 3 * 2**30, "has 3.2 GB, an ONNX file holds 2 GB"), (2, 1000, "only for inputs of .2, 1, 'height'")],
)
def test_what_no_file_could_hold_is_refused(tmp_path, monkeypatch, images, size, words):
    monkeypatch.setattr(torch.onnx, "export", lambda *given, **settings: Exported(images, size))
    with pytest.raises(ModelError, match=words):
        write_onnx(draw_network(tmp_path, "two_layer_cnn").graph, 1, tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()


def depends_on_values(images):
    return images if images.sum() > 0 else -images


def test_a_network_that_cannot_be_traced_is_refused_in_one_line(tmp_path, monkeypatch):
    drawn = draw_network(tmp_path, "two_layer_cnn")
    monkeypatch.setattr(drawn.graph.task, "normalise", depends_on_values)
    writers = {"onnx": lambda: write_onnx(drawn.graph, 1, tmp_path / "x.onnx")}
    writers["torch"] = lambda: write_torch(drawn.graph, make_info(), tmp_path / "x.pt2")
    for kind, write in writers.items():
        with pytest.raises(ModelError, match=f"--format {kind}: torch cannot export this network: ") as caught:
            write()
        assert len(caught.value.lines) == 1
        assert "\n" not in caught.value.lines[0]


def test_what_it_is_stands_in_the_file_and_nothing_else(written, tmp_path):
    info = make_info()
    path = tmp_path / "y.onnx"
    model = onnx.load(written[1])
    onnx.helper.set_model_props(model, {"left": "by somebody"})
    onnx.save(model, path)
    add_info(path, info)
    assert read_metadata(path) == info
    assert [entry.key for entry in onnx.load(path).metadata_props] == [KEY]


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "multitask"])
def test_every_kind_of_network_says_in_a_file_what_predict_says(tmp_path, kind, channels):
    drawn = draw_network(tmp_path, kind, channels=channels)
    write_onnx(drawn.graph, channels, tmp_path / "x.onnx")
    check_outputs(drawn, open_file(tmp_path / "x.onnx"), channels)


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_every_way_to_a_square_is_in_the_file(tmp_path, fit):
    drawn = draw_network(tmp_path, "multitask", "--evaluation.flips=true", fit=fit)
    write_onnx(drawn.graph, 1, tmp_path / "x.onnx")
    check_outputs(drawn, open_file(tmp_path / "x.onnx"))


@pytest.mark.slow
def test_large_images_are_counted_exactly(tmp_path):
    """Beyond 2 ** 24 float32 has no odd numbers: sizes times sizes must stay whole numbers."""
    drawn = draw_network(tmp_path, "two_layer_cnn")
    write_onnx(drawn.graph, 1, tmp_path / "x.onnx")
    check_outputs(drawn, open_file(tmp_path / "x.onnx"), sizes=((5000, 7001), (9999, 37)))
