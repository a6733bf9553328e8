import numpy as np
import pytest

from medvision.data.resize import Box, Geometry
from medvision.reports.gallery import LEAST, LONGEST, blend, map_picture, plain_picture

RANDOM = np.random.default_rng(0)


def noise(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def above(picture, height):
    """The image without the line below it."""
    return np.asarray(picture)[:height]


def luminance(colours):
    linear = np.where(colours <= 10.31475, colours / 255 / 12.92, ((colours / 255 + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("shape", [(400, 500), (400, 500, 1), (400, 500, 3), (320, 640)])
def test_an_image_of_fitting_size_is_shown_pixel_by_pixel(shape):
    image = noise(*shape)
    picture = plain_picture(image, simulated=False)
    assert picture.mode == "RGB"
    assert picture.width == shape[1]
    expected = image.reshape(*shape[:2], -1)
    assert (above(picture, shape[0]) == expected).all()
    assert picture.height > shape[0]


@pytest.mark.parametrize(
    ("shape", "shown"),
    [((2000, 1000), (640, 320)), ((900, 1800), (320, 640)), ((28, 28), (336, 336)), ((200, 100), (400, 200))],
)
def test_large_images_are_reduced_and_small_ones_enlarged_a_whole_number_of_times(shape, shown):
    image = noise(*shape)
    picture = plain_picture(image, simulated=False)
    assert picture.width == max(shown[1], LEAST)
    left = (picture.width - shown[1]) // 2
    pixels = above(picture, shown[0])[:, left : left + shown[1]]
    if max(shape) < LEAST:
        times = shown[0] // shape[0]
        assert (pixels[::times, ::times, 0] == image).all()
        assert (pixels[times - 1 :: times, times - 1 :: times, 2] == image).all()
    else:
        assert max(shown) == LONGEST
        assert abs(pixels.mean() - image.mean()) < 0.5


def test_where_there_is_no_evidence_the_image_is_not_touched():
    image = noise(330, 350, 3)
    evidence = np.zeros((330, 350), np.float32)
    evidence[100:200, 50:90] = 1
    picture = map_picture(image, evidence, "evidence for gout", simulated=False)
    changed = (above(picture, 330) != image).any(axis=-1)
    assert changed[100:200, 50:90].mean() > 0.99
    changed[100:200, 50:90] = False
    assert not changed.any()


def test_an_empty_map_has_no_scale_of_colours():
    image, evidence = noise(330, 350), np.zeros((330, 350), np.float32)
    empty = map_picture(image, evidence, "no positive evidence for gout", simulated=False, scale=False)
    full = map_picture(image, evidence, "evidence for gout", simulated=False)
    assert (above(empty, 330) == image[..., None]).all()

    def most_colour(picture):
        below = np.asarray(picture)[330:].astype(int)
        return (below.max(axis=-1) - below.min(axis=-1)).max()

    assert most_colour(full) > 100
    assert most_colour(empty) < 30


@pytest.mark.parametrize("grey", [0, 60, 128])
def test_stronger_evidence_is_brighter_and_so_legible_without_colour(grey):
    values = np.linspace(0, 1, 21, dtype=np.float32)[None]
    bright = luminance(blend(np.full((1, 21, 3), grey, np.uint8), values).astype(float))[0]
    if grey < 128:
        assert (np.diff(bright[2:]) > 0).all()
    # Blue-yellow is the axis that all three kinds of dichromats with red-green deficiency keep.
    colours = blend(np.full((1, 21, 3), grey, np.uint8), values).astype(int)[0]
    yellow = colours[:, :2].mean(axis=1) - colours[:, 2]
    assert yellow[-6:].min() > 25
    assert abs(yellow[0]) == 0


def test_a_map_by_hand():
    picture = np.full((1, 2, 3), 100, np.uint8)
    # The last colour of inferno is (252, 255, 164), of which 65 % are taken.
    expected = [round(0.35 * 100 + 0.65 * value) for value in (252, 255, 164)]
    blended = blend(picture, np.array([[0.0, 1.0]], np.float32))
    assert blended[0, 0].tolist() == [100, 100, 100]
    assert np.abs(blended[0, 1].astype(int) - expected).max() <= 1


def test_evidence_keeps_its_place_when_the_image_is_reduced():
    image, evidence = np.zeros((1280, 640), np.uint8), np.zeros((1280, 640), np.float32)
    evidence[1000:1200, 40:240] = 1
    picture = map_picture(image, evidence, "evidence for gout", simulated=False)
    lit = above(picture, 640)[:, :320].max(axis=-1) > 60
    assert lit[502:598, 22:118].all()
    lit[498:602, 18:122] = False
    assert not lit.any()


def test_what_the_network_did_not_see_is_dark():
    image, evidence = np.full((400, 600), 200, np.uint8), np.zeros((400, 600), np.float32)
    seen = Geometry(400, 600, 64, "crop").source
    assert seen == Box(0, 100, 400, 400)
    shown = above(map_picture(image, evidence, "x", simulated=False, seen=seen), 400)
    assert (shown[:, 100:500] == 200).all()
    assert (shown[:, :100] == 70).all()
    assert (shown[:, 500:] == 70).all()
    whole = above(map_picture(image, evidence, "x", simulated=False, seen=Box(0, 0, 400, 600)), 400)
    assert (whole == 200).all()


def test_the_line_below_says_what_is_simulated():
    image, evidence = noise(330, 350), np.zeros((330, 350), np.float32)
    for drawn in (
        lambda simulated: plain_picture(image, simulated=simulated),
        lambda simulated: map_picture(image, evidence, "evidence for gout", simulated=simulated),
    ):
        real, simulated = (np.asarray(drawn(answer)) for answer in (False, True))
        assert (real[:330] == simulated[:330]).all()
        words = [(picture[330:] > 150).sum() for picture in (real, simulated)]
        assert words[1] > words[0] + 300


@pytest.mark.parametrize(
    "text", ["evidence for gout", "evidence for " + "a very long name " * 3, "x" * 200, "evidence for " + "x" * 200, ""]
)
@pytest.mark.parametrize("shape", [(400, 10), (10, 400), (350, 350), (1, 1)])
def test_every_text_stays_inside_the_picture(text, shape):
    picture = map_picture(noise(*shape), np.zeros(shape, np.float32), text, simulated=True)
    plain = plain_picture(noise(*shape), simulated=True)
    assert picture.width == plain.width >= LEAST
    assert plain.height <= picture.height <= plain.height + 26
    assert np.asarray(picture)[-6:].max() < 60, "below the last line there is a gap"
    assert np.asarray(picture)[-40:, -6:].max() < 60


def test_image_and_map_have_one_size():
    image = noise(500, 400)
    shown = map_picture(image, np.zeros((500, 400), np.float32), "evidence for gout", simulated=False)
    assert shown.size == plain_picture(image, simulated=False).size
