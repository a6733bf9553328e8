import cv2
import numpy as np
import pytest
from scipy import ndimage

from medvision.models.edge_features import EDGE_NAMES, edge_features, find_bands, second_line

SIZE, DARK, LIGHT = 120, 30, 200


def plane():
    return np.full((SIZE, SIZE), DARK, np.uint8)


def named(image, bright=150):
    values = edge_features(image, bright)
    assert values.shape == (len(EDGE_NAMES),)
    assert np.isfinite(values).all()
    return dict(zip(EDGE_NAMES, values, strict=True))


def arc(image, radius, thickness, half_width):
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(rows - (40 + radius), columns - 60)
    upper = rows < 40 + radius
    image[(np.abs(distance - radius) < thickness / 2) & (np.abs(columns - 60) <= half_width) & upper] = LIGHT
    return image


def test_an_image_of_one_grey_value_has_nothing():
    found = named(plane())
    assert set(found.values()) == {0.0}
    assert {name for name, value in named(np.full((SIZE, SIZE), 255, np.uint8)).items() if value} == {
        "bright_share",
        "bright_mean",
    }


def test_a_ramp_has_its_slope_everywhere_but_at_the_border():
    ramp = np.tile(np.arange(SIZE, dtype=np.uint8) * 2, (SIZE, 1))
    found = named(ramp)
    # Two grey values a pixel; OpenCV mirrors the image at its border, where the slope is 0.
    assert found["gradient_p90"] == 2
    assert found["gradient_mean"] == pytest.approx(2 * (SIZE - 2) / SIZE)
    assert found["gradient_vertical_share"] == 0
    assert named(ramp.T.copy())["gradient_vertical_share"] == 1


def test_gradients_are_those_of_scipy():
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
    across, down = (ndimage.sobel(image.astype(float), axis, mode="mirror") / 8 for axis in (1, 0))
    strength = np.hypot(across, down)
    found = named(image)
    assert found["gradient_mean"] == pytest.approx(strength.mean(), rel=1e-5)
    assert found["gradient_sd"] == pytest.approx(strength.std(), rel=1e-5)
    assert found["gradient_p99"] == pytest.approx(np.percentile(strength, 99), rel=1e-5)


def test_the_outline_of_a_square_is_its_edge():
    image = plane()
    image[30:90, 30:90] = LIGHT
    # One pixel wide around 60 × 60 pixels; its corners are rounded off.
    assert named(image)["edge_density"] * SIZE**2 == pytest.approx(4 * 60, rel=0.05)


def test_bright_pixels_lie_above_the_limit():
    image = plane()
    image[:10] = 150
    image[50, :60] = 151
    found = named(image)
    assert found["bright_share"] == pytest.approx(60 / SIZE**2)
    assert found["bright_mean"] == 151
    assert named(image, bright=149)["bright_share"] == pytest.approx((60 + 10 * SIZE) / SIZE**2)


@pytest.mark.parametrize(("upright", "tilt"), [(False, 0), (True, 90)])
def test_a_straight_band_is_measured_to_the_pixel(upright, tilt):
    image = plane()
    image[58:63, 20:101] = LIGHT
    found = named(image.T.copy() if upright else image)
    assert found["band_count"] == 1
    assert found["band_length_px"] == pytest.approx(81)
    assert found["band_thickness_px"] == pytest.approx(5)
    assert found["band_curvature_per_px"] == pytest.approx(0, abs=1e-9)
    assert found["band_tilt_deg"] == pytest.approx(tilt)
    assert found["band_share"] == pytest.approx(81 * 5 / SIZE**2)
    assert found["band_row_share"] == pytest.approx(60 / 119)


def test_a_slanting_band_is_as_long_and_as_steep_as_it_was_drawn():
    rows, columns = np.mgrid[:SIZE, :SIZE]
    along, across = ((columns - 60) * 4 + (rows - 50) * 3) / 5, ((rows - 50) * 4 - (columns - 60) * 3) / 5
    image = plane()
    image[(np.abs(along) <= 50) & (np.abs(across) <= 2)] = LIGHT
    found = named(image)
    assert found["band_length_px"] == pytest.approx(100, rel=0.02)
    assert found["band_tilt_deg"] == pytest.approx(np.degrees(np.arctan2(3, 4)), abs=0.5)
    assert found["band_thickness_px"] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("radius", [80, 150, 300])
def test_the_curvature_of_an_arc_is_one_by_its_radius(radius):
    found = named(arc(plane(), radius, 5, 35))
    assert found["band_curvature_per_px"] == pytest.approx(1 / radius, rel=0.12)
    assert found["band_length_px"] == pytest.approx(2 * radius * np.arcsin(35.5 / radius), rel=0.02)
    assert found["band_thickness_px"] == pytest.approx(5, rel=0.05)


def test_length_and_axis_agree_with_the_ellipse_of_equal_moments():
    image = cv2.line(plane(), (15, 70), (105, 50), LIGHT, 5)
    moments = cv2.moments((image > 150).astype(np.uint8), binaryImage=True)
    angle = 0.5 * np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"])
    assert named(image)["band_tilt_deg"] == pytest.approx(abs(np.degrees(angle)), abs=1e-6)


def test_spots_and_short_strokes_are_no_bands():
    image = plane()
    image[20:40, 20:40] = LIGHT
    image[80, 80:90] = LIGHT
    image[100, 10] = LIGHT
    assert named(image)["band_count"] == 0
    image[110, 10:30] = LIGHT
    assert named(image)["band_count"] == 1


def test_the_longest_band_comes_first():
    image = plane()
    image[20:25, 10:50] = image[60:62, 10:110] = LIGHT
    found = named(image)
    regions, bands = find_bands(image > 150)
    assert [round(band.length) for band in bands] == [100, 40]
    assert (regions == bands[0].number).sum() == 200
    assert (found["band_length_px"], found["band_length_sum_px"]) == (pytest.approx(100), pytest.approx(140))
    assert (found["band_thickness_px"], found["band_thickness_mean_px"]) == (pytest.approx(2), pytest.approx(3.5))


def test_a_second_contour_is_found_where_it_runs():
    image = plane()
    image[60:64, 10:110] = LIGHT
    single = named(image)
    image[40:42, 30:80] = LIGHT
    double = named(image)
    assert single["second_line_share"] == 0
    assert double["second_line_share"] == pytest.approx(0.5)
    assert double["second_line_distance_px"] == pytest.approx(61.5 - 40.5)
    assert double["second_line_distance_sd_px"] == 0


def test_a_band_far_away_is_no_second_contour():
    image = plane()
    image[20:22, 10:110] = image[90:92, 10:100] = LIGHT
    assert named(image)["band_count"] == 2
    assert named(image)["second_line_share"] == 0


def test_contours_that_meet_are_still_two():
    line = np.zeros((20, 10), bool)
    line[5] = line[12] = line[5:13, 0] = True
    # In all columns but the first, two runs of one region.
    assert second_line(line, line, 10) == (0.9, 7, 0)


def test_distances_column_by_column():
    line, bands = np.zeros((30, 4), bool), np.zeros((30, 4), bool)
    line[10] = True
    bands |= line
    bands[[14, 16, 10], [0, 1, 2]] = True
    bands[[4, 25], [1, 3]] = True
    # 4 px below, 6 px above and below, none, one beyond reach.
    share, median, spread = second_line(line, bands, 8)
    assert (share, median) == (0.5, 5)
    assert spread == pytest.approx(np.std([4, 6]))


def test_noise_is_measured_without_an_end():
    image = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE)).astype(np.uint8)
    assert named(image)["bright_share"] == pytest.approx(105 / 256, abs=0.02)
