import json
import shutil

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import segmentation_models_pytorch as smp
import timm
import torch

from medvision.answers import open_model
from medvision.errors import ModelError
from medvision.exporting.description import describe_run
from medvision.exporting.huggingface import open_huggingface, write_huggingface
from medvision.predict import predict
from medvision.runs import RunFolder, read_json, write_json
from medvision.torch_network import TorchNetwork
from tests.kinds import KINDS, run, write_experiment

QUICK = ("--trainer.max_epochs=1", "--evaluation.resamples=0")
MODELS = {
    "timm": ("classification", ["--model.backbone=test_resnet", "--data.image_size=64", "--evaluation.flips=true"]),
    "masks": ("segmentation", []),
}


def train(folder, kind, options):
    root = write_experiment(folder, KINDS[kind], patients=12)
    return run(root, root / "runs", *QUICK, *options), root / "images"


def export(done, folder):
    write_huggingface(folder, done, describe_run(done, open_model(done), "fp32"))
    return folder


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """{model: (run, its images, the folder)}."""
    made = {}
    for name, (kind, options) in MODELS.items():
        done, images = train(tmp_path_factory.mktemp(name), kind, options)
        made[name] = (done, images, export(done, tmp_path_factory.mktemp(f"{name}_folder")))
    return made


@pytest.fixture
def folder(exported, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(exported["timm"][2], tmp_path / "folder")


def assert_same_answers(ours, theirs):
    pd.testing.assert_frame_equal(
        ours.drop(columns=["trained_on", "mask"], errors="ignore"),
        theirs.drop(columns=["trained_on", "mask"], errors="ignore"),
        check_exact=True,
    )
    for left, right in zip(ours.get("mask", []), theirs.get("mask", []), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", MODELS)
def test_a_folder_gives_the_answers_of_its_run_to_the_last_digit(exported, name):
    done, images, folder = exported[name]
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert_same_answers(predict(folder, images), predict(done, images))


def test_what_the_run_has_chosen_and_measured_comes_along(exported, tmp_path):
    done = RunFolder(shutil.copytree(exported["timm"][0].path, tmp_path / "run"))
    thresholds = {"image": {"class1": 0.25}}
    write_json(done.decision, read_json(done.decision) | {"temperature": 1.7, "thresholds": thresholds})
    from_run, from_folder = open_model(done).members[0], open_huggingface(export(done, tmp_path / "folder")).members[0]
    assert from_folder.decision == from_run.decision
    assert (from_folder.decision.temperature, from_folder.decision.threshold("image", "class1")) == (1.7, 0.25)
    assert from_folder.training_range.to_json() == from_run.training_range.to_json()
    strange = np.full((300, 32), 255, np.uint8)
    assert_same_answers(predict(tmp_path / "folder", [strange]), predict(done, [strange]))
    assert predict(tmp_path / "folder", strange)["unlike"][0] != ""


def test_what_cannot_be_known_of_a_folder_is_left_open(exported):
    _, images, folder = exported["timm"]
    assert set(predict(folder, images)["trained_on"]) == {None}


def test_pictures_of_evidence_come_from_a_folder_too(exported, tmp_path):
    _, images, folder = exported["timm"]
    file = next((images / "class0").iterdir())
    predict(folder, file, output=tmp_path / "out", gradcam=True)
    assert len(list((tmp_path / "out" / "gradcam").iterdir())) == 1


def test_timm_alone_loads_its_networks(exported):
    folder = exported["timm"][2]
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    ours = open_huggingface(folder).members[0].network
    assert isinstance(ours, TorchNetwork)
    batch = torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    config = json.loads((folder / "config.json").read_text())
    mean, std = (config["pretrained_cfg"][name][0] for name in ("mean", "std"))
    with torch.inference_mode():
        theirs = network((batch / 255 - mean) / std)
        torch.testing.assert_close(theirs, ours.task(batch), atol=1e-4, rtol=1e-4)
    assert network.num_classes == 2
    assert network.pretrained_cfg["label_names"] == ["class0", "class1"]


def test_segmentation_models_pytorch_alone_loads_its_networks(exported):
    _, _, folder = exported["masks"]
    config = json.loads((folder / "config.json").read_text())
    network = smp.create_model(**config["smp"]).eval()
    network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    images = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = open_huggingface(folder).members[0].network.task.network(images)
        # Another layout of the same numbers in memory: sums are taken in another order.
        torch.testing.assert_close(network(images), ours, atol=1e-3, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["--model.backbone=test_vit", "--data.image_size=64"],
        ["--model.backbone=test_efficientnet", "--data.channels=3", "--trainer.precision=bf16-mixed"],
        ["--model.backbone=vgg_small", "--model.trainable=head", "--ema.decay=0.9", "--data.resize=crop"],
    ],
    ids=["one size", "colour and 16 bits", "small"],
)
def test_other_networks_answer_alike(tmp_path, options):
    done, images = train(tmp_path, "classification", options)
    folder = export(done, tmp_path / "folder")
    assert_same_answers(predict(folder, images), predict(done, images))
    if "vgg_small" not in options[0]:
        network = timm.create_model(f"local-dir:{folder}", pretrained=True)
        state, ours = network.state_dict(), safetensors.torch.load_file(folder / "model.safetensors")
        assert state.keys() == ours.keys()
        assert all(torch.equal(state[name], ours[name]) for name in ours)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [["--data.resize=none"], ["--model.encoder=resnet18", "--model.architecture=fpn"]],
    ids=["windows", "fpn"],
)
def test_other_mask_networks_answer_alike(tmp_path, options):
    done, images = train(tmp_path, "segmentation", options)
    folder = export(done, tmp_path / "folder")
    assert_same_answers(predict(folder, images / "images"), predict(done, images / "images"))


@pytest.mark.slow
def test_a_baseline_is_refused_in_one_line(tmp_path):
    options = ["--model.task=baseline", "--model.classifier=logistic_regression"]
    root = write_experiment(tmp_path, KINDS["classification"], patients=12)
    text = (root / "discs.yaml").read_text().replace("backbone: two_layer_cnn", "").replace("dropout: 0.2", "")
    (root / "discs.yaml").write_text(text)
    done = run(root, root / "runs", "--evaluation.resamples=0", "--trainer.max_epochs=1", *options[:1])
    with pytest.raises(ModelError, match="a baseline has no network to be handed on") as caught:
        export(done, tmp_path / "folder")
    assert len(caught.value.lines) == 1
    assert not (tmp_path / "folder").exists()


def test_nothing_of_a_patient_or_of_this_machine_is_in_the_folder(exported):
    for name in MODELS:
        done, images, folder = exported[name]
        split = pd.read_csv(done.split, dtype=str)
        secrets = {*split["image"], *split["sha256"], *split["patient"], str(images), str(done.path.parent)}
        stems = {value.rpartition("/")[2].rpartition(".")[0] for value in split["image"]}
        content = b"".join(path.read_bytes() for path in folder.iterdir())
        # What a checkpoint does not hold either: numbers may spell a short word by chance.
        found = [word for word in secrets | stems if len(word) > 3 and word.encode() in content]
        assert not found
        text = (folder / "config.json").read_text() + (folder / "README.md").read_text()
        assert not [word for word in split["patient"] if f'"{word}"' in text]


def edit(folder, change):
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def weights(folder, change):
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    change(tensors)
    safetensors.torch.save_file(tensors, folder / "model.safetensors")


def drop(tensors):
    del tensors["fc.weight"]


def spoil(tensors):
    tensors["fc.weight"][0, 0] = float("nan")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors: not there"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: damaged, no JSON"),
        (lambda folder: (folder / "config.json").write_text("[" * 10**5), "config.json: damaged, no JSON"),
        (lambda folder: (folder / "config.json").write_text('{"architecture": "resnet18"}'), "no model of medvision"),
        (lambda folder: (folder / "config.json").write_text('["medvision"]'), "no model of medvision"),
        (lambda folder: edit(folder, lambda c: c["medvision"].pop("classes")), "medvision.classes: Field required"),
        (lambda folder: edit(folder, lambda c: c["medvision"].update(more=1)), "medvision.more: Extra inputs"),
        (lambda folder: edit(folder, lambda c: c["medvision"]["decision"].pop("notes")), "medvision.decision"),
        (
            lambda folder: edit(folder, lambda c: c["medvision"]["experiment"]["model"].update(backbone="resnet99")),
            "no network 'resnet99'",
        ),
        (
            lambda folder: edit(folder, lambda c: c["medvision"]["experiment"]["model"].update(task="os:system")),
            "the task 'os:system' is none that medvision builds",
        ),
        (
            lambda folder: edit(folder, lambda c: c["medvision"]["experiment"]["trainer"].update(precision="much")),
            "trainer",
        ),
        (lambda folder: edit(folder, lambda c: c["pretrained_cfg"].update(mean=[0.5] * 3)), "do not fit together"),
        (lambda folder: edit(folder, lambda c: c.pop("pretrained_cfg")), "do not fit together"),
        (lambda folder: edit(folder, lambda c: c["medvision"].pop("experiment")), "medvision.experiment: Field"),
        (lambda folder: edit(folder, lambda c: c["medvision"].update(experiment={})), "do not fit together"),
        (lambda folder: weights(folder, drop), "do not fit together: .*Missing key"),
        (lambda folder: weights(folder, spoil), "holds values that are no numbers"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 99), "do not fit together"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(folder, damage, words):
    damage(folder)
    with pytest.raises(ModelError, match=words) as caught:
        open_huggingface(folder)
    assert len(caught.value.lines) == 1
    assert "\n" not in caught.value.lines[0]
    assert str(folder) in caught.value.lines[0]
