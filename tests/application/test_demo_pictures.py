import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from medvision import cross_validate
from medvision.application.demo_pictures import MAP, draw_case, mask_legend, mask_pictures, read_drawn_mask
from medvision.application.opened import Opened
from medvision.data.masks import IGNORE
from medvision.errors import ImageError, RunError
from medvision.reports.overlays import DIFFERENCES, FALSE_NEGATIVE, FALSE_POSITIVE, WRONG_CLASS
from medvision.reports.palette import class_colour, palette_png
from medvision.runs import RunFolder, read_json, read_table, write_json
from tests.application.discs import trained
from tests.finished_runs import write_finished_run
from tests.kinds import KINDS, write_experiment
from tests.reports.cross_validated import draw_parent


def number_of(run, image):
    """The row of an image in the prediction table, counted from 1."""
    return list(read_table(run.predictions)["image"]).index(image) + 1


def copied(kind, tmp_path, factory):
    """A run whose data set is not at hand."""
    run, _ = trained(kind, factory)
    shutil.copytree(run.path, tmp_path / "run")
    copy = RunFolder(tmp_path / "run")
    text = copy.experiment.read_text()
    copy.experiment.write_text(text.replace(str(run.path.parents[2]), str(tmp_path / "elsewhere")))
    return copy


def test_the_map_is_the_one_that_the_run_has_saved(tmp_path_factory):
    run, _ = trained("classification", tmp_path_factory)
    cases = read_json(run.cases)
    assert cases
    for case in cases:
        drawn = draw_case(Opened("discs", run), number_of(run, case["image"]))
        (plain, said), (over, evidence) = drawn.pictures
        assert (said, drawn.notes) == ("image", [])
        assert evidence.startswith(f"{MAP}: ")
        for picture, key in ((plain, "picture"), (over, "map")):
            saved = cv2.imread(str(run.inside(case[key])))[..., ::-1]
            # Lossy, and below the image a text of its own.
            here = np.asarray(picture)[:320].astype(int)
            assert np.abs(here - saved[:320]).mean() < 2


@pytest.mark.slow
def test_of_folds_the_map_is_that_of_the_network_that_answered(tmp_path):
    root = write_experiment(tmp_path, KINDS["classification"])
    quick = ["--trainer.max_epochs=2", "--evaluation.resamples=0", "--split.folds=3"]
    cross_validate.main([str(root / "discs.yaml"), f"--output={root / 'runs'}", *quick])
    (folder,) = (root / "runs").glob("*/2*")
    parent = RunFolder(folder)
    opened = Opened("folds", parent)
    folds = set()
    for case in read_json(parent.cases):
        _, (over, _) = draw_case(opened, number_of(parent, case["image"])).pictures
        saved = cv2.imread(str(parent.inside(case["map"])))[:320, :, ::-1]
        assert np.abs(np.asarray(over)[:320].astype(int) - saved).mean() < 2
        folds.add(case["fold"])
    assert len(folds) > 1


def test_without_the_data_set_the_saved_pictures_are_shown(tmp_path, tmp_path_factory):
    run = copied("classification", tmp_path, tmp_path_factory)
    case = read_json(run.cases)[0]
    opened = Opened("discs", run)
    drawn = draw_case(opened, number_of(run, case["image"]))
    assert [text for _, text in drawn.pictures] == ["image", f"{MAP}: evidence for {case['class_shown']}"]
    assert drawn.notes[0].startswith("Only what the run folder holds is shown: data.root: ")
    shown = {one["image"] for one in read_json(run.cases)}
    table = read_table(run.predictions)
    other = table[(table["split"] == "test") & ~table["image"].isin(shown)]["image"].iloc[0]
    drawn = draw_case(opened, number_of(run, other))
    assert drawn.pictures == []
    assert drawn.notes[1] == "The run folder holds pictures of mistakes and of the least certain images only."


def test_masks_are_shown_beside_the_image(tmp_path_factory):
    run, root = trained("segmentation", tmp_path_factory)
    table = read_table(run.predictions)
    row = table[table["split"] == "test"].iloc[0]
    drawn = draw_case(Opened("discs", run), number_of(run, row["image"]))
    assert [text for _, text in drawn.pictures] == ["image", "true mask", "predicted mask", "difference"]
    assert drawn.notes == []
    # 32 by 40 pixels become 512 by 640.
    assert {picture.size for picture, _ in drawn.pictures} == {(640, 512)}
    image = cv2.imread(str(root / row["image"]), cv2.IMREAD_UNCHANGED)
    larger = cv2.resize(image, (640, 512), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(np.asarray(drawn.pictures[0][0]), np.repeat(larger[..., None], 3, axis=-1))


def test_without_the_data_set_the_predicted_mask_is_shown(tmp_path, tmp_path_factory):
    run = copied("segmentation", tmp_path, tmp_path_factory)
    table = read_table(run.predictions)
    image = table[table["split"] == "test"]["image"].iloc[0]
    drawn = draw_case(Opened("discs", run), number_of(run, image))
    assert [text for _, text in drawn.pictures] == ["predicted mask"]
    assert len(drawn.notes) == 1


def test_colours_say_where_masks_differ():
    truth = np.zeros((64, 64), np.uint8)
    predicted = truth.copy()
    truth[:32, :32], predicted[:32, :32] = 1, 1
    truth[:32, 32:] = 1
    predicted[32:, :32] = 1
    truth[32:, 32:], predicted[32:, 32:] = 2, 1
    truth[60:, 60:] = IGNORE
    _, outlined, tinted, compared = (np.asarray(picture) for picture, _ in mask_pictures(truth * 0, truth, predicted))
    # The middle of each quarter, 160 pixels from the border, is in its colour; stripes are denser than what is between.
    agreed, missed, added, other = (compared[r : r + 40, c : c + 40].max(axis=(0, 1)) for r, c in QUARTERS)
    assert tuple(missed) == DIFFERENCES[FALSE_NEGATIVE][0]
    assert tuple(added) == DIFFERENCES[FALSE_POSITIVE][0]
    assert tuple(other) == DIFFERENCES[WRONG_CLASS][0]
    assert agreed[1] > agreed[0] == 0
    assert tuple(outlined[1, 300]) == class_colour(1)
    assert tuple(outlined[160, 160]) == (0, 0, 0)
    assert tuple(outlined[630, 630]) == (128, 128, 128)
    assert tuple(tinted[400, 160]) == tuple(round(0.38 * value) for value in class_colour(1))


QUARTERS = ((140, 140), (140, 460), (460, 140), (460, 460))


def test_the_legend_names_every_class():
    two, three = (np.asarray(mask_legend(["rest", "fat", "muscle"][:count], compared=False)) for count in (2, 3))
    assert not (two == class_colour(2)).all(axis=-1).any()
    assert (three == class_colour(2)).all(axis=-1).any()
    compared = np.asarray(mask_legend(["rest", "fat"], compared=True))
    assert (compared == DIFFERENCES[FALSE_NEGATIVE][0]).all(axis=-1).any()
    assert not (two == DIFFERENCES[FALSE_NEGATIVE][0]).all(axis=-1).any()


def test_masks_of_another_size_are_told_of():
    with pytest.raises(RunError, match="has the shape"):
        mask_pictures(np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((5, 4), np.uint8))


def test_a_saved_mask_is_read_as_class_numbers(tmp_path):
    mask = np.array([[0, 1], [2, 1]], np.uint8)
    palette_png(mask, tmp_path / "masks" / "a.png")
    np.testing.assert_array_equal(read_drawn_mask(RunFolder(tmp_path), "masks/a.png", 3), mask)
    with pytest.raises(RunError, match="no mask of 2 classes"):
        read_drawn_mask(RunFolder(tmp_path), "masks/a.png", 2)


@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname", "masks/../../secret.png"])
def test_a_mask_outside_the_run_folder_is_not_read(tmp_path, name):
    palette_png(np.zeros((2, 2), np.uint8), tmp_path / "secret.png")
    (tmp_path / "run" / "masks").mkdir(parents=True)
    with pytest.raises(RunError, match="outside the run folder"):
        read_drawn_mask(RunFolder(tmp_path / "run"), name, 3)


def test_what_is_no_mask_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("<html>")
    with pytest.raises(RunError, match="no mask of 3 classes"):
        read_drawn_mask(RunFolder(tmp_path), "colour.png", 3)
    with pytest.raises(ImageError, match="a web page and not an image"):
        read_drawn_mask(RunFolder(tmp_path), "text.png", 3)


def test_a_case_picture_outside_the_run_folder_is_not_read(tmp_path, tmp_path_factory):
    run = copied("classification", tmp_path, tmp_path_factory)
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.jpg")
    cases = read_json(run.cases)
    write_json(run.cases, [{**case, "picture": "../secret.jpg"} for case in cases])
    with pytest.raises(RunError, match="outside the run folder"):
        draw_case(Opened("discs", run), number_of(run, cases[0]["image"]))


def test_of_a_cross_validation_the_saved_pictures_of_its_folds_are_shown(tmp_path):
    parent = draw_parent(tmp_path / "folds", folds=3, patients=12)
    case = read_json(parent.cases)[0]
    drawn = draw_case(Opened("folds", parent), number_of(parent, case["image"]))
    assert drawn.pictures[0][1] == "image"


def test_rows_are_numbered_in_the_whole_table(tmp_path):
    run = write_finished_run(tmp_path / "run")
    table = read_table(run.predictions)
    assert number_of(run, table["image"].iloc[-1]) == len(table)
