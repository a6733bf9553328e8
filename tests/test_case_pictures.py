import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from medvision.case_pictures import save_cases
from medvision.config.settings import SplitSettings
from medvision.datamodules.folder import Folder
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.predictions import prediction_table
from medvision.phantoms.files import MARK_FILE
from medvision.runs import RunFolder, write_json
from medvision.tasks.classification import ClassificationTask
from medvision.tasks.multitask import MultiTask

PATTERN = "(?P<patient>[^/]+)_[0-9]+.png$"
BORDER = "most evidence for lit lies in the black border around the image"
OPTIMIZER, SCHEDULE = {"name": "adamw"}, {"name": "cosine"}
# Where the spot of each image is, in parts of height and width.
PLACES = {"Smith": (0.15, 0.2), "Jones": (0.85, 0.2), "Brown": (0.2, 0.85), "Young": (0.8, 0.8)}


@pytest.fixture
def draw(tmp_path):
    """A set of images with a bright spot each, its datamodule, and a task whose class 1 is brightness."""

    def make(size=(80, 160), *, resize="letterbox", channels=1, simulated=False, **settings):
        root = tmp_path / "set"
        for number, (name, place) in enumerate(PLACES.items()):
            image = np.full(size, 20, np.uint8)
            row, column = (round(part * side) for part, side in zip(place, size, strict=True))
            cv2.circle(image, (column, row), min(size) // 8, 240, -1)
            folder = root / ("dim" if number % 2 else "lit")
            folder.mkdir(parents=True, exist_ok=True)
            for turn in range(3):
                cv2.imwrite(str(folder / f"{name}_{turn}.png"), image + np.uint8(turn))
        if simulated:
            (root / MARK_FILE).write_text('{"seed": 0}')
        datamodule = Folder(
            root=str(root),
            image_size=64,
            resize=resize,
            channels=channels,
            patient_pattern=PATTERN,
            class_order=["dim", "lit"],
            cache=False,
            split=SplitSettings(group="image", val=0.2, test=0.2),
            **settings,
        )
        datamodule.setup()
        task = ClassificationTask(datamodule.summary(), OPTIMIZER, SCHEDULE, backbone="two_layer_cnn")
        look_for_brightness(task.network)
        return datamodule, task

    return make


def look_for_brightness(network):
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.1)
            nn.init.constant_(module.bias, 0)
    with torch.no_grad():
        network.classifier.weight[0], network.classifier.weight[1] = -1, 1
        network.classifier.bias.zero_()


def predict(datamodule, lit):
    """The prediction table of all images, with given probabilities of `lit`."""
    probabilities = np.stack([1 - np.array(lit), lit], axis=1)
    table = datamodule.image_table.assign(split="test", fold=0)
    return prediction_table(table, probabilities, datamodule.class_names)


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.figures.mkdir(parents=True)
    return run


def save(task, datamodule, run, table, split="test"):
    save_cases(task, datamodule, run, table, split)
    return json.loads(run.cases.read_text())


def colour_of(run, case):
    """Where a map has laid colour over the grey image, the line below it cut off; height and width of the image."""
    with Image.open(run.path / case["map"]) as over, Image.open(run.path / case["picture"]) as plain:
        assert over.size == plain.size
        over, plain = np.asarray(over).astype(int), np.asarray(plain).astype(int)
    return np.abs(over - plain).sum(axis=-1)


@pytest.mark.parametrize(
    ("size", "shown"), [((80, 160), (160, 320)), ((1200, 600), (640, 320)), ((400, 400), (400, 400))]
)
@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_map_lies_on_the_original_image_where_the_evidence_is(draw, run, size, shown, resize, channels):
    datamodule, task = draw(size, resize=resize, channels=channels)
    cases = save(task, datamodule, run, predict(datamodule, [0.9] * 6 + [0.7] * 3 + [0.6] * 3))
    assert [case["kind"] for case in cases] == ["mistake"] * 4 + ["uncertain"] * 3
    assert all(any(name in case["image"] for case in cases) for name in PLACES)
    for case in cases:
        place = PLACES[case["image"].rpartition("/")[2].rpartition("_")[0]]
        with Image.open(run.path / case["picture"]) as picture:
            assert picture.width == max(shown[1], 320)
        colour = colour_of(run, case)[: shown[0], : shown[1]]
        rows, columns = np.nonzero(colour > colour.max() / 3)
        assert abs(rows.mean() / shown[0] - place[0]) < 0.05
        assert abs(columns.mean() / shown[1] - place[1]) < 0.05
        assert not case["no_evidence"]
        assert case["note"] == ""


def test_a_case_is_told_with_everything_but_names(draw, run):
    datamodule, task = draw()
    patients = ["Jones", "Young", "Brown", "Smith"]
    assert list(dict.fromkeys(datamodule.image_table["patient"])) == patients
    lit = [0.1, 0.2, 0.3, 0.4, 0.8, 0.1, 0.9, 0.9, 0.9, 0.2, 0.9, 0.9]
    table = predict(datamodule, lit)
    cases = save(task, datamodule, run, table)
    # Wrong are the second image of Young (dim, called lit at 0.8) and the first of Smith (lit, called dim at 0.8).
    first, second = cases[:2]
    assert first == {
        "split": "test",
        "kind": "mistake",
        "image": table["image"][4],
        "patient": "patient 2",
        "target": "dim",
        "predicted": "lit",
        "probability": pytest.approx(0.8),
        "class_shown": "lit",
        "picture": "figures/cases/01.jpg",
        "map": "figures/cases/01_map.jpg",
        "no_evidence": False,
        "note": "",
    }
    assert (second["patient"], second["target"], second["predicted"]) == ("patient 4", "lit", "dim")
    # The network finds brightness everywhere, which speaks against `dim`.
    assert second["no_evidence"] is True
    assert second["note"] == "no positive evidence for dim"
    assert [case["kind"] for case in cases[2:]] == ["uncertain"] * 3
    assert cases[2]["probability"] == pytest.approx(0.6)
    files = sorted(path.name for path in run.case_pictures.iterdir())
    assert files == sorted(f"{k:02d}{end}.jpg" for k in range(1, 6) for end in ("", "_map"))
    for path in run.case_pictures.iterdir():
        content = path.read_bytes()
        with Image.open(path) as picture:
            assert picture.format == "JPEG"
            assert max(picture.size) <= 700
            assert not picture.getexif()
        assert not any(name.encode() in content for name in (*patients, ".png", str(run.path)))


def test_an_empty_map_shows_the_image_as_it_is(draw, run):
    datamodule, task = draw((400, 400))
    case = save(task, datamodule, run, predict(datamodule, [0.1] * 12))[0]
    assert case["no_evidence"] is True
    # JPEG tells the neighbourhood of the texts, which differ, a little differently.
    assert colour_of(run, case)[:384].max() <= 6


@pytest.mark.parametrize(("resize", "note"), [("letterbox", BORDER), ("stretch", "no positive evidence for lit")])
def test_evidence_around_the_image_is_said_to_be_there(draw, run, resize, note):
    datamodule, task = draw((40, 160), resize=resize)
    with torch.no_grad():
        # Only what is darker than anything in the image speaks for `lit`: the border that letterboxing adds.
        first = task.network.features[0][0]
        first.weight.neg_()
        first.bias.fill_(-0.8)
    assert {case["note"] for case in save(task, datamodule, run, predict(datamodule, [0.9] * 12))} == {note}


def test_the_network_sees_what_it_sees_in_prediction(draw, run):
    datamodule, task = draw(channels=3)
    task.pixel_mean[:] = torch.tensor((0.1, 0.2, 0.3)).view(1, -1, 1, 1)
    task.pixel_std[:] = torch.tensor((0.5, 0.6, 0.7)).view(1, -1, 1, 1)
    seen = []
    task.network.features.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    cases = save(task, datamodule, run, predict(datamodule, [0.9] * 12))
    rows = [list(datamodule.image_table["image"]).index(case["image"]) for case in cases]
    by_map = torch.cat(seen)
    seen.clear()
    task.eval()
    task.predict_rows(torch.from_numpy(np.stack([datamodule.pixels[row] for row in rows])).permute(0, 3, 1, 2))
    torch.testing.assert_close(by_map, torch.cat(seen), atol=1e-5, rtol=0)


@pytest.mark.parametrize("flips", [False, True])
def test_the_map_is_of_the_image_as_it_is(draw, run, flips):
    datamodule, task = draw()
    task.flips = flips
    case = next(
        case for case in save(task, datamodule, run, predict(datamodule, [0.9] * 12)) if "Jones" in case["image"]
    )
    colour = colour_of(run, case)[:160]
    assert colour[:, :160].sum() > 20 * colour[:, 160:].sum()


def test_thresholds_of_the_run_decide_what_is_uncertain(draw, run):
    datamodule, task = draw()
    write_json(run.decision, Decision(rule="youden", thresholds={"image": {"lit": 0.3}}).to_json())
    table = predict(datamodule, [0.1, 0.1, 0.1, 0.1, 0.25, 0.1, 0.9, 0.9, 0.9, 0.52, 0.9, 0.9])
    first = save(task, datamodule, run, table, "val")[0]
    assert (first["kind"], first["image"], first["split"]) == ("uncertain", table["image"][4], "val")
    assert first["class_shown"] == "dim"
    assert first["probability"] == pytest.approx(0.75)


def test_pictures_of_an_earlier_evaluation_go(draw, run):
    datamodule, task = draw()
    save(task, datamodule, run, predict(datamodule, [0.9] * 12), "val")
    assert len(list(run.case_pictures.iterdir())) == 14
    table = predict(datamodule, [0.1] * 6 + [0.9] * 6).iloc[:2]
    assert [case["split"] for case in save(task, datamodule, run, table)] == ["test"]
    assert len(list(run.case_pictures.iterdir())) == 2


def test_a_network_without_maps_leaves_pictures_and_a_reason(draw, run):
    datamodule, task = draw()
    task.network = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    cases = save(task, datamodule, run, predict(datamodule, [0.9] * 12))
    assert {case["map"] for case in cases} == {None}
    assert all(case["note"].startswith("Grad-CAM: Sequential has no feature maps") for case in cases)
    assert not any(case["no_evidence"] for case in cases)
    assert sorted(path.name for path in run.case_pictures.iterdir()) == [f"{k:02d}.jpg" for k in range(1, 8)]


def test_simulated_images_are_marked_in_both_pictures(draw, run):
    sizes = {}
    for simulated in (False, True):
        datamodule, task = draw(simulated=simulated)
        case = save(task, datamodule, run, predict(datamodule, [0.9] * 12))[0]
        for key in ("picture", "map"):
            with Image.open(run.path / case[key]) as picture:
                # How much is written in the first line below the image.
                sizes[key, simulated] = int((np.asarray(picture)[165:190] > 150).sum())
    assert all(sizes[key, True] > sizes[key, False] + 400 for key in ("picture", "map")), sizes


class Findings(Folder):
    """The images again, with several labels each."""

    multilabel = True
    classes = ("dim", "lit")

    def read_table(self):
        table = super().read_table()
        return table.assign(label=["dim", "dim|lit", ""] * 4)


def test_several_labels_an_image(draw, run):
    plain, _ = draw()
    settings = {"image_size": 64, "patient_pattern": PATTERN, "cache": False}
    datamodule = Findings(root=plain.root, split=SplitSettings(group="image", val=0.2, test=0.2), **settings)
    datamodule.setup()
    task = ClassificationTask(datamodule.summary(), OPTIMIZER, SCHEDULE, backbone="two_layer_cnn")
    look_for_brightness(task.network)
    probabilities = np.tile([[0.9, 0.2], [0.9, 0.1], [0.6, 0.1]], (4, 1))
    rows = datamodule.image_table.assign(split="test", fold=0)
    table = prediction_table(rows, probabilities, ["dim", "lit"], multilabel=True)
    table.loc[2, "target"] = np.nan
    cases = save(task, datamodule, run, table)
    # `lit` was missed at 0.1 in every second image; every third has nothing, and was called dim at 0.6.
    mistakes = [case for case in cases if case["kind"] == "mistake"]
    asked = [(case["target"], case["predicted"], case["class_shown"], case["no_evidence"]) for case in mistakes]
    assert asked == [("dim|lit", "dim", "lit", False)] * 4 + [("", "dim", "dim", True)] * 4
    assert [case["probability"] for case in mistakes] == pytest.approx([0.1] * 4 + [0.6] * 4)


def test_a_network_for_masks_and_labels(draw, run):
    datamodule, _ = draw()
    summary = {**datamodule.summary(), "mask_classes": ["background", "disc"], "train_pixels": [100, 10]}
    task = MultiTask(summary, OPTIMIZER, SCHEDULE, encoder="resnet18")
    heads = [module for module in task.network.classification_head.modules() if isinstance(module, nn.Linear)]
    with torch.no_grad():
        # The encoder's features are positive: each speaks for `lit` and against `dim`.
        heads[0].weight[0], heads[0].weight[1] = -1, 1
    cases = save(task, datamodule, run, predict(datamodule, [0.9] * 6 + [0.1] * 6))
    assert all(case["map"] for case in cases)
    assert [case["no_evidence"] for case in cases] == [case["class_shown"] == "dim" for case in cases]
    assert len({case["class_shown"] for case in cases}) == 2
