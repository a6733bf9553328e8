import cv2
import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial import Delaunay

from medvision.data.outlines import fill_hull, fill_outlines
from medvision.errors import ImageError


def rings(*circles: tuple[int, int, int], thickness: int = 1) -> np.ndarray:
    drawn = np.zeros((60, 80), np.uint8)
    for row, column, radius in circles:
        cv2.circle(drawn, (column, row), radius, 1, thickness)
    return drawn > 0


@pytest.mark.parametrize("thickness", [1, 3])
@pytest.mark.parametrize(
    "circles", [[(30, 40, 20)], [(15, 15, 10), (40, 60, 15)], [(30, 40, 20), (30, 40, 8)], [(8, 8, 8)], []]
)
def test_outlines_are_filled_as_scipy_fills_holes(circles: list[tuple[int, int, int]], thickness: int) -> None:
    drawn = rings(*circles, thickness=thickness)
    np.testing.assert_array_equal(fill_outlines("a", drawn), ndimage.binary_fill_holes(drawn))


def test_a_diagonal_line_is_closed_and_a_gap_is_not() -> None:
    diamond = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)
    assert fill_outlines("a", diamond).tolist() == [[False, True, False], [True, True, True], [False, True, False]]
    gap = rings((30, 40, 20))
    gap[28:32, 55:65] = False
    with pytest.raises(ImageError, match="a: 1 of 1 outlines enclose nothing, the first at row 10, column 40"):
        fill_outlines("a", gap)
    with pytest.raises(ImageError, match="1 of 2 outlines"):
        fill_outlines("a", gap | rings((30, 10, 5)))
    with pytest.raises(ImageError, match="fill none if the shapes are filled already"):
        fill_outlines("a", rings((30, 40, 20), thickness=-1))


def test_the_hull_holds_the_pixels_inside_it() -> None:
    gap = rings((30, 40, 20))
    gap[28:32, 55:65] = False
    filled = fill_hull("a", gap)
    corners = Delaunay(np.argwhere(gap))
    grid = np.argwhere(np.ones_like(gap))
    inside = (corners.find_simplex(grid) >= 0).reshape(gap.shape)
    np.testing.assert_array_equal(filled, inside)
    assert not fill_hull("a", np.zeros((5, 5), bool)).any()


@pytest.mark.parametrize("points", [[(2, 2)], [(1, 1), (4, 4)], [(3, 0), (3, 2), (3, 4)]])
def test_a_hull_without_an_area(points: list[tuple[int, int]]) -> None:
    drawn = np.zeros((6, 6), bool)
    drawn[tuple(zip(*points, strict=True))] = True
    with pytest.raises(ImageError, match=f"its {len(points)} pixels lie on one line"):
        fill_hull("a", drawn)
