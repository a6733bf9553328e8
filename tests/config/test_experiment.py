import subprocess
import sys

import pytest

from medvision.config import load_experiment, show
from medvision.config.settings import CosineSchedule, EMASettings, StepSchedule
from medvision.errors import ConfigError

FULL = """\
# comment
name: knee_sections
seed: 7
data: {name: folder, root: images, image_size: 64, batch_size: 8, augmentation: none}
split: {group: patient, stratify: label, folds: 5}
model: {task: classification, backbone: vgg_small, pretrained: false}
optimizer: {name: adamw, lr: 1e-3, weight_decay: 0.01}
schedule: {name: plateau, patience: 5}
early_stopping: {monitor: val/loss, patience: 10}
trainer: {max_epochs: 60}
tracking: {wandb: offline}
"""
SHORT = "name: x\ndata: {name: folder, root: r}\nmodel: {task: classification}\n"


def lines(files: list[str], *options: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load_experiment(files, options)
    assert all("\n" not in line for line in error.value.lines)
    return list(error.value.lines)


def test_all_defaults_are_filled_in(write):
    experiment = load_experiment(write(FULL), [])
    assert experiment.seed == 7
    assert experiment.data["image_size"] == 64
    assert experiment.data["resize"] == "letterbox"
    assert next(iter(experiment.data)) == "name"
    assert not {"split", "seed"} & {*experiment.data}
    assert experiment.model["loss"] == "cross_entropy"
    assert not {"dataset", "optimizer", "schedule"} & {*experiment.model}
    assert experiment.optimizer.lr == 1e-3
    assert experiment.trainer == {"max_epochs": 60}
    assert experiment.monitor == "val/loss"


def test_files_and_options_are_layers(write):
    second = "schedule: {name: cosine, warmup_epochs: 2}\nearly_stopping: null\nema: {}\n"
    experiment = load_experiment(write(FULL, second), ["--optimizer.lr=1e-05", "--trainer.max_epochs=3"])
    assert experiment.schedule == CosineSchedule(name="cosine", warmup_epochs=2)
    assert experiment.early_stopping is None
    assert experiment.ema == EMASettings()
    assert experiment.optimizer.lr == 1e-5
    assert experiment.trainer == {"max_epochs": 3}


def test_options_of_a_sweep_agent(write):
    options = ["--ema=None", "--model={'task': 'classification', 'backbone': 'resnet18'}", "--schedule.every=2"]
    experiment = load_experiment(write(FULL), [*options, "--schedule.name=step"])
    assert experiment.model["backbone"] == "resnet18"
    assert experiment.schedule == StepSchedule(name="step", every=2)


@pytest.mark.parametrize(
    "option",
    [
        "--data.root=$${HOME}",
        "--data.root=${HOME}",
        "--data.root='1e-3'",
        "--data.root='None'",
        "--data.root=a: b # c",
        "--data.root=ä\u2028\n'\"",
        "--model.trainable=['layer4', 'no', '007']",
        "--model.class_weights=[1, 2.5, 1e-05]",
        "--split.fold=3",
        "--ema={}",
        "--trainer.precision='16'",
        "--trainer.max_time={'hours': 1}",
        "--schedule.name=none",
    ],
)
def test_what_is_shown_runs_as_the_same_experiment(option, write):
    experiment = load_experiment(write(FULL), [option])
    assert load_experiment(write(shown=show(experiment)), []) == experiment
    assert show(load_experiment(["shown.yaml"], [])) == show(experiment)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("backbone:", "bakbone:", "6: unknown setting 'model.bakbone'; did you mean 'backbone'?"),
        ("lr: 1e-3", "lr: fast", "7: optimizer.lr: expected a number, got 'fast'"),
        ("lr: 1e-3", "lr: .nan", "7: optimizer.lr: expected a finite number, got NaN"),
        ("lr: 1e-3", "lr: '1e-3'", "7: optimizer.lr: expected a number, got '1e-3'"),
        ("batch_size: 8", 'batch_size: "32"', "4: data.batch_size: expected a whole number, got '32'"),
        ("batch_size: 8", "batch_size: -1", "4: data.batch_size: expected a value greater than 0, got -1"),
        ("batch_size: 8", "batch_size: yes", "4: data.batch_size: expected a whole number, got 'yes'"),
        ("batch_size: 8", "batch_size: true", "4: data.batch_size: expected a whole number, got true"),
        ("batch_size: 8", "channels: 2", "4: data.channels: 2 is none of 1, 3"),
        ("batch_size: 8", "seed: 2", "4: 'data.seed' is not set here: it is 'seed' at the top of the file"),
        ("pretrained: false", "classes: 4", "6: 'model.classes' is not set here: the data set knows it"),
        ("pretrained: false", "lr: 3", "6: unknown setting 'model.lr'; did you mean 'optimizer.lr'?"),
        ("pretrained: false", "pretrained: 3", "6: model.pretrained: expected true or false or text, got 3"),
        ("root: images", "root: 3", "4: data.root: expected text, got 3; write '3' in quotes"),
        ("root: images, ", "", "4: 'data.root' is missing"),
        (
            "name: adamw",
            "name: adamW",
            "7: optimizer.name: 'adamW' is none of adamw, adam, sgd; did you mean 'adamw'?",
        ),
        (
            "plateau",
            "platau",
            "8: schedule.name: 'platau' is none of plateau, cosine, step, none; did you mean 'plateau'?",
        ),
        ("name: plateau, ", "", "8: 'schedule.name' is missing"),
        ("plateau, patience: 5", "step, evry: 5", "8: 'schedule.every' is missing"),
        (
            "plateau, patience: 5",
            "step, every: 5, factr: 3",
            "8: unknown setting 'schedule.factr'; did you mean 'factor'?",
        ),
        (
            "monitor: val/loss",
            "monitor: f1",
            "9: early_stopping.monitor: expected a metric such as val/loss, val/f1 or val/auroc, "
            "got 'f1'; did you mean 'val/f1'?",
        ),
        ("max_epochs", "max_epoch", "10: unknown setting 'trainer.max_epoch'; did you mean 'max_epochs'?"),
        ("max_epochs: 60", "max_epochs: ten", "10: trainer.max_epochs: expected a whole number, got 'ten'"),
        ("max_epochs: 60", "logger: true", "10: 'trainer.logger' is set by medvision: see the section 'tracking'"),
        ("max_epochs: 60", "max_time: {hours: x}", "10: trainer.max_time.hours: expected a whole number, got 'x'"),
        ("optimizer:", "optimzer:", "7: unknown setting 'optimzer'; did you mean 'optimizer'?"),
        ("seed: 7", "lr: 7", "3: unknown setting 'lr'; did you mean 'optimizer.lr'?"),
        ("seed: 7", "max_epochs: 7", "3: unknown setting 'max_epochs'; did you mean 'trainer.max_epochs'?"),
        ("folds: 5", "folds: 5, fold: 5", "5: split.fold: 5 is none of the folds 0 to 4"),
        ("folds: 5", "val: 0.5, test: 0.6", "5: split.val: 0.5 and split.test 0.6 leave nothing to train on"),
        (
            "folds: 5",
            "x: 5",
            "5: unknown setting 'split.x'; known: group, stratify, val, test, folds, fold_by, fold, "
            "inner_folds, inner_fold, seed, official, train_images, train_patients",
        ),
        (
            "name: knee_sections",
            "name: knee sections",
            "2: name: expected letters, digits, '.', '_' and '-' only, got 'knee sections'",
        ),
        ("name: knee_sections", "name: 3", "2: name: expected text, got 3; write '3' in quotes"),
        ("name: knee_sections\n", "\n", " 'name' is missing"),
        (
            "task: classification",
            "task: clasification",
            "6: model.task: 'clasification' is none of classification, segmentation, multitask, baseline; "
            "did you mean 'classification'?",
        ),
        (
            "task: classification, ",
            "",
            "6: 'model.task' is missing; known: classification, segmentation, multitask, baseline",
        ),
        ("wandb: offline", "wandb: no", "11: tracking.wandb: 'no' is none of off, offline, online"),
        (
            "wandb: offline",
            "wandb: {mode: off}",
            '11: tracking.wandb: {"mode": "off"} is none of off, offline, online',
        ),
        ("tracking: {wandb: offline}", "tracking:", "11: tracking: expected 'key: value' settings, got null"),
        ("tracking: {wandb: offline}", "tracking: [1]", "11: tracking: expected 'key: value' settings, got [1]"),
    ],
)
def test_a_mistake_is_one_line(before, after, expected, write):
    assert before in FULL
    found = lines(write(FULL.replace(before, after, 1)))
    assert f"0.yaml:{expected}" in found
    assert len(found) == (2 if "evry" in after else 1)


def test_a_misspelt_datamodule_gets_a_suggestion(write):
    (line,) = lines(write(FULL.replace("folder", "knee_section")))
    assert line.startswith("0.yaml:4: data.name: 'knee_section' is none of folder, table, knee_sections")
    assert line.endswith("; did you mean 'knee_sections'?")
    (line,) = lines(write(FULL.replace("folder", "zzz")))
    assert line.endswith("; a class of your own is package.module:Class")


def test_all_mistakes_are_told_in_the_order_of_the_files(write):
    files = write("data: {name: folder, batch_size: x}\nmodel: {task: classification, bakbone: y}\n", "optimzer: {}\n")
    assert lines(files, "--optimizer.lrr=3", "--split.folds=ten") == [
        "0.yaml: 'name' is missing",
        "0.yaml:1: 'data.root' is missing",
        "0.yaml:1: data.batch_size: expected a whole number, got 'x'",
        "0.yaml:2: unknown setting 'model.bakbone'; did you mean 'backbone'?",
        "1.yaml:1: unknown setting 'optimzer'; did you mean 'optimizer'?",
        "--optimizer.lrr: unknown setting 'optimizer.lrr'; did you mean 'lr'?",
        "--split.folds: expected a whole number or leave_one_out, got 'ten'",
    ]


def test_sections_that_are_no_mappings(write):
    found = lines(write("name: x\nmodel: 3\ndata: []\ntrainer:\n"))
    assert found == [
        "0.yaml:2: model: expected 'key: value' settings, got 3",
        "0.yaml:3: data: expected 'key: value' settings, got []",
        "0.yaml:4: trainer: expected 'key: value' settings, got null",
    ]
    assert lines(write("seed: 3\n")) == [f"0.yaml: '{name}' is missing" for name in ("name", "data", "model")]
    assert lines([]) == [f"'{name}' is missing" for name in ("name", "data", "model")]


def test_a_mistake_is_answered_without_torch(write):
    files = write(SHORT + "optimizer: {lr: fast}\n")
    code = (
        "import sys\nfrom medvision.config import load_experiment\nfrom medvision.errors import ConfigError\n"
        f"try: load_experiment({files}, [])\nexcept ConfigError as error: print(error)\n"
        "print([name for name in ('torch', 'lightning', 'pandas', 'numpy', 'timm', 'cv2') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == ["0.yaml:4: optimizer.lr: expected a number, got 'fast'", "[]"]
