"""Networks that were trained on drawn discs answer for files elsewhere."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from medvision import fit
from medvision.answering.asked import find_images
from medvision.answering.session import answer
from medvision.answers import member_runs, open_model
from medvision.config import load_experiment, show
from medvision.errors import RunError
from medvision.evaluation.operating_point import Decision
from medvision.mask_scoring import read_saved_mask
from medvision.runs import RunFolder, read_json, read_table, write_json
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
    return answer(open_model(run), find_images([str(path) for path in paths])).images


def test_answers_are_those_of_the_prediction_table(trained):
    run, images = trained
    rows = read_table(run.predictions)
    found = ask(run, *(images / name for name in rows["image"]))
    assert list(found["image"]) == [str(images / name) for name in rows["image"]]
    assert list(found["predicted"]) == list(rows["predicted"])
    for split in ("val", "test"):
        # Batch by batch as they were predicted, and therefore to the last digit.
        own = rows[rows["split"] == split]
        exact = ask(run, *(images / name for name in own["image"]))
        assert list(exact["p_class1"]) == list(own["p_class1"])
        assert list(exact["p_class0"]) == list(own["p_class0"])
    np.testing.assert_allclose(found["p_class1"], rows["p_class1"], atol=1e-6)
    assert list(found["trained_on"]) == list(rows["split"] == "val")
    assert [name for name in found if name != "unlike"] == ["image", "predicted", "p_class0", "p_class1", "trained_on"]


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
    pd.testing.assert_frame_equal(found, expected)


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
    assert open_model(ensemble).patients == open_model(trained[0]).patients
    split = RunFolder(ensemble.parts / PARTS[0]).split
    table = read_table(split)
    before = set(table["group"][table["split"] == "val"])
    table.assign(split=table["split"].replace({"val": "train", "test": "val"})).to_csv(split, index=False)
    moved = set(table["group"][table["split"] == "test"])
    assert open_model(ensemble).patients == len(before | moved)


def test_an_unfinished_cross_validation_is_one_line(ensemble):
    RunFolder(ensemble.parts / "fold-1").report.unlink()
    with pytest.raises(RunError, match="fold-1 not finished"):
        open_model(ensemble)


def test_a_folder_of_several_experiments_is_one_line(ensemble):
    write_json(ensemble.plan, {"kind": "comparison"})
    with pytest.raises(RunError, match="holds runs of several experiments; name one of them") as caught:
        open_model(ensemble)
    assert len(caught.value.lines) == 1


def test_a_run_without_a_checkpoint_is_one_line(copied):
    copied[0].best.unlink()
    with pytest.raises(RunError, match="no checkpoint; the run was stopped before its first epoch"):
        open_model(copied[0])


def test_frames_are_images_and_copies_are_asked_once(trained, tmp_path):
    pages = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in (10, 240)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    found = ask(trained[0], tmp_path / "two.tif", str(tmp_path / "two.tif"))
    assert list(found["image"]) == [f"{tmp_path}/two.tif#0", f"{tmp_path}/two.tif#1"]
    assert found["p_class1"].nunique() == 2
    assert not found["trained_on"].any()


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


def test_the_thresholds_of_images_in_tiles_are_those_of_studies(tiled, tmp_path):
    shutil.copytree(tiled[0].path, tmp_path / "run")
    run, images = RunFolder(tmp_path / "run"), tiled[1] / "normal"
    values = ask(run, images)["p_double_contour"]
    threshold = float(np.median(values)) + 1e-9
    saved = Decision.from_json(read_json(run.decision)).to_json()
    saved["thresholds"] = {"study": {"double_contour": threshold}, "image": {"double_contour": 0.0}}
    write_json(run.decision, saved)
    found = ask(run, images)
    assert list(found["predicted"] == "double_contour") == list(values >= threshold)
    assert found["predicted"].nunique() == 2


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    """A run for masks, and the folder of its images."""
    root = write_experiment(tmp_path_factory.mktemp("masks"), KINDS["segmentation"])
    return fit.main([str(root / "discs.yaml"), f"--output={root / 'runs'}", *QUICK]), root / "images"


def test_masks_are_those_of_the_run(segmented):
    run, images = segmented
    rows = read_table(run.predictions)
    rows = rows[rows["split"] == "test"].reset_index(drop=True)
    found = ask(run, *(images / name for name in rows["image"]))
    assert [name for name in found if name != "unlike"] == [
        "image",
        "unit",
        "area_disc",
        "area_bar",
        "mask",
        "trained_on",
    ]
    for name in ("disc", "bar"):
        assert list(found[f"area_{name}"]) == list(rows[f"area_{name}"])
    for mask, file in zip(found["mask"], rows["mask"], strict=True):
        np.testing.assert_array_equal(mask, read_saved_mask(run.path / file))


def test_folds_draw_masks_together(segmented, tmp_path):
    parent = RunFolder(tmp_path / "parent")
    parent.parts.mkdir(parents=True)
    shutil.copyfile(segmented[0].experiment, parent.experiment)
    write_json(parent.plan, {"kind": "cross_validation", "folds": 2, "repeats": 1, "choose": {}, "parts": PARTS[:2]})
    for name in PARTS[:2]:
        shutil.copytree(segmented[0].path, parent.parts / name)
    file = next((segmented[1] / "images").glob("*.png"))
    alone, together = ask(segmented[0], file), ask(parent, file)
    assert list(together["area_disc"]) == list(alone["area_disc"])
    assert list(together["sd_area_disc"]) == [0.0]
    assert together["mask"][0].shape == cv2.imread(str(file), cv2.IMREAD_UNCHANGED).shape[:2]


def test_a_model_is_known_by_weights_and_decision(copied):
    run, _ = copied
    before = open_model(run).identity
    assert open_model(run).identity == before
    write_json(run.decision, Decision(temperature=3.0).to_json())
    changed = open_model(run).identity
    assert changed != before
    assert open_model(run).simulated is False
    assert member_runs(run) == [run]


def test_weights_of_another_network_are_one_line(copied):
    run, _ = copied
    run.experiment.write_text(run.experiment.read_text().replace("two_layer_cnn", "vgg_small"))
    with pytest.raises(RunError, match="best.ckpt: not the weights of the network in experiment.yaml") as caught:
        open_model(run)
    assert len(caught.value.lines) == 1


def test_a_data_set_of_ones_own_reads_in_its_own_way(copied, tmp_path, monkeypatch):
    run, images = copied
    (tmp_path / "own_images.py").write_text(
        "from medvision.datamodules.folder import Folder\n\n\nclass Negative(Folder):\n"
        "    def read_pixels(self, image):\n        return 255 - super().read_pixels(image)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = ask(run, images / "class0")
    run.experiment.write_text(run.experiment.read_text().replace("name: folder", "name: own_images:Negative"))
    found = ask(run, images / "class0")
    assert (np.abs(found["p_class1"] - before["p_class1"]) > 1e-6).all()


def test_a_training_range_that_is_damaged_is_one_line(copied):
    run, _ = copied
    (run.path / "training_range.json").write_text('{"longer": 3}')
    with pytest.raises(RunError, match="training_range.json: damaged, or of another version") as caught:
        open_model(run)
    assert len(caught.value.lines) == 1
