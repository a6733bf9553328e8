import numpy as np
import pytest

from medvision.phantoms.textures import (
    coordinates,
    muscle_level,
    paint_fat,
    paint_muscle,
    paint_skin,
    strands,
    streaks,
    turned,
)
from medvision.phantoms.ultrasound import MUSCLE, Scene, draw_examination

ROW, COLUMN = np.mgrid[:120, :120] / 120


def make(hand=0):
    patient = draw_examination(np.random.default_rng(0))
    return Scene(60, 80, patient, 0, np.random.default_rng(hand))


def test_streaks_are_longer_than_wide():
    texture = streaks(np.random.default_rng(0), COLUMN, ROW, 0.3, 0.02)
    steps = np.abs(np.diff(texture, axis=1)).mean(), np.abs(np.diff(texture, axis=0)).mean()
    assert steps[0] < 0.3 * steps[1]
    assert 0.6 < texture.std() < 1.5


def test_streaks_move_with_their_coordinates():
    """The same place of the tissue has the same value, wherever it lies in the image."""
    first = streaks(np.random.default_rng(0), COLUMN, ROW, 0.3, 0.02)
    moved = streaks(np.random.default_rng(0), COLUMN + 10 / 120, ROW + 5 / 120, 0.3, 0.02)
    np.testing.assert_allclose(moved[:-5, :-10], first[5:, 10:], atol=0.1)


def test_a_direction_falls_to_the_right_by_its_angle():
    along, across = turned(np.array([[np.sqrt(3), 1.0]]), np.array([[1.0, 0.0]]), 30)
    np.testing.assert_allclose(along, [[2, np.sqrt(3) / 2]])
    np.testing.assert_allclose(across, [[0, -0.5]], atol=1e-12)


def test_strands_only_brighten():
    np.testing.assert_allclose(strands(np.array([[-2.0, 1, 1.5, 9]]), 1, 4), [[1, 1, 3, 9]])


def test_coordinates_begin_at_the_curve():
    scene = make()
    across, down = coordinates(scene, 0.3)
    assert across.shape == down.shape == (60, 80)
    place = scene.place(0.3)
    for column in (0, 40, 79):
        assert np.interp(place[column], scene.row[:, 0], down[:, column]) == pytest.approx(0, abs=1e-5)
    assert np.diff(across[0]).min() > 0


@pytest.mark.parametrize(
    "paint",
    [
        lambda scene: paint_fat(scene, 0.2, 0.6),
        lambda scene: paint_muscle(scene, 0.2, 0.6, 0.03, lengthwise=True),
        lambda scene: paint_muscle(scene, 0.2, 0.6, 0.03, lengthwise=False),
    ],
    ids=["fat", "lengthwise", "across"],
)
def test_tissue_stays_between_its_curves(paint):
    scene = make()
    paint(scene)
    inside = scene.region(0.2, 0.6)
    assert (scene.scatter[~inside] == np.float32(MUSCLE)).all()
    assert scene.scatter[inside].std() > 0
    assert (scene.scatter[inside] > 0).all()


def test_skin_is_brighter_than_muscle():
    scene = make()
    paint_skin(scene, 0.1)
    assert scene.scatter[scene.region(0, 0.1)].mean() > 1.5 * MUSCLE
    assert (scene.scatter[scene.region(0.1, np.inf)] == np.float32(MUSCLE)).all()


def test_muscles_differ_in_brightness():
    levels = [muscle_level(np.random.default_rng(seed)) for seed in range(50)]
    assert np.exp(np.log(levels).mean()) == pytest.approx(0.7 * MUSCLE, rel=0.15)
    assert max(levels) > 1.5 * min(levels)
