import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from medvision.data.images import read_image
from medvision.data.mask_files import (
    COLOUR,
    code_of,
    nearest_codes,
    read_codes,
    tally_codes,
    text_of,
)
from medvision.data.pixels import PIXEL_LIMIT
from medvision.errors import ImageError

RED, GREEN, BLUE = (COLOUR + code for code in (0xFF0000, 0x00FF00, 0x0000FF))


@pytest.fixture
def labels() -> np.ndarray:
    """(37, 53) uint8, every value, no symmetry."""
    noise = np.random.default_rng(1).integers(0, 256, (37, 53), dtype=np.uint8)
    noise[0, :8] = [0, 1, 2, 127, 128, 253, 254, 255]
    return noise


def codes(path: Path, by_colour: bool = False) -> np.ndarray:
    return read_codes(path, None, by_colour)[0]


def mistake(path: Path) -> str:
    with pytest.raises(ImageError) as caught:
        read_codes(path, None, by_colour=False)
    (line,) = caught.value.lines
    assert line.startswith(str(path))
    return line


@pytest.mark.parametrize("text", ["", "1.5", "#ff", "#gg0000", "red", "0x1", "99999999", "#ff0000ff", " 1", "1e3"])
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ValueError):
        code_of(text)


@pytest.mark.parametrize("text", ["0", "255", "65535", "-1", "#ff0001", "#000100"])
def test_values_are_written_as_they_are_read(text: str) -> None:
    assert text_of(code_of(text), by_colour=False) == text


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif", ".webp", ".jp2", ".pgm"])
def test_grey_values_of_8_bits_survive(tmp_path: Path, labels: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(labels).save(path, **({"lossless": True, "exact": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(codes(path), labels)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".gif"])
def test_few_values_survive_as_well(tmp_path: Path, suffix: str) -> None:
    """Writers of GIF shrink the palette to the grey values that occur."""
    few = np.random.default_rng(0).choice(np.uint8([0, 100, 255]), (9, 14))
    Image.fromarray(few).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(codes(tmp_path / f"a{suffix}"), few)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_are_not_scaled(tmp_path: Path, suffix: str) -> None:
    deep = np.random.default_rng(2).integers(0, 2**16, (20, 30)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / f"a{suffix}"), deep)
    np.testing.assert_array_equal(codes(tmp_path / f"a{suffix}"), deep)
    cv2.imwrite(str(tmp_path / f"b{suffix}"), deep % 3)
    np.testing.assert_array_equal(codes(tmp_path / f"b{suffix}"), deep % 3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_1_bit_is_0_and_1(tmp_path: Path, labels: np.ndarray, suffix: str) -> None:
    Image.fromarray(labels > 99).save(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(codes(tmp_path / f"a{suffix}"), labels > 99)


@pytest.mark.parametrize("bits", [2, 4])
def test_grey_of_2_and_4_bits_is_not_spread(tmp_path: Path, bits: int) -> None:
    values = np.arange(2**bits, dtype=np.uint8)[None].repeat(3, axis=0)
    drawn = Image.fromarray(values).convert("P")
    drawn.putpalette([level for level in range(2**bits) for _ in range(3)])
    path = tmp_path / "a.png"
    drawn.save(path, bits=bits)
    content = bytearray(path.read_bytes())
    start = content.index(b"PLTE")
    length = int.from_bytes(content[start - 4 : start], "big")
    del content[start - 4 : start + 8 + length]
    content[25] = 0  # a grey PNG instead of a palette
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with Image.open(path) as image:
        assert (image.mode, content[24]) == ("L", bits)
    np.testing.assert_array_equal(codes(path), values)


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.uint32, np.float32])
def test_wide_tiff_keeps_whole_numbers(tmp_path: Path, kind: type) -> None:
    values = np.array([[0, 1, 100], [2, 7, 3]], kind)
    tifffile.imwrite(tmp_path / "a.tif", values)
    np.testing.assert_array_equal(codes(tmp_path / "a.tif"), values)


def test_fractions_and_huge_values_are_no_labels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.float32([[0, 0.5]]))
    assert "holds fractions" in mistake(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.float32([[0, np.nan]]))
    assert "holds fractions" in mistake(tmp_path / "a.tif")
    tifffile.imwrite(tmp_path / "a.tif", np.int32([[0, 2**24]]))
    assert "holds values from 0 to 16777216" in mistake(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_a_palette_counts_by_index_or_by_colour(tmp_path: Path, suffix: str) -> None:
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    palette = Image.fromarray(indices).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 9, 9, 9] + [0] * 759)
    path = tmp_path / f"p{suffix}"
    palette.save(path)
    np.testing.assert_array_equal(codes(path), indices)
    np.testing.assert_array_equal(codes(path, by_colour=True), [[0, RED, 9], [9, RED, 0]])


def test_the_index_counts_whatever_is_transparent(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    palette.putpalette([250, 0, 0, 0, 250, 0, 0, 0, 250])
    palette.save(tmp_path / "p.png", transparency=bytes([255, 0, 255]))
    assert codes(tmp_path / "p.png").tolist() == [[0, 1, 2]]


def test_colours_of_a_gif_count_not_its_indices(tmp_path: Path) -> None:
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[1:3, 2:4] = [0, 0, 255]
    Image.fromarray(rgb).quantize(4).save(tmp_path / "a.gif")
    expected = np.zeros((4, 6), int)
    expected[1:3, 2:4] = BLUE
    np.testing.assert_array_equal(codes(tmp_path / "a.gif"), expected)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
def test_colours_and_grey_stored_as_colours(tmp_path: Path, labels: np.ndarray, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 0], [7, 7, 7]]], np.uint8)).save(path)
    assert codes(path).tolist() == [[RED, GREEN], [0, 7]]
    Image.fromarray(np.stack([labels] * 3, axis=-1)).save(path)
    np.testing.assert_array_equal(codes(path), labels)
    assert codes(path).dtype == np.uint8


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_pixels_are_0(tmp_path: Path, mode: str) -> None:
    drawn = Image.fromarray(np.array([[5, 6, 7]], np.uint8)).convert(mode)
    drawn.putalpha(Image.fromarray(np.array([[255, 0, 128]], np.uint8)))
    drawn.save(tmp_path / "a.png")
    assert codes(tmp_path / "a.png").tolist() == [[5, 0, 7]]


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_of_16_bits_are_refused_and_not_cut(tmp_path: Path, channels: int) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((4, 5, channels), np.uint16))
    assert "holds colours or transparency of 16 bits" in mistake(tmp_path / "a.png")


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.uint16, np.float64])
def test_numpy_arrays(tmp_path: Path, kind: type) -> None:
    np.save(tmp_path / "a.npy", np.array([[0, 1], [1, 0]], kind))
    assert codes(tmp_path / "a.npy").tolist() == [[0, 1], [1, 0]]
    np.save(tmp_path / "a.npy", np.array([[-1, 300]]))
    assert codes(tmp_path / "a.npy").tolist() == [[-1, 300]]


def test_numpy_files_that_are_no_mask(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((2, 2, 3), np.uint8))
    assert "expected a two-dimensional array of whole numbers or bool, found uint8 of shape (2, 2, 3)" in mistake(path)
    np.save(path, np.array([["a"]]))
    assert "found <U1 of shape (1, 1)" in mistake(path)
    np.save(path, np.array([[{}]]), allow_pickle=True)
    assert "found object of shape (1, 1)" in mistake(path)
    path.write_bytes(b"\x93NUMPY")
    assert "cannot be read as a .npy file" in mistake(path)
    path.write_bytes(b"")
    assert "empty file" in mistake(path)
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(2))
    assert "cannot be read as a .npy file" in mistake(path)


def test_damaged_absent_and_huge_files(tmp_path: Path, labels: np.ndarray) -> None:
    assert "no such file" in mistake(tmp_path / "absent.png")
    Image.fromarray(labels).save(tmp_path / "a.png")
    (tmp_path / "half.png").write_bytes((tmp_path / "a.png").read_bytes()[:900])
    assert "damaged or truncated" in mistake(tmp_path / "half.png")
    (tmp_path / "text.png").write_text("hello")
    assert "not an image" in mistake(tmp_path / "text.png")
    np.lib.format.open_memmap(tmp_path / "huge.npy", mode="w+", dtype=bool, shape=(PIXEL_LIMIT // 1000, 1001))
    assert "the limit is 80 megapixels" in mistake(tmp_path / "huge.npy")
    Image.fromarray(np.zeros((PIXEL_LIMIT // 10_000, 10_001), bool)).save(tmp_path / "huge.png")
    assert "the limit is 80 megapixels" in mistake(tmp_path / "huge.png")


def test_one_frame_of_several_is_asked_for(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((3, 4), value, np.uint8)) for value in (1, 2)]
    path = tmp_path / "a.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    assert mistake(path).endswith("holds 2 frames, a mask is one; write a.tif#0 to 1")
    assert read_codes(path, 1, by_colour=False)[0].tolist() == [[2] * 4] * 3
    with pytest.raises(ImageError, match="has no frame 2"):
        read_codes(path, 2, by_colour=False)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "P", "RGB", "I;16"])
def test_mask_and_image_are_turned_alike(tmp_path: Path, mode: str, orientation: int) -> None:
    values = np.arange(12, dtype=np.uint16 if mode == "I;16" else np.uint8).reshape(3, 4)
    values = values + np.array(256 if mode == "I;16" else 0, values.dtype)
    drawn = Image.fromarray(np.stack([values] * 3, axis=-1) if mode == "RGB" else values)
    if mode == "P":
        drawn = drawn.convert("P")
        drawn.putpalette([level for level in range(256) for _ in range(3)])
    exif = Image.Exif()
    exif[0x0112] = orientation
    drawn.save(tmp_path / "mask.png", exif=exif)
    Image.fromarray(values.astype(np.uint8)).save(tmp_path / "image.png", exif=exif)
    with Image.open(tmp_path / "mask.png") as stored:
        assert stored.mode == mode
    np.testing.assert_array_equal(codes(tmp_path / "mask.png").astype(np.uint8), read_image(tmp_path / "image.png", 1))


def test_only_jpeg_is_lossy(tmp_path: Path, labels: np.ndarray) -> None:
    for suffix, lossy in ((".png", False), (".jpg", True), (".tif", False)):
        Image.fromarray(labels).save(tmp_path / f"a{suffix}")
        assert read_codes(tmp_path / f"a{suffix}", None, by_colour=False)[1] is lossy


def test_nearest_declared_values() -> None:
    declared = np.array([0, RED, GREEN])  # black to red 255, red to green 361: half the smallest distance is 127.5
    seen = np.array([20, COLOUR + 0xF00A05, COLOUR + 0x7F0000, COLOUR + 0x0A8203, COLOUR + 0x808000, 255])
    expected = [0, RED, 0, GREEN, COLOUR + 0x808000, 255]
    assert nearest_codes(seen, declared).tolist() == expected
    assert nearest_codes(np.array([2, 3]), np.array([0, 1, 4])).tolist() == [2, 3]
    assert nearest_codes(np.array([5]), np.array([0, 300])).tolist() == [5]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_codes_are_tallied(kind: type) -> None:
    values = np.random.default_rng(3).choice(np.array([0, 7, 255], kind), (30, 40))
    found, pixels, index = tally_codes(values)
    np.testing.assert_array_equal(found[index].reshape(30, 40), values)
    expected = dict(zip(*np.unique(values, return_counts=True), strict=True))
    assert {code: count for code, count in zip(found, pixels, strict=True) if count} == expected
