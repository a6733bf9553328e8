import contextlib
import io
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from medvision.data.images import frames_of, image_header, parse_image_name, read_image
from medvision.data.pixels import PIXEL_LIMIT
from medvision.errors import ImageError


@pytest.fixture
def grey() -> np.ndarray:
    """(37, 53) uint8 with every grey value and no symmetry."""
    noise = np.random.default_rng(1).integers(0, 256, (37, 53), dtype=np.uint8)
    noise[0, :8] = [0, 1, 2, 127, 128, 253, 254, 255]
    return noise


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (37, 53, 3), dtype=np.uint8)


def grey_of(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(float) @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp", ".jp2", ".gif", ".pgm"])
def test_lossless_grey_is_exact(tmp_path: Path, grey: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(grey).save(path, **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(read_image(path, 1), grey)
    np.testing.assert_array_equal(read_image(path, 3), np.stack([grey] * 3, axis=-1))
    for image in (read_image(path, 1), read_image(path, 3)):
        assert (image.dtype, image.flags.c_contiguous, image.flags.writeable) == (np.uint8, True, True)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_lossless_colour_is_exact_rgb(tmp_path: Path, rgb: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(rgb).save(path)
    np.testing.assert_array_equal(read_image(path, 3), rgb)
    assert np.abs(read_image(path, 1) - grey_of(rgb)).max() <= 0.51


def test_grey_stored_as_rgb_keeps_its_values(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", 1), grey)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_gives_the_pixels_of_opencv(tmp_path: Path, rgb: np.ndarray, mode: str, progressive: bool) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(rgb).convert(mode).save(path, quality=92, progressive=progressive)
    expected = cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(read_image(path, 3), expected)


def test_cmyk_jpeg_has_its_colours(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 40, 90)).convert("CMYK").save(tmp_path / "a.jpg", quality=98)
    assert np.abs(read_image(tmp_path / "a.jpg", 3).astype(int) - [200, 40, 90]).max() <= 6


def test_palette_and_one_bit(tmp_path: Path, rgb: np.ndarray, grey: np.ndarray) -> None:
    palette = Image.fromarray(rgb).quantize(16)
    palette.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_image(tmp_path / "p.png", 3), np.asarray(palette.convert("RGB")))
    Image.fromarray(grey > 99).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", 1), np.where(grey > 99, 255, 0))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_on_black(tmp_path: Path, grey: np.ndarray, mode: str) -> None:
    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[:, :10], alpha[:, 10:20] = 0, 51
    image = Image.fromarray(grey).convert(mode)
    image.putalpha(Image.fromarray(alpha))
    image.save(tmp_path / "a.png")
    seen = read_image(tmp_path / "a.png", 1)
    assert not seen[:, :10].any()
    assert np.abs(seen[:, 10:20] - grey[:, 10:20] / 5).max() <= 0.5
    np.testing.assert_array_equal(seen[:, 20:], grey[:, 20:])


def test_transparent_colours_of_palette_and_key_are_black(tmp_path: Path) -> None:
    indices = np.array([[0, 1, 2]], np.uint8)
    palette = Image.fromarray(indices).convert("P")
    palette.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    palette.save(tmp_path / "p.png", transparency=bytes([255, 0, 255]))
    assert read_image(tmp_path / "p.png", 3).tolist() == [[[250, 0, 0], [0, 0, 0], [0, 0, 250]]]
    Image.fromarray(np.array([[9, 77]], np.uint8)).save(tmp_path / "k.png", transparency=77)
    assert read_image(tmp_path / "k.png", 1).tolist() == [[9, 0]]


@pytest.mark.parametrize(("highest", "bits"), [(255, 8), (900, 10), (4095, 12), (9000, 14), (65535, 16)])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey_is_scaled_by_its_depth(tmp_path: Path, highest: int, bits: int, suffix: str) -> None:
    deep = np.random.default_rng(3).integers(0, highest + 1, (20, 30)).astype(np.uint16)
    deep[0, 0] = highest
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    expected = deep * (255 / (2**bits - 1))
    assert np.abs(read_image(tmp_path / f"a{suffix}", 1) - expected).max() <= 0.501


def test_16_bit_colour_keeps_the_upper_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(4).integers(0, 2**16, (20, 30, 3)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), deep[..., ::-1])
    assert np.abs(read_image(tmp_path / "a.png", 3).astype(int) - (deep >> 8)).max() <= 1


def test_big_endian_tiff(tmp_path: Path) -> None:
    deep = np.arange(600, dtype=np.uint16).reshape(20, 30) * 109
    tifffile.imwrite(tmp_path / "a.tif", deep, byteorder=">")
    assert np.abs(read_image(tmp_path / "a.tif", 1) - deep / 257).max() <= 0.501


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_wide_numbers_are_scaled_by_their_own_range(tmp_path: Path, dtype: str) -> None:
    wide = np.linspace(-1000, 3000, 600).reshape(20, 30).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", wide)
    assert np.abs(read_image(tmp_path / "a.tif", 1) - (wide + 1000.0) / 4000 * 255).max() <= 0.501


def test_what_is_not_finite_is_black_and_does_not_count(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[np.nan, -np.inf, np.inf, 2, 3]], np.float32))
    assert read_image(tmp_path / "a.tif", 1).tolist() == [[0, 0, 0, 0, 255]]
    tifffile.imwrite(tmp_path / "b.tif", np.full((3, 4), np.nan, np.float32))
    assert not read_image(tmp_path / "b.tif", 1).any()
    tifffile.imwrite(tmp_path / "c.tif", np.full((3, 4), 0.5, np.float32))
    assert not read_image(tmp_path / "c.tif", 1).any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    upright = np.zeros((32, 48), np.uint8)
    upright[:16, :16], upright[16:, 32:] = 250, 120
    turns = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }  # fmt: skip
    stored = Image.fromarray(np.ascontiguousarray(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / f"a{suffix}", exif=exif, **({"quality": 95} if suffix == ".jpg" else {}))
    seen = read_image(tmp_path / f"a{suffix}", 1)
    assert seen.shape == upright.shape
    assert np.abs(seen.astype(int) - upright).max() <= 3


@pytest.mark.parametrize("suffix", [".tif", ".gif"])
def test_pages_are_frames_counted_from_0(tmp_path: Path, suffix: str) -> None:
    pages = [np.full((8 + 2 * (suffix == ".tif") * n, 9), 60 * n, np.uint8) for n in range(4)]
    first, *others = map(Image.fromarray, pages)
    path = tmp_path / f"a{suffix}"
    first.save(path, save_all=True, append_images=others)
    assert frames_of(path) == 4
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(read_image(path, 1, number), page)
    np.testing.assert_array_equal(read_image(path, 1), pages[0])
    with pytest.raises(ImageError, match=rf"a{suffix}: has no frame 4, its 4 frames are counted from 0"):
        read_image(path, 1, 4)


def test_previews_are_no_frames(tmp_path: Path, grey: np.ndarray) -> None:
    image = Image.fromarray(grey)
    image.save(tmp_path / "a.png", save_all=True, append_images=[image.rotate(90), image.rotate(180)])
    assert frames_of(tmp_path / "a.png") == 1


def save_as(name: str, image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    options = {"progressive.jpg": {"progressive": True}, "lzw.tif": {"compression": "tiff_lzw"}}.get(name, {})
    formats = {
        "png": "PNG",
        "jpg": "JPEG",
        "tif": "TIFF",
        "bmp": "BMP",
        "gif": "GIF",
        "webp": "WEBP",
        "jp2": "JPEG2000",
    }
    Image.fromarray(image).save(buffer, formats[name.split(".")[1]], **options)
    return buffer.getvalue()


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.99, -13, -5, -2, -1])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "progressive.jpg", "a.tif", "lzw.tif", "a.bmp", "a.webp"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # of damaged directories and EXIF blocks
def test_truncated_files_are_refused(tmp_path: Path, rgb: np.ndarray, name: str, part: float) -> None:
    content = save_as(name, rgb[:, :52])  # rows of a BMP end at multiples of 4 bytes
    (tmp_path / name).write_bytes(content[: part if part < 0 else int(part * len(content))])
    with pytest.raises(ImageError, match=rf"^[^\n]*{name}: [^\n]*truncated[^\n]*$"):
        read_image(tmp_path / name, 1)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")  # of damaged directories and EXIF blocks
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "lzw.tif", "a.bmp", "a.gif", "a.webp", "a.jp2"])
def test_damaged_files_give_an_image_or_an_image_error(tmp_path: Path, rgb: np.ndarray, name: str) -> None:
    content = np.frombuffer(save_as(name, rgb[:16, :16]), np.uint8)
    random = np.random.default_rng(5)
    for _ in range(60):
        damaged = content.copy()
        damaged[random.integers(0, len(content), 4)] = random.integers(0, 256, 4)
        (tmp_path / name).write_bytes(damaged.tobytes())
        with contextlib.suppress(ImageError):
            assert read_image(tmp_path / name, 3).ndim == 3


def bomb(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 9_600, 40_000, 2_000_000_000])
def test_pixel_bombs_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    (tmp_path / "a.png").write_bytes(bomb(side, side))
    assert side * side > PIXEL_LIMIT
    with pytest.raises(ImageError, match=r"a\.png: .*(limit is 80 megapixels|exceeds limit)"):
        read_image(tmp_path / "a.png", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"label,patient\n", "not an image of a supported format"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"%PDF-1.7", "a PDF"),
        (b"\x89PNG\r\n\x1a\n", "damaged or truncated PNG"),
        (b"\xff\xd8\xff\xe0", "damaged or truncated JPEG"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (lambda: read_image(path, 1), lambda: frames_of(path), lambda: image_header(path)):
        with pytest.raises(ImageError, match=message) as caught:
            read()
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_paths_that_cannot_be_opened(tmp_path: Path, grey: np.ndarray) -> None:
    with pytest.raises(ImageError, match=r"nowhere\.png: no such file"):
        read_image(tmp_path / "nowhere.png", 1)
    with pytest.raises(ImageError, match="is a folder"):
        read_image(tmp_path, 1)
    with pytest.raises(ImageError, match="cannot be opened"):
        read_image(tmp_path / ("a" * 300), 1)
    secret = tmp_path / "secret.png"
    Image.fromarray(grey).save(secret)
    secret.chmod(0)
    if os.access(secret, os.R_OK):
        pytest.skip("the superuser may read everything")
    with pytest.raises(ImageError, match=r"secret\.png: cannot be opened: Permission denied"):
        read_image(secret, 1)


def test_header_and_suffixes(tmp_path: Path, rgb: np.ndarray) -> None:
    Image.fromarray(rgb).save(tmp_path / "a.png")
    assert image_header(tmp_path / "a.png") == (53, 37, "RGB")


def test_the_suffix_does_not_decide(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg", 1), grey)


def test_image_names() -> None:
    assert parse_image_name("a.dcm#3") == ("a.dcm", 3)
    assert parse_image_name("x#1/a.dcm") == ("x#1/a.dcm", None)
    assert parse_image_name("a#b.png") == ("a#b.png", None)
    assert parse_image_name("#1") == ("#1", None)
    assert parse_image_name("a#1#2") == ("a#1", 2)


def test_threads_read_the_same_pixels(tmp_path: Path, rgb: np.ndarray) -> None:
    for n in range(12):
        Image.fromarray(np.roll(rgb, n, axis=1)).save(tmp_path / f"{n}.png")
    paths = sorted(tmp_path.iterdir()) * 5
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda path: read_image(path, 1), paths))
    for path, image in zip(paths, parallel, strict=True):
        np.testing.assert_array_equal(image, read_image(path, 1))
