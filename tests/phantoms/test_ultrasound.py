import cv2
import numpy as np
import pytest

from medvision.phantoms.ultrasound import (
    FAT,
    FLUID,
    MUSCLE,
    Scene,
    draw_examination,
    scan,
    sector,
    sector_positions,
    smooth_noise,
)


@pytest.fixture
def patient():
    return draw_examination(np.random.default_rng(0))


def make(patient, view=0, hand=0):
    return Scene(60, 80, patient, view, np.random.default_rng(hand))


def test_below_bone_lies_a_shadow(patient):
    scene = make(patient)
    scene.bone(0.5)
    image = scan(scene, np.random.default_rng(1)).astype(float)
    surface = int(np.median(image.argmax(axis=0)))
    assert image[surface].mean() > image[: surface - 8].mean() > image[surface + 8 :].mean()


def test_nothing_is_where_a_surface_is_infinite(patient):
    scene = make(patient)
    scene.bone(np.inf)
    assert (scene.transmission == 1).all()
    assert (scene.reflection == 0).all()


def test_filling_stays_between_its_curves(patient):
    scene = make(patient)
    scene.fill(0.3, 0.6, FLUID)
    top, bottom = scene.place(0.3), scene.place(0.6)
    inside = (scene.row >= top) & (scene.row < bottom)
    assert (scene.scatter[inside] == np.float32(FLUID)).all()
    assert (scene.scatter[~inside] == np.float32(MUSCLE)).all()


def test_fibres_differ_along_the_depth(patient):
    scene = make(patient)
    scene.fibres(0.2, 0.8, FAT, strands=6)
    assert scene.scatter.std() > 0
    assert (scene.scatter > 0).all()


def test_the_skin_stays_at_the_probe(patient):
    assert np.allclose(make(patient).place(0.0), 0)


def test_images_of_one_view_share_tissue_and_differ_by_the_hand(patient):
    images = [scan(make(patient, view, hand), np.random.default_rng(hand)) for view, hand in ((0, 1), (0, 2), (0, 1))]
    assert np.array_equal(images[0], images[2])
    assert not np.array_equal(images[0], images[1])


def test_examinations_differ():
    generator = np.random.default_rng(0)
    assert draw_examination(generator) != draw_examination(generator)


def test_a_sector_is_black_outside_its_fan():
    fan = sector(np.full((100, 100), 200, dtype=np.uint8))
    assert fan.shape == (100, 100)
    assert fan[50, 50] == 200
    assert fan[10, 0] == fan[10, -1] == fan[0, 50] == 0
    assert np.abs(fan.astype(int) - fan[:, ::-1]).mean() < 3


def test_smooth_noise_is_smooth():
    curve = smooth_noise(np.random.default_rng(0), 400, 5)
    assert curve.shape == (400,)
    assert np.abs(np.diff(curve)).max() < 0.1 * np.ptp(curve)


def test_the_samples_of_a_sector_lie_where_it_shows_them():
    """A bright sample of a beam appears at its position in the fan."""
    columns, rows = sector_positions((200, 200), opening=60)
    for sample in ((150, 100), (120, 60), (180, 150)):
        beams = np.zeros((200, 200), dtype=np.uint8)
        beams[sample] = 255
        beams = cv2.GaussianBlur(beams, (0, 0), 2)
        fan = sector(beams, opening=60).astype(float)
        down, across = np.mgrid[:200, :200]
        centre = (fan * across).sum() / fan.sum(), (fan * down).sum() / fan.sum()
        assert centre == pytest.approx((columns[sample], rows[sample]), abs=0.6)


def test_a_point_of_the_tissue_is_its_own_centre(patient):
    scene = make(patient)
    across, down = scene.around(0.5, 0.4)
    column = int(np.argmin(np.abs(across)))
    row = int(np.argmin(np.abs(down[:, column])))
    assert abs(scene.x[column] - 0.5) < 0.02
    assert abs(scene.row[row, 0] - scene.place(0.4)[column]) < 0.01
