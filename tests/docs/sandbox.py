"""A folder in which the commands of the pages find what they name: experiments, drawn images, small finished runs."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import timm
import yaml
from safetensors.torch import save_file

from medvision import cross_validate, export, fit
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.phantoms.sets import SETS, generate
from tests.docs.pages import ROOT
from tests.drawings import draw_dicom

# So little that a training takes a second, and still whole: each split, each table, each page.
SMALL = {
    "trainer.max_epochs": "2",
    "trainer.accelerator": "cpu",
    "data.image_size": "32",
    "data.batch_size": "16",
    "evaluation.resamples": "20",
    "schedule.name": "none",
}
FOLDS = "2"
PATIENTS = {"medmnist": 60, "mura": 40, "lung_us": 30, "hip_us": 20, "knee_xray": 60, "double_contour": 12}
USUAL_PATIENTS = 24
# What the shipped experiments say, and what stands there in the folder of the tests: networks that train in a second.
SMALLER = {
    "backbone: tf_efficientnet_lite0": "backbone: test_efficientnet",
    "encoder: tu-tf_efficientnet_lite0": "encoder: tu-test_efficientnet",
    "backbone: densenet201": "backbone: vgg_small",
    "backbone: inception_resnet_v2": "backbone: two_layer_cnn",
    "encoder: resnet18": "encoder: tu-test_resnet",
    "pretrained: true": "pretrained: false",
}
WEIGHTS = Path("data/weights/tf_efficientnet_lite0.safetensors")
# Files that a page names without showing them, as what they add to `experiments/knee_sections.yaml`.
NAMED = {
    "A.yaml": {"name": "A"},
    "B.yaml": {"name": "B", "optimizer": {"name": "sgd", "lr": 0.01}},
    "C.yaml": {"name": "C", "optimizer": {"name": "adam", "lr": 0.001}},
    "knee.yaml": {"name": "knee"},
    "gpu.yaml": {"trainer": {"precision": "bf16-mixed"}},
}
# Sweep files that a page describes in words: what is another in the shipped one.
SWEEPS = {
    "grid.yaml": {"method": "grid", "parameters": {"optimizer.lr": {"values": [0.0003, 0.001]}}},
    "typo.yaml": {"parameters": {"model.dropout": {"distribution": "unifrom", "min": 0.0, "max": 0.5}}},
}


def small(*without: str) -> list[str]:
    """The options of a short training, less those that are given elsewhere."""
    return [f"--{key}={value}" for key, value in SMALL.items() if key not in without]


def fill(folder: Path) -> None:
    """Put the shipped experiments, examples and stand-ins for published weights into a folder."""
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    shutil.copytree(ROOT / "examples", folder / "examples")
    for file in (folder / "experiments").rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for shipped, smaller in SMALLER.items():
            text = text.replace(shipped, smaller)
        file.write_text(text, encoding="utf-8")
    knee = yaml.safe_load((folder / "experiments/knee_sections.yaml").read_text(encoding="utf-8"))
    for name, changes in NAMED.items():
        whole = changes if name == "gpu.yaml" else {**knee, **changes}
        (folder / name).write_text(yaml.safe_dump(whole), encoding="utf-8")
    sweep = yaml.safe_load((folder / "experiments/sweeps/knee_sections.yaml").read_text(encoding="utf-8"))
    for name, changes in SWEEPS.items():
        kept = {key: value for key, value in sweep.items() if key not in ("project", "run_cap", "early_terminate")}
        whole = {key: changes.get(key, value) for key, value in kept.items()}
        # A line a key, so that a mistake has the line that the page tells.
        lines = [f"{key}: {json.dumps(value)}" for key, value in whole.items() if key != "parameters"]
        lines += ["parameters:", *(f"  {key}: {json.dumps(value)}" for key, value in whole["parameters"].items())]
        (folder / name).write_text("\n".join(["# A search.", *lines, ""]), encoding="utf-8")
    (folder / WEIGHTS).parent.mkdir(parents=True)
    # No tensor may be that of a new network: those would pass for tensors that were not taken.
    tensors = timm.create_model("test_efficientnet").state_dict()
    changed = {name: tensor * 1.01 + 0.01 if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file(changed, folder / WEIGHTS)


class Store:
    """Drawn sets and finished runs, made once and copied from then on.

    Args:
        folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def images_of(self, experiment: Experiment) -> None:
        """Draw what an experiment reads, where it is not there."""
        root = Path(experiment.data["root"])
        if root.is_dir() and any(root.iterdir()):
            return
        name = experiment.data["name"]
        if name == "folder":
            draw_folder(root, experiment.data["class_order"] or ["intact", "torn"])
        elif name == "mask_folder":
            draw_masks(root, list(experiment.data["mask_values"] or (0, 1)))
        else:
            self._copy(name, root)

    def _copy(self, name: str, root: Path) -> None:
        kept = self._folder / name
        if not kept.is_dir():
            generate(name, kept, patients=PATIENTS.get(name, USUAL_PATIENTS), images=1 if name in SETS else None)
        shutil.copytree(kept, root, dirs_exist_ok=True)

    def provide(self, word: str) -> None:
        """Make what a word of a command names, where the folder lacks it: a run, images, the best file of a sweep."""
        path = Path(word)
        if path.exists() or path.is_symlink():
            return
        parts = path.parts
        if len(parts) > 1 and parts[0] == "runs":
            self._run(parts[1])
        elif parts[:1] == ("scans",):
            draw_scans(Path("scans"))
        elif path.suffix == ".onnx" and len(parts) == 1:
            self.provide(f"runs/{path.stem}/latest")
            export.main([f"runs/{path.stem}/latest", "--format=onnx", f"--output={path.stem}-onnx"])
            shutil.copy(next(Path(f"{path.stem}-onnx").rglob(path.name)), path)
        elif path.suffix == ".png" and len(parts) == 1:
            draw_scans(Path("scans"))
            shutil.copy("scans/scan_0.png", path)
        elif word == "best.yaml":
            shutil.copy(max(Path("runs").glob("*/*/best.yaml")), path)

    def _run(self, name: str) -> None:
        """Train the run that a page takes as given: of the experiment of that name, or of the knee sections."""
        file = Path("experiments") / f"{name}.yaml"
        if not file.is_file() and name not in ("first", "second", "folds"):
            return
        file = file if file.is_file() else Path("experiments/knee_sections.yaml")
        kept = self._folder / "runs" / name
        self.images_of(load_experiment([file], []))
        if not kept.is_dir():
            command, more = (cross_validate, [f"--split.folds={FOLDS}"]) if name == "folds" else (fit, [])
            command.main([str(file), f"--name={name}", f"--output={kept.parent}", *more, *small()])
        shutil.copytree(kept, Path("runs") / name, symlinks=True)


def draw_folder(root: Path, classes: list[str]) -> None:
    """`<class>/patient007_1.png`: class k has k + 1 bright discs."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for patient in range(label * 12, label * 12 + 12):
            image = np.random.default_rng(patient).integers(20, 60, (48, 48), np.uint8)
            for disc in range(label + 1):
                cv2.circle(image, (12 + 20 * disc, 14 + patient % 12), 6, 200, -1)
            for number in (1, 2):
                cv2.imwrite(str(root / name / f"patient{patient:03d}_{number}.png"), np.roll(image, number, 1))


def draw_masks(root: Path, values: list[int]) -> None:
    """`images/patient007_1.png` and `masks/…`: a square for every value but the first."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for patient in range(24):
        mask = np.full((48, 64), values[0], np.uint8)
        for number, value in enumerate(values[1:]):
            mask[8 + patient % 12 : 30, 4 + 20 * number : 18 + 20 * number] = value
        image = (mask.astype(int) * 60 + np.random.default_rng(patient).integers(10, 50, mask.shape)).astype(np.uint8)
        for folder, drawn in (("images", image), ("masks", mask)):
            cv2.imwrite(str(root / folder / f"patient{patient:03d}_1.png"), drawn)


def draw_scans(folder: Path) -> None:
    """Images that a reader might want answers for."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        image = np.random.default_rng(number).integers(0, 255, (60, 80), np.uint8)
        cv2.imwrite(str(folder / f"scan_{number}.png"), image)
    draw_dicom(folder / "scan.dcm", image)
