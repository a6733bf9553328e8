import json
import re

import pandas as pd
import pytest

from medvision.answering.inputs import Preparation
from medvision.answering.model import Member, Model
from medvision.answering.model_info import read_info
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.errors import RunError
from medvision.evaluation.operating_point import Decision
from medvision.exporting.description import RESEARCH_ONLY, SIMULATED, describe_run, portable
from medvision.runs import RunFolder, read_json, write_json, write_table
from tests.answering.fakes import Brightness

SPLIT = pd.DataFrame(
    {
        "image": ["a/p1_1.png", "a/p1_2.png", "b/p2_1.png", "b/p3_1.png", "b/p4_1.png"],
        "label": ["no", "no", "yes", "yes", "no"],
        "patient": ["Ann", "Ann", "Bob", "Cem", "Dora"],
        "group": ["Ann", "Ann", "Bob", "Cem", "Dora"],
        "split": ["train", "train", "train", "val", "test"],
        "fold": [0, 0, 1, 2, 3],
        "sha256": list("abcde"),
    }
)
METRICS = {
    split: {"image": {"accuracy": {"value": 0.5, "low": 0.2, "high": 0.8, "n": 2, "patients": 1}}}
    for split in ("train", "val", "test")
}


def model(**changes):
    decision = Decision(temperature=1.5, thresholds={"image": {"yes": 0.4}})
    values = {
        "name": "knees/1",
        "identity": "ab" * 32,
        "members": (Member(Brightness("probabilities"), decision),),
        "classes": ("no", "yes"),
        "multilabel": False,
        "mask_classes": (),
        "preparation": Preparation(32, "crop", 1),
        "batch_size": 8,
        "patients": 1,
        "known": frozenset(["a"]),
    }
    return Model(**{**values, **changes})


@pytest.fixture
def run(tmp_path):
    done = RunFolder(tmp_path / "run")
    done.path.mkdir()
    done.experiment.write_text(
        f"name: knees\nquestion: Is it torn?\nseed: 5\ndata: {{name: folder, root: {tmp_path}/secret, image_size: 32, "
        "channels: 1, patient_pattern: '(?P<patient>Ann)', augmentation: own/augment.yaml}\n"
        "model: {task: classification, backbone: resnet18, pretrained: /home/ann/weights.safetensors}\n"
        "tracking: {wandb: offline, entity: annslab}\nevaluation: {flips: true}\n"
    )
    data = {"classes": ["no", "yes"], "simulated": False, "licence": "CC BY 4.0", "citation": "Doe, 2020", "url": ""}
    write_json(done.environment, {"data": data, "git_commit": "0" * 40})
    write_json(done.metrics, METRICS)
    write_table(done.split, SPLIT)
    return done


def test_a_run_is_described_by_its_own_files(run):
    made = describe_run(run, model(), "fp16")
    assert (made.name, made.identity, made.task, made.precision) == ("knees", "ab" * 32, "classification", "fp16")
    assert (made.classes, made.image_size, made.resize, made.batch_size) == (("no", "yes"), 32, "crop", 8)
    assert made.decision == model().members[0].decision.to_json()
    assert made.data == {
        "train": {"images": 3, "patients": 2, "classes": {"no": 2, "yes": 1}},
        "val": {"images": 1, "patients": 1, "classes": {"no": 0, "yes": 1}},
        "test": {"images": 1, "patients": 1, "classes": {"no": 1, "yes": 0}},
    }
    assert made.metrics == {split: METRICS[split] for split in ("val", "test")}
    assert (made.licence, made.citation) == ("CC BY 4.0", "Doe, 2020")
    assert made.intended_use == f"{RESEARCH_ONLY} It answers, for images like those of its data: Is it torn?"
    assert (made.window_overlap, made.pixel_spacing, made.training_range) == (None, None, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", made.created)
    assert read_info(made.model_dump_json(), "a") == made


def test_no_patient_file_path_or_account_is_told(run, tmp_path):
    text = describe_run(run, model(), "fp32").model_dump_json()
    for secret in (
        "Ann",
        "annslab",
        "home",
        "Bob",
        "Dora",
        "p1_1",
        ".png",
        str(tmp_path),
        "secret",
        "augment.yaml",
        "safetensors",
    ):
        assert secret not in text


def test_what_builds_the_network_again_is_kept(run):
    kept = portable(load_experiment([str(run.experiment)], []))
    assert kept["data"] == {
        "name": "folder",
        "image_size": 32,
        "resize": "letterbox",
        "channels": 1,
        "batch_size": 32,
        "augmentation": "own",
    }
    assert (kept["model"]["backbone"], kept["model"]["pretrained"]) == ("resnet18", "own")
    assert kept["evaluation"]["flips"] is True
    again = Experiment.model_validate(json.loads(json.dumps(kept)))
    assert again.tracking.entity is None


def test_classes_of_the_users_own_are_not_named(run):
    experiment = load_experiment([str(run.experiment)], [])
    own = {
        "data": {"name": "lab.data:Ours", "secret_column": "Ann"},
        "model": {"task": "lab.nets:Ours", "file": "/a/b"},
    }
    kept = portable(experiment.model_copy(update=own))
    assert kept["data"] == {"name": "own", "augmentation": "none"}
    assert kept["model"] == {"task": "own"}


@pytest.mark.parametrize(
    ("rows", "columns", "found"),
    [
        ([0.1] * 5, [0.2] * 5, (0.1, 0.2)),
        ([0.1] * 4 + [0.3], [0.2] * 5, None),
        ([float("nan")] * 5, [float("nan")] * 5, None),
        ([0.1] * 4 + [float("nan")], [0.2] * 5, None),
    ],
)
def test_the_spacing_is_told_where_all_images_have_it(run, rows, columns, found):
    write_table(run.split, SPLIT.assign(row_mm=rows, column_mm=columns))
    assert describe_run(run, model(), "fp32").pixel_spacing == found


def test_patients_that_nobody_names_are_not_counted(run):
    write_table(run.split, SPLIT.assign(patient=""))
    assert {split["patients"] for split in describe_run(run, model(), "fp32").data.values()} == {None}


def test_masks_and_windows_and_drawings_are_told(run):
    write_json(run.environment, {"data": read_json(run.environment)["data"] | {"simulated": True, "classes": []}})
    write_table(run.split, SPLIT.drop(columns="label"))
    run.experiment.write_text(run.experiment.read_text().replace("question: Is it torn?\n", ""))
    made = describe_run(
        run,
        model(classes=(), mask_classes=("background", "disc"), preparation=Preparation(32, "none", 1)),
        "fp32",
    )
    assert made.window_overlap == 0.5
    assert made.data["train"] == {"images": 3, "patients": 2, "classes": {}}
    assert made.simulated
    assert made.intended_use.endswith(f"It tells disc for every pixel of images like those of its data. {SIMULATED}")


def test_a_run_that_was_never_scored_is_described_too(run):
    run.metrics.unlink()
    assert describe_run(run, model(), "fp32").metrics == {}


def test_several_networks_are_refused(run):
    both = (Member(Brightness(), Decision()),) * 2
    with pytest.raises(RunError, match="holds 2 networks; export the run of one fold"):
        describe_run(run, model(members=both), "fp32")
