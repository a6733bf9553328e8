import numpy as np
import pytest
import torch

from medvision.evaluation import temperature
from medvision.exporting.graph import HalfNetwork, temper
from tests.exporting.networks import batched, check_outputs, draw_image, draw_network

FLIPS = "--evaluation.flips=true"


def ask(drawn, pixels):
    with torch.inference_mode():
        return {name: values.numpy() for name, values in drawn.graph(torch.from_numpy(batched(pixels))).items()}


def check(drawn, channels=1):
    def answers(pixels):
        with torch.inference_mode():
            return {name: values.numpy() for name, values in drawn.graph(torch.from_numpy(pixels)).items()}

    check_outputs(drawn, answers, channels)


@pytest.mark.parametrize("kind", ["two_layer_cnn", "multilabel", "vit", "unet", "multitask"])
def test_a_graph_says_of_originals_what_predict_says(tmp_path, kind):
    check(draw_network(tmp_path, kind))


@pytest.mark.parametrize("fit", ["stretch", "crop"])
@pytest.mark.parametrize("kind", ["two_layer_cnn", "unet"])
def test_every_way_to_a_square_is_in_the_graph(tmp_path, kind, fit):
    check(draw_network(tmp_path, kind, fit=fit))


def test_colour(tmp_path):
    check(draw_network(tmp_path, "two_layer_cnn", channels=3), channels=3)


@pytest.mark.parametrize("kind", ["two_layer_cnn", "multitask"])
def test_flips_are_averaged_in_the_graph(tmp_path, kind):
    check(draw_network(tmp_path, kind, FLIPS))
    plain, flipped = (draw_network(tmp_path, kind, *options) for options in ((), (FLIPS,)))
    pixels = draw_image(32, 32, 1)
    assert np.abs(ask(plain, pixels)["probabilities"] - ask(flipped, pixels)["probabilities"]).max() > 1e-6


def test_windows_are_not_resized(tmp_path):
    drawn = draw_network(tmp_path, "unet", fit="none")
    pixels = draw_image(32, 32, 1)
    found, expected = ask(drawn, pixels), drawn.expected(pixels)
    np.testing.assert_allclose(found["mask_probabilities"], expected["mask_probabilities"], atol=1e-5)
    np.testing.assert_allclose(found["features"], expected["features"], atol=1e-5)


def test_what_a_crop_does_not_see_is_background(tmp_path):
    found = ask(draw_network(tmp_path, "unet", fit="crop"), draw_image(30, 50, 1))
    assert not found["mask_probabilities"][..., :10].any()
    assert not found["mask"][..., 40:].any()
    np.testing.assert_allclose(found["mask_probabilities"][..., 10:40].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("value", [0.06, 0.8, 1.0, 3.0, 90.0])
def test_temperature_is_that_of_the_evaluation(multilabel, value):
    generator = np.random.default_rng(0)
    drawn = generator.dirichlet([0.2, 0.3, 0.4], 200).astype(np.float32)
    edges = np.eye(3, dtype=np.float32)
    for probabilities in (drawn, edges):
        expected = temperature.temper(probabilities.astype(np.float64), value, multilabel=multilabel)
        found = temper(torch.from_numpy(probabilities), value, multilabel=multilabel).numpy()
        np.testing.assert_allclose(found, probabilities if value == 1 else expected, atol=2e-5)


def test_half_a_network_takes_and_gives_32_bits(tmp_path):
    whole, half = draw_network(tmp_path, "multitask"), draw_network(tmp_path, "multitask", half=True)
    assert isinstance(half.graph.task.network, HalfNetwork)
    assert {value.dtype for value in half.graph.task.network.parameters()} == {torch.float16}
    assert half.graph.task.pixel_mean.dtype == torch.float32
    pixels = draw_image(40, 30, 1)
    found, expected = ask(half, pixels), ask(whole, pixels)
    assert {name: values.dtype for name, values in found.items()} == {
        name: values.dtype for name, values in expected.items()
    }
    difference = np.abs(found["probabilities"] - expected["probabilities"]).max()
    assert 0 < difference < 0.01


def test_the_task_that_was_given_is_left_as_it_was(tmp_path):
    drawn = draw_network(tmp_path, "unet", half=True)
    assert {value.dtype for value in drawn.network.task.network.parameters()} == {torch.float32}
    assert all(value.requires_grad for value in drawn.network.task.network.parameters())
    assert not any(value.requires_grad for value in drawn.graph.parameters())
