"""Small valid files of every kind that is read."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from medvision.models.estimators import Estimator
from medvision.models.small import SMALL
from tests.answering.infos import info


def images() -> list[bytes]:
    random = np.random.default_rng(0)
    grey = random.integers(0, 255, (9, 12), dtype=np.uint8)
    colour = random.integers(0, 255, (9, 12, 3), dtype=np.uint8)
    deep = random.integers(0, 4095, (9, 12)).astype(np.uint16)
    turned = Image.Exif()
    turned[0x0112] = 6
    second = Image.fromarray(255 - grey)
    made = [
        (Image.fromarray(grey), "PNG", {}),
        (Image.fromarray(deep), "PNG", {}),
        (Image.fromarray(colour).quantize(7), "PNG", {}),
        (Image.fromarray(np.dstack([colour, grey])), "PNG", {"exif": turned}),
        (Image.fromarray(grey), "JPEG", {}),
        (Image.fromarray(colour), "JPEG", {"exif": turned, "progressive": True}),
        (Image.fromarray(grey), "TIFF", {"save_all": True, "append_images": [second]}),
        (Image.fromarray(deep), "TIFF", {"compression": "tiff_lzw"}),
        (Image.fromarray(grey.astype(np.float32)), "TIFF", {}),
        (Image.fromarray(grey), "BMP", {}),
        (Image.fromarray(grey), "GIF", {"save_all": True, "append_images": [second]}),
        (Image.fromarray(colour), "WEBP", {}),
        (Image.fromarray(colour), "JPEG2000", {}),
        (Image.fromarray(grey), "PPM", {}),
    ]
    contents = []
    for picture, kind, options in made:
        file = io.BytesIO()
        picture.save(file, kind, **options)
        contents.append(file.getvalue())
    return contents


def arrays() -> list[bytes]:
    contents = []
    for kind in (np.uint8, np.int64, np.float32):
        file = io.BytesIO()
        np.save(file, np.eye(5, dtype=kind))
        contents.append(file.getvalue())
    return contents


def archives() -> list[bytes]:
    """MedMNIST's layout."""
    some = {}
    for split in ("train", "val", "test"):
        some[f"{split}_images"] = np.zeros((2, 4, 4), np.uint8)
        some[f"{split}_labels"] = np.array([[0], [1]])
    contents = []
    for save in (np.savez, np.savez_compressed):
        file = io.BytesIO()
        save(file, **some)
        contents.append(file.getvalue())
    return contents


def checkpoints() -> list[bytes]:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    contents = []
    for content in (
        {"state_dict": network.state_dict(), "epoch": 3, "loops": {"a": [1, None, 2.5]}},
        {"state_dict": {}},
    ):
        file = io.BytesIO()
        torch.save(content, file)
        contents.append(file.getvalue())
    return contents


def estimators() -> list[bytes]:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(40, 4)), random.integers(0, 2, 40)
    contents = []
    for name in ("logistic_regression", "gradient_boosting", "nearest_neighbours", "kmeans"):
        estimator = Estimator(name, 2)
        estimator.fit(features, targets)
        contents.append(estimator.to_bytes())
    return contents


def unpack(content: bytes, name: str) -> bytes:
    """A member of a zip archive; every other change of an archive ends at its checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def repack(content: bytes, name: str, member: bytes) -> bytes:
    """The archive with another member, and checksums that are right."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(result, "w") as changed:
        for one in archive.infolist():
            changed.writestr(one.filename, member if one.filename == name else archive.read(one), one.compress_type)
    return result.getvalue()


EXPERIMENTS = [
    b"""\
name: knee
seed: 42
data: {name: folder, root: images, image_size: 64, patient_pattern: '(?P<patient>[a-z]+)_', augmentation: ultrasound}
split: {group: patient, val: 0.15, test: 0.15}
model: {task: classification, backbone: vgg_small, class_weights: [1, 2.5]}
optimizer: {name: adamw, lr: 1e-3}
trainer: {max_epochs: 60}
""",
    b"""\
base: &base {lr: 1e-3, weight_decay: 0.01}
name: &n "tissue"
question: |
  Which of them?
optimizer: {<<: *base, name: sgd}
list: [1, -2.5, .inf, null, ~, true, 'x: y', *n]
data:
  root: ${NOBODY_HAS_SET_THIS:-images}
  mask_values: {0: background, "#ff0000": fat}
""",
]
LABELS = [
    b"image,label,patient,age\na.png,sick,p1,40\nb.png,well,p2,\nc.png,sick,p3,7.5\n",
    b'image,label,patient,mask\n"a,1.png",x,007,masks/a.png\nb/c.png,y,NA,fat=m/1.png|bone=m/2.png\n',
]
PREDICTIONS = [
    b"image,patient,split,fold,target,predicted,p_no,p_yes,age\n"
    b"a.png,p1,test,0,no,no,0.9,0.1,40\nb.png,p2,test,0,yes,yes,0.25,0.75,\n'=c.png,p3,test,0,yes,no,0.5,0.5,3\n"
]
PLANS = [
    json.dumps(plan).encode()
    for plan in (
        {"kind": "cross_validation", "folds": 2, "repeats": 1, "choose": {}, "parts": ["fold-0", "fold-1"]},
        {"kind": "comparison", "trained": False, "models": [{"name": "a", "run": "../a", "experiment": {}}]},
    )
]


def dicoms(folder: Path) -> list[bytes]:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        RLELossless,
        generate_uid,
    )

    random = np.random.default_rng(0)
    contents = []
    for number, syntax in enumerate(
        (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless)
    ):
        data = Dataset()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
        data.PatientID, data.StudyInstanceUID, data.Modality = "7", generate_uid(entropy_srcs=["s"]), "US"
        data.PhotometricInterpretation, data.SamplesPerPixel = "MONOCHROME1", 1
        data.Rows, data.Columns, data.BitsAllocated, data.BitsStored, data.HighBit = 6, 7, 16, 12, 11
        data.PixelRepresentation, data.PixelSpacing, data.NumberOfFrames = number % 2, [0.1, 0.2], 2
        data.WindowCenter, data.WindowWidth, data.RescaleSlope, data.RescaleIntercept = 600, 900, 1, -20
        region = Dataset()
        region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
        data.SequenceOfUltrasoundRegions = [region]
        data.PixelData = random.integers(0, 2000, (2, 6, 7)).astype(np.uint16).tobytes()
        if syntax == RLELossless:
            data.compress(RLELossless)
        path = folder / f"{number}.dcm"
        data.save_as(path, enforce_file_format=True)
        contents.append(path.read_bytes())
    return contents


def write_exported_folder(folder: Path) -> Path:
    """As `medvision.export --format huggingface` writes it, of a tiny network."""
    folder.mkdir()
    asked = {"trainer": {"accelerator": "cpu"}, "evaluation": {"flips": False, "window_overlap": 0.5}}
    about = info(experiment={"model": {"task": "classification", "backbone": "two_layer_cnn"}, **asked})
    config = {"pretrained_cfg": {"mean": [0.5], "std": [0.5]}, "medvision": about.model_dump(mode="json")}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    safetensors.torch.save_file(SMALL["two_layer_cnn"](1, 2, 0.0).state_dict(), folder / "model.safetensors")
    return folder
