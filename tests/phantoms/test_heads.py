import cv2
import numpy as np
import pytest

from medvision.phantoms.heads import Head, draw_head, draw_outline
from medvision.phantoms.ultrasound import draw_examination

SIZE = (135, 200)


@pytest.fixture(scope="module")
def drawn():
    made = []
    for seed in range(12):
        hand = np.random.default_rng(seed)
        patient = draw_examination(hand)
        head = draw_outline(patient, hand, SIZE)
        made.append((draw_head(patient, head, hand, SIZE), head))
    return made


def test_a_circle_by_hand():
    head = Head(x=20, y=15, long=10, short=10, angle=33)
    assert head.circumference == pytest.approx(20 * np.pi)
    mask = head.mask((31, 41))
    # Gauss's circle problem: 317 points of the grid lie in a circle of radius 10 around one of them.
    assert mask.sum() == 317
    assert mask[15, 30] == 1
    assert mask[15, 31] == 0


def test_the_circumference_is_that_of_the_ellipse():
    """Against the length of a polygon of many corners."""
    head = Head(x=0, y=0, long=60, short=42, angle=20)
    angle = np.linspace(0, 2 * np.pi, 200_001)
    length = np.hypot(np.diff(60 * np.cos(angle)), np.diff(42 * np.sin(angle))).sum()
    assert head.circumference == pytest.approx(length, rel=1e-6)


def test_the_mask_is_turned_as_the_head():
    """OpenCV fits the ellipse to the mask's outline and finds its axes again."""
    head = Head(x=90, y=70, long=60, short=42, angle=20)
    contours, _ = cv2.findContours(head.mask((140, 180)), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    (x, y), (short, long), angle = cv2.fitEllipse(contours[0])
    assert (x, y) == pytest.approx((90, 70), abs=0.5)
    assert (short, long) == pytest.approx((84, 120), abs=2)
    assert angle - 90 == pytest.approx(20, abs=1.5)


def test_images_are_fans_on_black(drawn):
    for image, head in drawn:
        assert image.shape == SIZE
        assert image.dtype == np.uint8
        assert image.std() > 10
        assert (image[20:60, 6:14] == 0).all(), "beside the fan"
        assert 0.15 < head.mask(SIZE).mean() < 0.6


def test_the_skull_lies_on_the_border_of_the_mask(drawn):
    """Where the beam meets it upright, within the mask and not outside of it."""
    at_border, inside, outside = [], [], []
    for image, head in drawn:
        row, column = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
        along, across = head.place(column, row)
        reach, below = np.hypot(along, across), (np.abs(along) < 0.35) & (across > 0)
        at_border.append(image[below & (reach > 0.93) & (reach < 1)].mean())
        inside.append(image[below & (reach > 0.75) & (reach < 0.88)].mean())
        outside.append(image[below & (reach > 1.04) & (reach < 1.1)].mean())
    assert np.mean(np.array(at_border) > np.array(inside) + 15) > 0.8
    assert np.mean(np.array(at_border) > np.array(outside) + 15) > 0.8


def test_the_skull_fades_where_the_beam_runs_along_it(drawn):
    sides, poles = [], []
    for image, head in drawn:
        row, column = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
        along, across = head.place(column, row)
        ring = (np.hypot(along, across) > 0.93) & (np.hypot(along, across) < 1)
        sides.append(image[ring & (np.abs(across) < 0.3)].mean())
        poles.append(image[ring & (np.abs(along) < 0.3)].mean())
    assert np.mean(poles) > np.mean(sides) + 15


def test_a_patient_has_one_shape_of_head():
    patients = [draw_examination(np.random.default_rng(seed)) for seed in range(6)]
    ratios = np.array(
        [[(h := draw_outline(p, np.random.default_rng(k), SIZE)).short / h.long for k in range(3)] for p in patients]
    )
    assert np.ptp(ratios, axis=1).max() < 1e-9
    assert len(set(ratios[:, 0].round(6))) == 6
