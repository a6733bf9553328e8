import cv2
import numpy as np
import pytest
from scipy import stats

from medvision.models.texture_features import HOG_NAMES, INTENSITY_NAMES, hog_features, intensity_features


def noise(size=128, seed=0):
    return np.random.default_rng(seed).integers(0, 200, (size, size)).astype(np.uint8)


def intensity(image):
    values = intensity_features(image)
    assert np.isfinite(values).all()
    return dict(zip(INTENSITY_NAMES, values, strict=True))


def test_intensities_are_those_of_numpy_and_scipy():
    image = noise()
    found = intensity(image)
    assert found["grey_mean"] == pytest.approx(image.mean())
    assert found["grey_sd"] == pytest.approx(image.std())
    assert found["grey_p75"] == np.percentile(image, 75)
    assert found["grey_skewness"] == pytest.approx(stats.skew(image, axis=None))
    assert found["grey_kurtosis"] == pytest.approx(stats.kurtosis(image, axis=None))
    counts = np.histogram(image, bins=32, range=(0, 256))[0]
    assert found["grey_entropy_bits"] == pytest.approx(stats.entropy(counts, base=2))
    assert found["black_share"] == (image == 0).mean()


def test_an_image_of_one_grey_value_has_no_spread():
    found = intensity(np.full((9, 9), 70, np.uint8))
    assert {found[f"grey_mean_r{row}c{column}"] for row in range(3) for column in range(3)} == {70}
    nothing = ("grey_sd", "grey_skewness", "grey_kurtosis", "grey_entropy_bits", "black_share", "local_sd_mean")
    assert [found[name] for name in nothing] == [0] * 6


def test_two_grey_values_are_one_bit():
    image = np.zeros((12, 12), np.uint8)
    image[:, 6:] = 200
    found = intensity(image)
    assert (found["grey_entropy_bits"], found["black_share"], found["grey_sd"]) == (1, 0.5, 100)
    assert (found["grey_mean_r1c0"], found["grey_mean_r1c1"], found["grey_mean_r2c2"]) == (0, 100, 200)


def test_the_local_spread_is_that_of_windows():
    image = noise(16)
    padded = np.pad(image.astype(float), 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5))
    assert intensity(image)["local_sd_mean"] == pytest.approx(windows.std(axis=(2, 3)).mean())


def slow_hog(image):
    """The method in loops, pixel by pixel and block by block."""
    image = image.astype(float)
    cells = np.zeros((8, 8, 9))
    for row in range(128):
        for column in range(128):
            down = image[row + 1, column] - image[row - 1, column] if 0 < row < 127 else 0.0
            across = image[row, column + 1] - image[row, column - 1] if 0 < column < 127 else 0.0
            angle = np.degrees(np.arctan2(down, across))
            angle = angle + 180 if angle < 0 else angle
            cells[row // 16, column // 16, int(angle // 20) % 9] += np.hypot(down, across) / 256
    values = []
    for row in range(7):
        for column in range(7):
            block = cells[row : row + 2, column : column + 2].ravel()
            block = block / np.sqrt(block @ block + 1e-10)
            block = np.minimum(block, 0.2)
            values.append(block / np.sqrt(block @ block + 1e-10))
    return np.concatenate(values)


def test_histograms_agree_with_loops():
    image = noise()
    found = hog_features(image)
    assert found.shape == (len(HOG_NAMES),)
    np.testing.assert_allclose(found, slow_hog(image), atol=1e-12)


def test_a_step_votes_for_the_direction_across_it():
    image = np.zeros((128, 128), np.uint8)
    image[:, 72:] = 100
    upright = hog_features(image).reshape(7, 7, 2, 2, 9)
    assert set(np.unique(np.nonzero(upright)[-1])) == {0}
    lying = hog_features(image.T.copy()).reshape(7, 7, 2, 2, 9)
    assert set(np.unique(np.nonzero(lying)[-1])) == {4}
    assert not upright[:, 0].any()


def test_brightness_and_contrast_are_normalised_away():
    image = noise() // 4
    np.testing.assert_allclose(hog_features(image), hog_features(image + 20), atol=1e-9)
    np.testing.assert_allclose(hog_features(image), hog_features(image * 4), atol=1e-6)


@pytest.mark.parametrize("size", [32, 224])
def test_every_size_gives_as_many_features(size):
    image = cv2.GaussianBlur(noise(size), (0, 0), 2)
    found = hog_features(image)
    assert found.shape == (len(HOG_NAMES),)
    assert 0 <= found.min() < found.max() <= 1


def test_a_plain_image_has_no_direction():
    assert not hog_features(np.full((64, 64), 90, np.uint8)).any()
