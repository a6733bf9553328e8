"""Networks that were trained on drawn discs answer for files elsewhere."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from medvision import fit
from medvision.answers import answer, count_patients, find_images, open_members
from medvision.config import load_experiment, show
from medvision.data.images import FORMATS
from medvision.errors import DataError, RunError
from medvision.evaluation.operating_point import Decision
from medvision.runs import RunFolder, read_table, write_json
from tests.drawings import draw_folder
from tests.kinds import DATA, KINDS, SHARED, write_experiment

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")
PARTS = ("fold-0", "fold-1", "fold-2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run, and the folder of its images."""
    root = write_experiment(tmp_path_factory.mktemp("discs"), KINDS["classification"])
    run = fit.main([str(root / "discs.yaml"), f"--output={root / 'runs'}", *QUICK])
    return run, root / "images"


@pytest.fixture
def copied(trained, tmp_path):
    """A run of one's own to be changed, and the folder of its images."""
    shutil.copytree(trained[0].path, tmp_path / "run")
    return RunFolder(tmp_path / "run"), trained[1]


def ask(run, *paths):
    return answer(open_members(run), list(paths))


def test_answers_are_those_of_the_prediction_table(trained):
    run, images = trained
    rows = read_table(run.predictions)
    found = ask(run, *(images / name for name in rows["image"]))
    assert list(found["image"]) == [str(images / name) for name in rows["image"]]
    assert list(found["predicted"]) == list(rows["predicted"])
    np.testing.assert_allclose(found["p_class1"], rows["p_class1"], atol=1e-6)
    np.testing.assert_allclose(found["p_class0"] + found["p_class1"], 1, atol=1e-6)
    assert list(found["trained_on"]) == list(rows["split"] == "val")
    assert list(found) == ["image", "predicted", "p_class0", "p_class1", "trained_on"]


def test_only_the_run_folder_and_the_images_are_needed(copied, tmp_path, monkeypatch):
    run, images = copied
    expected = ask(run, images / "class1")
    run.experiment.write_text(run.experiment.read_text().replace(str(images), str(tmp_path / "gone")))
    assert str(images) not in run.experiment.read_text()
    shutil.copytree(images / "class1", tmp_path / "elsewhere" / "new")
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = ask(run.path, "new")
    assert list(found["image"]) == sorted(f"new/{file.name}" for file in (images / "class1").iterdir())
    pd.testing.assert_frame_equal(found.drop(columns="image"), expected.drop(columns="image"))


def test_a_run_on_an_archive_answers_for_files(copied, tmp_path):
    run, images = copied
    expected = ask(run, images / "class0")
    options = ["--data.name=medmnist", f"--data.root={tmp_path}", "--data.image_size=32"]
    run.experiment.write_text(show(load_experiment([str(run.experiment)], options)))
    found = ask(run, images / "class0")
    pd.testing.assert_frame_equal(found.drop(columns="trained_on"), expected.drop(columns="trained_on"))
    assert not found["trained_on"].any(), "the table of an archive knows no files"


def test_the_answer_follows_from_temperature_and_threshold_of_the_run(copied):
    run, images = copied
    write_json(run.decision, Decision().to_json())
    plain = ask(run, images / "class0")
    logit = np.log(plain["p_class1"] / plain["p_class0"])
    middle = float(np.median(plain["p_class1"]))
    cooled = Decision(
        temperature=2.0, thresholds={"image": {"class1": 1 / (1 + np.exp(-np.log(middle / (1 - middle)) / 2))}}
    )
    write_json(run.decision, cooled.to_json())
    found = ask(run, images / "class0")
    np.testing.assert_allclose(found["p_class1"], 1 / (1 + np.exp(-logit / 2)), atol=1e-6)
    assert set(found["predicted"][found["p_class1"] > cooled.threshold("image", "class1") + 1e-6]) == {"class1"}
    assert set(found["predicted"][found["p_class1"] < cooled.threshold("image", "class1") - 1e-6]) == {"class0"}


@pytest.fixture
def ensemble(trained, tmp_path):
    """A cross-validation of three folds, made of the same run with other temperatures and thresholds."""
    parent = RunFolder(tmp_path / "parent")
    parent.parts.mkdir(parents=True)
    shutil.copyfile(trained[0].experiment, parent.experiment)
    write_json(parent.plan, {"kind": "cross_validation", "folds": 3, "repeats": 1, "choose": {}, "parts": list(PARTS)})
    for number, name in enumerate(PARTS):
        shutil.copytree(trained[0].path, parent.parts / name)
        decision = Decision(temperature=0.5 + number, thresholds={"image": {"class1": (0.1, 0.5, 0.6)[number]}})
        write_json(RunFolder(parent.parts / name).decision, decision.to_json())
    return parent


def test_folds_answer_together(ensemble, trained):
    images = trained[1]
    single = [ask(RunFolder(ensemble.parts / name), images) for name in PARTS]
    found = ask(ensemble, images)
    values = np.stack([table["p_class1"] for table in single])
    np.testing.assert_allclose(found["p_class1"], values.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["sd_class1"], values.std(axis=0, ddof=1), rtol=1e-6)
    # The mean of 0.1, 0.5 and 0.6.
    assert list(found["predicted"] == "class1") == list(values.mean(axis=0) >= 0.4)
    assert found["trained_on"].sum() == 36 - (read_table(trained[0].split)["split"] == "test").sum()


def test_an_image_is_known_if_any_fold_has_learned_from_it(ensemble, trained):
    for name in PARTS[1:]:
        split = RunFolder(ensemble.parts / name).split
        read_table(split).assign(split="test").to_csv(split, index=False)
    assert ask(ensemble, trained[1])["trained_on"].any()
    split = RunFolder(ensemble.parts / PARTS[0]).split
    read_table(split).assign(split="unused").to_csv(split, index=False)
    assert not ask(ensemble, trained[1])["trained_on"].any()


def test_patients_behind_the_thresholds_of_all_folds_are_counted_once(ensemble, trained):
    assert count_patients(open_members(ensemble)) == count_patients(open_members(trained[0]))
    split = RunFolder(ensemble.parts / PARTS[0]).split
    table = read_table(split)
    before = set(table["group"][table["split"] == "val"])
    table.assign(split=table["split"].replace({"val": "train", "test": "val"})).to_csv(split, index=False)
    moved = set(table["group"][table["split"] == "test"])
    assert count_patients(open_members(ensemble)) == len(before | moved)


def test_an_unfinished_cross_validation_is_one_line(ensemble):
    RunFolder(ensemble.parts / "fold-1").report.unlink()
    with pytest.raises(RunError, match="fold-1 not finished"):
        open_members(ensemble)


def test_a_folder_of_several_experiments_is_one_line(ensemble):
    write_json(ensemble.plan, {"kind": "comparison"})
    with pytest.raises(RunError, match="holds runs of several experiments; name one of them") as caught:
        open_members(ensemble)
    assert len(caught.value.lines) == 1


def test_a_run_without_a_checkpoint_is_one_line(copied):
    copied[0].best.unlink()
    with pytest.raises(RunError, match="no checkpoint; the run was stopped before its first epoch"):
        open_members(copied[0])


def test_a_run_for_masks_is_one_line(copied):
    environment = json.loads(copied[0].environment.read_text())
    environment["data"] |= {"classes": [], "mask_classes": ["background", "disc"]}
    write_json(copied[0].environment, environment)
    with pytest.raises(RunError, match="a run for masks, and this command says which class") as caught:
        open_members(copied[0])
    assert len(caught.value.lines) == 1


def test_all_images_that_cannot_be_read_are_told(trained, tmp_path):
    run, images = trained
    good = next((images / "class0").iterdir())
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(DataError) as caught:
        ask(run, good, tmp_path / "absent.png", tmp_path / "text.png", tmp_path / "empty")
    assert caught.value.lines == (
        f"{tmp_path}/absent.png: no such file",
        f"{tmp_path}/text.png: not an image of a supported format ({', '.join(FORMATS)}, DICOM)",
        f"{tmp_path}/empty: no image below this folder",
    )
    # Its header is whole, and only decoding shows what is missing.
    whole = good.read_bytes()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError) as caught:
        ask(run, tmp_path / "a.png", good, tmp_path / "b.png")
    assert [line.split(":")[0] for line in caught.value.lines] == [f"{tmp_path}/a.png", f"{tmp_path}/b.png"]


def test_frames_are_images_and_copies_are_asked_once(trained, tmp_path):
    pages = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in (10, 240)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    found = ask(trained[0], tmp_path / "two.tif", str(tmp_path / "two.tif"))
    assert list(found["image"]) == [f"{tmp_path}/two.tif#0", f"{tmp_path}/two.tif#1"]
    assert found["p_class1"].nunique() == 2
    assert not found["trained_on"].any()


def test_folders_are_searched_without_what_is_hidden(tmp_path):
    for name in ("b/deep/2.png", "a/1.jpg", "a/._1.jpg", "_sheet.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4), np.uint8))
    (tmp_path / "notes.txt").write_text("")
    assert find_images([tmp_path]) == [f"{tmp_path}/a/1.jpg", f"{tmp_path}/b/deep/2.png"]
    with pytest.raises(DataError, match="no image was named"):
        find_images([])


@pytest.fixture(scope="module")
def tiled(tmp_path_factory):
    """A run on tiles, and the folder of its images: discs in one of the halves of each image."""
    root = tmp_path_factory.mktemp("tiled")
    draw_folder(root / "drawn", 18, size=32)
    for label, name in enumerate(("normal", "double_contour")):
        (root / "images" / name).mkdir(parents=True)
        for file in (root / "drawn" / f"class{label}").iterdir():
            plain = np.full((32, 32), 30, np.uint8)
            image = np.hstack([plain, cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)])
            cv2.imwrite(str(root / "images" / name / file.name), image)
    content = {
        **SHARED,
        "data": {
            "name": "double_contour",
            "root": str(root / "images"),
            "tiles": {"rows": 1, "columns": 2},
            **{name: value for name, value in DATA.items() if name != "patient_pattern"},
        },
        "model": KINDS["classification"].model,
        "evaluation": {"aggregate": "noisy_or", "temperature": False},
    }
    (root / "tiled.yaml").write_text(yaml.safe_dump(content))
    return fit.main([str(root / "tiled.yaml"), f"--output={root / 'runs'}", *QUICK]), root / "images"


def test_tiles_are_cut_and_united(tiled):
    run, images = tiled
    rows = read_table(run.predictions)
    rows = rows[rows["split"] == "test"]
    none_of_them = (1 - rows["p_double_contour"]).groupby(rows["study"]).prod()
    found = ask(run, *(images / name for name in none_of_them.index))
    np.testing.assert_allclose(found["p_double_contour"], 1 - none_of_them, atol=1e-6)
    assert list(found["predicted"] == "double_contour") == list(found["p_double_contour"] >= 0.5)
    assert not found["trained_on"].any()
    assert len(found) == len(none_of_them)
    assert ask(run, images)["trained_on"].sum() > 0


def test_the_thresholds_of_images_in_tiles_are_those_of_studies(tiled):
    (member,) = open_members(tiled[0])
    images = [str(tiled[1] / "normal")]
    values = answer([member], images)["p_double_contour"]
    threshold = float(np.median(values)) + 1e-9
    decision = replace(
        member.decision, thresholds={"study": {"double_contour": threshold}, "image": {"double_contour": 0.0}}
    )
    found = answer([replace(member, decision=decision)], images)
    assert list(found["predicted"] == "double_contour") == list(values >= threshold)
    assert found["predicted"].nunique() == 2


def test_an_image_too_small_for_the_tiles_is_one_line(tiled, tmp_path):
    cv2.imwrite(str(tmp_path / "thin.png"), np.zeros((9, 1), np.uint8))
    with pytest.raises(DataError) as caught:
        ask(tiled[0], tmp_path / "thin.png")
    assert caught.value.lines == (f"{tmp_path}/thin.png: 1 x 9 pixels cannot be cut into 1 rows and 2 columns",)
