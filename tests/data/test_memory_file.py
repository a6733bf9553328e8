import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medvision.data.dicom_tags import dicom_tags
from medvision.data.images import frames_of, image_header, read_image
from medvision.data.memory_file import MemoryFile
from medvision.data.storage import storage_of
from medvision.errors import ImageError
from tests.data.test_dicom import write

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (21, 34), dtype=np.uint8)
DEEP = RNG.integers(0, 4096, (21, 34), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (21, 34, 3), dtype=np.uint8)


@pytest.fixture(params=["grey.png", "colour.jpg", "deep.tif", "packed.tiff", "plain.dcm", "many.tif"])
def file(request, tmp_path) -> Path:
    path = tmp_path / request.param
    if path.suffix == ".dcm":
        return write(path, DEEP, 12, {"PixelSpacing": [0.5, 0.25], "PatientID": "7"})
    pages = [Image.fromarray(array) for array in ([DEEP] if "deep" in path.name else [GREY, 255 - GREY])]
    pages = [Image.fromarray(COLOUR)] if "colour" in path.name else pages
    options = {"save_all": True, "append_images": pages[1:]} if "many" in path.name else {}
    pages[0].save(path, **options, **({"compression": "tiff_lzw"} if "packed" in path.name else {}))
    return path


@pytest.mark.parametrize("channels", [1, 3])
def test_is_read_as_the_file_is(file, channels):
    memory = MemoryFile(file.name, file.read_bytes())
    for frame in range(frames_of(file)):
        assert np.array_equal(read_image(memory, channels, frame), read_image(file, channels, frame))
    assert (frames_of(memory), image_header(memory), storage_of(memory)) == (
        frames_of(file),
        image_header(file),
        storage_of(file),
    )
    if file.suffix == ".dcm":
        assert dicom_tags(memory) == dicom_tags(file)
        assert dicom_tags(memory)["row_mm"] == 0.5


def test_a_deflated_dicom_is_read(medvision_data):
    file = medvision_data / "dicom" / "pydicom_image_dfl.dcm"
    assert np.array_equal(read_image(MemoryFile("x.dcm", file.read_bytes()), 1), read_image(file, 1))


def test_damage_is_told_by_its_name(file):
    memory = MemoryFile(file.name, file.read_bytes()[:6])
    with pytest.raises(ImageError, match=f"^{file.name}: "):
        read_image(memory, 1)
    with pytest.raises(ImageError, match=f"^{file.name}: empty file"):
        read_image(MemoryFile(file.name, b""), 1)


def test_a_file_of_the_same_name_is_never_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.png").write_bytes(b"secret")
    memory = MemoryFile("x.png", b"own")
    assert memory.read_bytes() == b"own"
    assert memory.open("rb").read() == b"own"
    for reach in (os.stat, open, io.open, os.fspath, Image.open):
        with pytest.raises((TypeError, ImageError, OSError)):
            reach(memory)
    for reach in (memory.stat, memory.read_text, memory.resolve):
        with pytest.raises((OSError, ValueError, TypeError)):
            reach()
    assert not memory.exists()
    assert not memory.is_file()
    with pytest.raises(ValueError, match="rb"):
        memory.open("wb")
    assert Path("x.png").read_bytes() == b"secret"


@pytest.mark.parametrize(
    ("given", "called"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\knee.dcm", "knee.dcm"),
        ("a\nb\0\x1b[1m.png", "ab[1m.png"),
        ("", "file"),
        ("/", "file"),
        ("x" * 400, "x" * 200),
    ],
)
def test_its_name_is_a_name_alone(given, called):
    file = MemoryFile(given, b"1")
    assert str(file) == file.name == str(file.absolute()) == called


def test_the_suffix_outlives_a_long_name():
    assert MemoryFile("x" * 400 + ".dcm", b"").suffix == ".dcm"
