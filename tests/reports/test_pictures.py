import base64
import io

import numpy as np
import pytest
from PIL import Image

from medvision.reports.pictures import MOST_ANIMATION_BYTES, choose_animation, embed_animation, embed_picture


def open_url(url):
    head, body = url.split(",", 1)
    content = base64.b64decode(body)
    return head, content, Image.open(io.BytesIO(content))


def noise(height, width):
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_a_picture_becomes_a_jpeg_of_the_width_asked_for(tmp_path):
    noise(300, 400).save(tmp_path / "a.png")
    head, _, picture = open_url(embed_picture(tmp_path / "a.png", 200))
    assert head == "data:image/jpeg;base64"
    assert (picture.format, picture.size) == ("JPEG", (200, 150))
    assert open_url(embed_picture(tmp_path / "a.png", 2000))[2].size == (400, 300)


@pytest.mark.parametrize(("most", "width"), [(200_000, 600), (40_000, 599), (1, 200)])
def test_quality_and_then_size_go_down_until_it_fits(tmp_path, most, width):
    noise(900, 600).save(tmp_path / "a.png")
    _, content, picture = open_url(embed_picture(tmp_path / "a.png", 600, most))
    assert len(content) <= most or picture.width == 200
    assert 200 <= picture.width <= width


def test_the_still_of_an_animation_is_its_last_frame(tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        red, green, blue = open_url(embed_picture(tmp_path / name, 100))[2].getpixel((20, 15))
        assert blue > 200 > 60 > max(red, green)
        head, content, _ = open_url(embed_animation(tmp_path / name))
        assert head == f"data:image/{name[2:]};base64"
        assert content == (tmp_path / name).read_bytes()


def test_an_animation_is_chosen_that_is_there_and_small(tmp_path):
    webp, gif = tmp_path / "a.webp", tmp_path / "a.gif"
    assert choose_animation(webp, gif) is None
    gif.write_bytes(b"small")
    assert choose_animation(webp, gif) == gif
    webp.write_bytes(bytes(MOST_ANIMATION_BYTES))
    assert choose_animation(webp, gif) == webp
    webp.write_bytes(bytes(MOST_ANIMATION_BYTES + 1))
    assert choose_animation(webp, gif) == gif
