import json

import numpy as np
import pytest
from PIL import Image

from medvision import samples
from medvision.errors import ConfigError, DataError
from medvision.phantoms import sets
from medvision.phantoms.files import MARK, MARK_FILE
from medvision.phantoms.sets import SETS, generate


def files_of(folder):
    """Content by name, without the two files that tell how many patients there are."""
    files = (path for path in folder.rglob("*") if path.is_file())
    told = (MARK_FILE, "README.txt")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name not in told}


def images_of(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".png", ".jpg"))


@pytest.fixture(scope="module", params=sorted(SETS))
def drawn(request, tmp_path_factory):
    """The smallest set of each name: (name, folder)."""
    name = request.param
    return name, generate(name, tmp_path_factory.mktemp("drawn") / name, patients=SETS[name].least, images=1)


def test_the_same_seed_draws_the_same_files(drawn, tmp_path):
    name, folder = drawn
    again = generate(name, tmp_path / "again", patients=SETS[name].least, images=1)
    assert files_of(folder) == files_of(again)


def test_another_seed_draws_other_pixels(drawn, tmp_path):
    name, folder = drawn
    other = generate(name, tmp_path / "other", seed=1, patients=SETS[name].least, images=1)
    before, after = files_of(folder), files_of(other)
    pixels = {".png", ".jpg", ".npz"}
    common = [file for file in before.keys() & after.keys() if file[-4:] in pixels]
    assert all(before[file] != after[file] for file in common)
    assert common or name == "mura"


def test_a_larger_set_begins_with_the_smaller_one(drawn, tmp_path):
    name, folder = drawn
    larger = generate(name, tmp_path / "larger", patients=SETS[name].least + 1, images=1)
    if name == "medmnist":
        few, many = (np.load(root / "pneumoniamnist.npz") for root in (folder, larger))
        assert np.array_equal(many["train_images"][: len(few["train_images"])], few["train_images"])
        return
    few, many = files_of(folder), files_of(larger)
    pixels = [file for file in few if file.endswith((".png", ".jpg"))]
    assert len(pixels) < len(many)
    assert all(many[file] == few[file] for file in pixels)


def test_no_two_patients_look_the_same(drawn):
    name, folder = drawn
    contents = [path.read_bytes() for path in images_of(folder)]
    # The real set of infants' hips holds one copy, and so does the simulated one.
    assert len(contents) - len(set(contents)) == (name == "hip_us")


def test_every_image_carries_the_mark(drawn):
    name, folder = drawn
    images = images_of(folder)
    assert bool(images) == (name != "medmnist")
    for path in images:
        with Image.open(path) as image:
            comment = image.info["Comment" if path.suffix == ".png" else "comment"]
        assert (comment if isinstance(comment, str) else comment.decode()) == MARK
    if name == "medmnist":
        assert str(np.load(folder / "pneumoniamnist.npz")["SIMULATED"]) == MARK


def test_the_folder_carries_the_mark(drawn):
    name, folder = drawn
    mark = json.loads((folder / MARK_FILE).read_text())
    assert mark["simulated"] is True
    assert (mark["set"], mark["seed"], mark["patients"], mark["images"]) == (name, 0, SETS[name].least, 1)
    text = (folder / "README.txt").read_text()
    assert MARK in text
    assert f"python -m medvision.samples {name} <folder> --seed=0 --patients={SETS[name].least} --images=1" in text


def test_the_command_draws_what_the_function_draws(tmp_path, capsys):
    arguments = ["hip_us", str(tmp_path / "new" / "a"), "--seed=3", "--patients", "5", "--images=1"]
    folder = samples.main(arguments)
    assert folder == tmp_path / "new" / "a"
    assert str(folder) in capsys.readouterr().out
    assert files_of(folder) == files_of(generate("hip_us", tmp_path / "b", seed=3, patients=5))


def test_an_empty_folder_is_filled(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    generate("hip_us", folder, patients=5)
    assert (folder / MARK_FILE).is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="is not empty; nothing is written over"):
        generate("hip_us", tmp_path, patients=5)
    with pytest.raises(DataError, match="mine.txt: is a file"):
        generate("hip_us", tmp_path / "mine.txt", patients=5)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert (tmp_path / "mine.txt").read_text() == "keep"


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sets, "_mark", stop)
    with pytest.raises(KeyboardInterrupt):
        generate("hip_us", tmp_path / "set", patients=5)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written") as caught:
        generate("hip_us", tmp_path / "file" / "set", patients=5)
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("knee_section", "did you mean 'knee_sections'?"), ("brain", "known: folder, table, knee_sections")],
)
def test_a_bad_name_is_told_with_good_ones(tmp_path, name, words):
    with pytest.raises(ConfigError) as caught:
        generate(name, tmp_path / "set")
    assert caught.value.lines[0].startswith(f"no simulated data set '{name}'; {words}")
    assert list(tmp_path.iterdir()) == []


def test_numbers_out_of_range_are_all_told(tmp_path):
    with pytest.raises(ConfigError) as caught:
        generate("knee_xray", tmp_path / "set", seed=-1, patients=2, images=3)
    assert caught.value.lines == (
        "seed: -1 is negative",
        "patients: 2 are too few for knee_xray; at least 6",
        "images: 3 is out of range for knee_xray; at least 1 and at most 2",
    )


def test_a_bad_option_is_told_with_a_good_one(tmp_path):
    with pytest.raises(ConfigError, match="unknown option '--patient'; did you mean '--patients'?"):
        samples.main(["hip_us", str(tmp_path / "set"), "--patient=5"])
