import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import namedtuple

import numpy as np
import pytest

from medvision.data import cache
from medvision.data.cache import Decoded, cache_key, inspect_images, open_cache
from medvision.errors import DataError, ImageError

SHAPE = (5, 4, 4)
NAMES = [f"{k}.png" for k in range(5)]


def decode(name: str) -> Decoded:
    number = int(name[0])
    return Decoded(np.full((4, 4), number, dtype=np.uint8), 10 + number, 20, f"digest{number}")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MEDVISION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cache_holds_what_was_decoded_and_is_built_once():
    calls = []

    def counted(name):
        calls.append(name)
        return decode(name)

    pixels, inspection = open_cache("key", SHAPE, NAMES, counted)
    again, same = open_cache("key", SHAPE, NAMES, counted)
    assert sorted(calls) == NAMES
    assert inspection == same
    assert inspection.heights == [10, 11, 12, 13, 14]
    assert inspection.digests[3] == "digest3"
    for row in range(5):
        assert (pixels[row] == row).all()
        assert (again[row] == row).all()
    assert len(pixels) == 5


def test_cache_is_read_only_and_pickles_by_path(folder):
    pixels, _ = open_cache("key", SHAPE, NAMES, decode)
    with pytest.raises(ValueError, match="read-only"):
        pixels[0][0, 0] = 1
    blob = pickle.dumps(pixels)
    assert len(blob) < 1000
    assert (pickle.loads(blob)[4] == 4).all()


def test_unreadable_images_are_listed_not_raised():
    def broken(name):
        if name == "2.png":
            raise ImageError("2.png: truncated")
        return decode(name)

    _, inspection = open_cache("key", SHAPE, NAMES, broken)
    assert inspection.errors == {2: "2.png: truncated"}
    assert inspection.digests[2] == ""
    assert inspect_images(NAMES, broken, lambda row, image: None) == inspection


def test_key_depends_on_every_value():
    assert cache_key({"a": 1}) == cache_key({"a": 1})
    assert cache_key({"a": 1}) != cache_key({"a": 2})


def test_too_little_space_is_refused_before_anything_is_written(monkeypatch, folder):
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda path: namedtuple("Usage", "free")(10))
    with pytest.raises(DataError, match="GiB are free.*MEDVISION_CACHE"):
        open_cache("key", SHAPE, NAMES, decode)
    assert not (folder / "key").exists()


def test_a_folder_that_cannot_be_written_says_what_to_do(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDVISION_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set MEDVISION_CACHE to another folder"):
        open_cache("key", SHAPE, NAMES, decode)


BUILDER = """
import sys, time
import numpy as np
from medvision.data.cache import Decoded, open_cache
def decode(name):
    time.sleep(float(sys.argv[1]))
    return Decoded(np.full((4, 4), int(name[0]), dtype=np.uint8), 4, 4, name)
pixels, _ = open_cache("key", (5, 4, 4), [f"{k}.png" for k in range(5)], decode)
assert [int(pixels[row].mean()) for row in range(5)] == [0, 1, 2, 3, 4]
"""


def start_builder(seconds: float) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", BUILDER, str(seconds)], stderr=subprocess.DEVNULL)


def test_two_builders_at_once_and_a_kill_in_the_middle_break_nothing(folder):
    killed = start_builder(2)
    while not list(folder.glob("key.part*")):
        assert killed.poll() is None
        time.sleep(0.02)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (folder / "key").exists()
    both = [start_builder(0.05), start_builder(0.05)]
    assert [process.wait() for process in both] == [0, 0]
    assert json.loads((folder / "key" / "index.json").read_text())["digests"] == NAMES
    assert not list(folder.glob("key.part*"))
