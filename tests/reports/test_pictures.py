import base64
import io

import pytest
from PIL import Image

from medvision.reports.pictures import embed_animation, embed_picture, embed_pictures, share_budget
from tests.reports.evaluated import noise


def open_url(url):
    head, body = url.split(",", 1)
    content = base64.b64decode(body)
    return head, content, Image.open(io.BytesIO(content))


def test_a_picture_becomes_a_jpeg_of_the_width_asked_for(tmp_path):
    noise(300, 400).save(tmp_path / "a.png")
    head, _, picture = open_url(embed_picture(tmp_path / "a.png", 200))
    assert head == "data:image/jpeg;base64"
    assert (picture.format, picture.size) == ("JPEG", (200, 150))
    assert open_url(embed_picture(tmp_path / "a.png", 2000))[2].size == (400, 300)


def test_a_jpeg_that_fits_is_taken_as_it_is(tmp_path):
    noise(300, 400).save(tmp_path / "a.jpg", quality=90)
    assert open_url(embed_picture(tmp_path / "a.jpg", 400))[1] == (tmp_path / "a.jpg").read_bytes()
    assert open_url(embed_picture(tmp_path / "a.jpg", 399))[2].size[0] == 399
    assert len(embed_picture(tmp_path / "a.jpg", 400, 20_000)) <= 20_000


@pytest.mark.parametrize(("most", "side"), [(400_000, 900), (50_000, 899), (1, 64)])
def test_quality_and_then_size_go_down_until_it_fits(tmp_path, most, side):
    noise(900, 600).save(tmp_path / "a.png")
    url = embed_picture(tmp_path / "a.png", 600, most)
    size = open_url(url)[2].size
    assert len(url) <= most or max(size) == 64
    assert 64 <= max(size) <= side


@pytest.mark.parametrize(
    ("sizes", "budget", "most"),
    [([10, 100, 200], 310, 200), ([10, 100, 200], 309, 199), ([10, 100, 200], 60, 25), ([], 5, 0), ([5, 5], 0, 0)],
)
def test_the_largest_give_way_first(sizes, budget, most):
    assert share_budget(sizes, budget) == most
    assert sum(min(size, most) for size in sizes) <= budget


def test_pictures_keep_to_their_budget_together(tmp_path):
    for k, side in enumerate((80, 400, 700)):
        noise(side, side, k).save(tmp_path / f"{k}.png")
    pictures = {str(k): (tmp_path / f"{k}.png", 1000) for k in range(3)}
    free = embed_pictures(pictures, 10_000_000)
    assert {name: open_url(url)[2].size[0] for name, url in free.items()} == {"0": 80, "1": 400, "2": 700}
    tight = embed_pictures(pictures, 150_000)
    assert sum(map(len, tight.values())) <= 150_000
    assert tight["0"] == free["0"]


def test_the_still_of_an_animation_is_its_last_frame(tmp_path):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        red, green, blue = open_url(embed_picture(tmp_path / name, 100))[2].getpixel((20, 15))
        assert blue > 200 > 60 > max(red, green)
        head, content, _ = open_url(embed_animation([tmp_path / name], 10_000))
        assert head == f"data:image/{name[2:]};base64"
        assert content == (tmp_path / name).read_bytes()


def test_the_first_animation_that_is_small_enough_is_taken(tmp_path):
    webp, gif = tmp_path / "a.webp", tmp_path / "a.gif"
    assert embed_animation([], 10_000) is None
    webp.write_bytes(bytes(600))
    gif.write_bytes(bytes(300))
    whole = len(embed_animation([webp], 10_000))
    assert embed_animation([webp, gif], whole).startswith("data:image/webp")
    assert embed_animation([webp, gif], whole - 1).startswith("data:image/gif")
    assert embed_animation([webp, gif], 100) is None
