from dataclasses import replace

import numpy as np
import pytest

from medvision.phantoms.radiograph import Film, collimate, draw_exposure, expose, turn_points

SQUARE = np.array([[20, 20], [60, 20], [60, 60], [20, 60]], dtype=float)


@pytest.fixture
def patient():
    return replace(draw_exposure(np.random.default_rng(0)), noise=0.0)


def test_bone_is_brighter_than_tissue_and_tissue_than_air(patient):
    film = Film(80, 80, patient)
    film.tissue(np.array([[5, 5], [75, 5], [75, 75], [5, 75]], dtype=float))
    film.bone(SQUARE)
    image = expose(film, np.random.default_rng(0)).astype(float)
    assert image[30:50, 30:50].mean() > image[10:16, 30:50].mean() > image[:3].mean()


def test_the_cortex_is_brighter_than_spongy_bone(patient):
    film = Film(80, 80, patient)
    film.bone(SQUARE, cortex=3)
    assert film.hard[30:50, 22:25].mean() > film.hard[30:50, 36:44].mean() > 0
    assert (film.hard[:15] == 0).all()


def test_metal_is_the_brightest(patient):
    film = Film(80, 80, patient)
    film.bone(SQUARE)
    film.metal(np.array([[36, 30], [44, 30], [44, 50], [36, 50]], dtype=float))
    image = expose(film, np.random.default_rng(0))
    middle = image[32:49, 38:43]
    assert middle.min() > image[30:50, 50:54].max()


def test_overlapping_outlines_are_one_mask(patient):
    film = Film(80, 80, patient)
    both = film.mask(SQUARE, SQUARE + 10)
    assert both.max() == 1
    assert np.array_equal(both, film.mask(SQUARE) | film.mask(SQUARE + 10))


def test_collimation_keeps_the_middle_and_marks_the_side():
    image = np.full((200, 160), 100, dtype=np.uint8)
    before = image.copy()
    done = collimate(image, np.random.default_rng(0))
    assert (done[80:120, 60:100] == 100).all()
    assert done.max() > 200, "the marker"
    assert done.min() == 0
    assert np.array_equal(image, before), "the given image is left alone"


def test_points_turn_about_their_centre():
    turned = turn_points(np.array([[2.0, 1.0], [1.0, 1.0]]), 90, (1, 1))
    assert np.allclose(turned, [[1, 2], [1, 1]])


def test_exposures_differ():
    generator = np.random.default_rng(0)
    assert draw_exposure(generator) != draw_exposure(generator)
