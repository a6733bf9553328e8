import cv2
import numpy as np
import pytest

from medvision.phantoms.lungs import CLEAR, COVID, IGNORED, STANDING, SUPINE, draw_lungs
from medvision.phantoms.radiograph import draw_exposure

SIZE = (144, 150)


def draw(seed, finding=CLEAR, view=STANDING, *, overlay=False):
    patient = draw_exposure(np.random.default_rng(seed))
    return draw_lungs(finding, view, patient, np.random.default_rng(seed), SIZE, overlay=overlay)


@pytest.mark.parametrize("view", [STANDING, SUPINE])
@pytest.mark.parametrize("finding", [CLEAR, COVID])
def test_there_are_two_lungs_and_they_are_dark(finding, view):
    for seed in range(5):
        image, mask = draw(seed, finding, view)
        assert image.shape == mask.shape == SIZE
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        assert count == 3, "background and two lungs"
        assert stats[1:, cv2.CC_STAT_AREA].min() > 0.06 * mask.size
        ring = (cv2.dilate(mask, np.ones((7, 7), np.uint8)) > 0) & (mask == 0)
        edge = (mask > 0) & (cv2.erode(mask, np.ones((7, 7), np.uint8)) == 0)
        assert image[edge].mean() < image[ring].mean() - 5


def test_lying_lungs_are_shorter_and_the_heart_is_wider():
    for seed in range(6):
        (_, standing), (_, supine) = draw(seed), draw(seed, view=SUPINE)
        heights = [np.ptp(np.flatnonzero(mask.any(axis=1))) for mask in (standing, supine)]
        assert heights[1] < 0.92 * heights[0]


def test_opacities_brighten_the_lungs_and_leave_the_mask():
    for seed in range(6):
        (clear, mask), (ill, same) = draw(seed), draw(seed, COVID)
        assert np.array_equal(mask, same)
        assert ill[mask == 1].mean() > clear[mask == 1].mean() + 3
        assert abs(ill[mask == 0].mean() - clear[mask == 0].mean()) < 3


def test_what_an_overlay_hides_is_ignored():
    for seed in range(8):
        (plain, mask), (image, marked) = draw(seed), draw(seed, overlay=True)
        ignored = marked == IGNORED
        assert 10 < ignored.sum() < 0.1 * mask.size
        assert np.array_equal(marked[~ignored], mask[~ignored])
        assert (mask[ignored] == 1).any(), "it lies over a lung"
        assert np.array_equal(image[~ignored], plain[~ignored])
        assert (image[ignored] == 250).any()


def test_patients_differ():
    masks = [draw(seed)[1] for seed in range(4)]
    assert all((a != b).mean() > 0.005 for k, a in enumerate(masks) for b in masks[:k])
