import zipfile

import pytest
import torch

from medvision.answering.model_info import KEY, ModelInfo
from medvision.exporting.torch_file import TorchProgram, write_torch
from tests.exporting.infos import make_info
from tests.exporting.networks import batched, check_outputs, draw_image, draw_network


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multitask")
    drawn = draw_network(folder, "multitask")
    write_torch(drawn.graph, make_info(), folder / "x.pt2")
    return drawn, folder / "x.pt2"


def test_a_program_says_of_originals_what_predict_says(written):
    check_outputs(written[0], TorchProgram(written[1]))


def test_what_it_is_stands_in_an_extra_file(written):
    extra = {KEY: ""}
    torch.export.load(written[1], extra_files=extra)
    assert ModelInfo.model_validate_json(extra[KEY]) == make_info()


def test_nothing_tells_where_it_was_made(written):
    with zipfile.ZipFile(written[1]) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            assert not any(word in content for word in (b".py", b"site-packages", b"stack_trace")), name


def test_half_a_network(tmp_path):
    drawn = draw_network(tmp_path, "two_layer_cnn", half=True)
    write_torch(drawn.graph, make_info(precision="fp16"), tmp_path / "x.pt2")
    pixels = draw_image(40, 50, 1)
    found = TorchProgram(tmp_path / "x.pt2")(batched(pixels))["probabilities"]
    assert abs(found - drawn.expected(pixels)["probabilities"]).max() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vit", "efficientnet_lite", "unet_resnet18"])
def test_other_networks(tmp_path, kind):
    drawn = draw_network(tmp_path, kind)
    write_torch(drawn.graph, make_info(), tmp_path / "x.pt2")
    check_outputs(drawn, TorchProgram(tmp_path / "x.pt2"))
