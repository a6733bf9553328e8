"""Files that somebody else has made, or that a disk has damaged: an answer or one line, never a traceback."""

import resource
import sys

import numpy as np
import pytest
import torch

from medvision.answering.exported import open_exported
from medvision.answering.model_info import read_info
from medvision.config.layers import read_layers
from medvision.config.yaml_file import read_values
from medvision.data.dicom_tags import dicom_tags
from medvision.data.images import frames_of, image_header, read_image
from medvision.data.mask_files import read_codes
from medvision.data.table import normalise_table
from medvision.datamodules.medmnist import MedMNIST
from medvision.datamodules.table import read_labels
from medvision.evaluation.decision import UNCHANGED, apply_decision
from medvision.evaluation.predictions import check_predictions
from medvision.exporting.huggingface import open_huggingface
from medvision.inference import load_weights
from medvision.models.checkpoints import read_checkpoint
from medvision.models.estimators import Estimator
from medvision.runs import RunFolder, read_json, read_table
from tests.answering.infos import info
from tests.security import seeds
from tests.security.fuzzing import fuzz

INPUTS = {"few": 200, "many": 10_000}
MOST_MEMORY = 2 * 2**30


def image_target(folder):
    path = folder / "a.bin"

    def read(content):
        path.write_bytes(content)
        header, pixels = image_header(path), read_image(path, 1)
        assert pixels.dtype == np.uint8
        assert sorted(pixels.shape) == sorted(header[:2])
        frames = frames_of(path)
        assert read_codes(path, None if frames == 1 else 0, False)[0].shape == pixels.shape

    return read, seeds.images()


def array_target(folder):
    path = folder / "a.npy"

    def read(content):
        path.write_bytes(content)
        assert read_codes(path, None, False)[0].ndim == 2

    return read, seeds.arrays()


def archive_target(folder):
    def read(content):
        (folder / "a.npz").write_bytes(content)
        data = MedMNIST(root=str(folder), file="a.npz")
        table = normalise_table(data.read_table(), "a.npz")
        assert data.read_pixels(table["image"][0]).dtype == np.uint8

    return read, seeds.archives()


def dicom_target(folder):
    pytest.importorskip("pydicom", reason="the extra `dicom` is not installed")
    path = folder / "a.dcm"

    def read(content):
        path.write_bytes(content)
        frames_of(path)
        dicom_tags(path)
        assert read_image(path, 1).dtype == np.uint8

    return read, seeds.dicoms(folder)


def yaml_target(folder):
    path = folder / "a.yaml"

    def read(content):
        path.write_bytes(content)
        read_values(path)
        read_layers([path], [])

    return read, seeds.EXPERIMENTS


def label_target(folder):
    path = folder / "labels.csv"

    def read(content):
        path.write_bytes(content)
        table = normalise_table(read_labels(path, ["image"]), "labels.csv")
        assert not any(name.startswith("/") or ".." in name.split("/") for name in table["image"].dropna())

    return read, seeds.LABELS


def prediction_target(folder):
    path = folder / "predictions.csv"

    def read(content):
        path.write_bytes(content)
        table = read_table(path)
        check_predictions(table, ["no", "yes"])
        assert len(apply_decision(table, ["no", "yes"], UNCHANGED)) == len(table)

    return read, seeds.PREDICTIONS


def checkpoint_target(folder):
    path, run = folder / "checkpoints" / "best.ckpt", RunFolder(folder)
    path.parent.mkdir()
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))

    def read(content):
        path.write_bytes(content)
        checkpoint = read_checkpoint(path)
        if checkpoint.get("state_dict"):
            load_weights(network, checkpoint, run)

    return read, seeds.checkpoints()


def pickle_target(folder):
    """The pickle inside a checkpoint, in an archive that is whole."""
    read, contents = checkpoint_target(folder)
    name = "archive/data.pkl"
    return (lambda member: read(seeds.repack(contents[0], name, member))), [seeds.unpack(contents[0], name)]


def estimator_target(folder):
    """What describes a saved estimator, in an archive that is whole."""
    contents = seeds.estimators()

    def read(schema):
        estimator = Estimator("logistic_regression", 2)
        estimator.load_bytes(seeds.repack(contents[0], "schema.json", schema))

    return read, [seeds.unpack(contents[0], "schema.json")]


def plan_target(folder):
    run = RunFolder(folder)

    def read(content):
        run.plan.write_bytes(content)
        plan = read_json(run.plan)
        assert isinstance(plan["kind"], str)
        assert all("/" not in name for name in plan.get("parts", []))

    return read, seeds.PLANS


def onnx_target(folder):
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
    # Not above: without the extra it would skip all files.
    from tests.answering.graphs import write_graph

    path = folder / "a.onnx"

    def read(content):
        path.write_bytes(content)
        assert open_exported(path).classes

    masks = ("probabilities", "mask_probabilities", "features")
    return read, [write_graph(path, *masks).read_bytes(), write_graph(path).read_bytes()]


def metadata_target(folder):
    def read(content):
        assert read_info(content.decode("utf-8", "replace"), "a.onnx").preparation.inputs_each == 2

    return read, [info(tiles={"rows": 1, "columns": 2}).model_dump_json().encode()]


def exported_target(name):
    """A file of an exported folder; the other one is whole."""

    def target(folder):
        path = seeds.write_exported_folder(folder / "exported") / name

        def read(content):
            path.write_bytes(content)
            assert open_huggingface(path.parent).members

        return read, [path.read_bytes()]

    return target


TARGETS = {
    "image": image_target,
    "array": array_target,
    "archive": archive_target,
    "dicom": dicom_target,
    "yaml": yaml_target,
    "labels": label_target,
    "predictions": prediction_target,
    "checkpoint": checkpoint_target,
    "pickle": pickle_target,
    "estimator": estimator_target,
    "plan": plan_target,
    "onnx": onnx_target,
    "metadata": metadata_target,
    "config": exported_target("config.json"),
    "safetensors": exported_target("model.safetensors"),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("amount", ["few", pytest.param("many", marks=pytest.mark.slow)])
def test_damaged_files_are_answered_in_one_line(target, amount, tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    read, contents = TARGETS[target](tmp_path)
    fuzz(read, contents, INPUTS[amount])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024)
    assert grown < MOST_MEMORY
