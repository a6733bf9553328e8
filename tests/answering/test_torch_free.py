"""What brings answers about without torch must not import it: a network may be a file of another kind."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import medvision.answering
from medvision.answering.asked import find_images
from medvision.answering.session import answer
from tests.answering.fakes import model
from tests.answering.graphs import write_graph
from tests.drawings import draw_dicom

HEAVY = ("torch", "lightning", "timm", "segmentation_models_pytorch", "sklearn", "albumentations")
REFUSED = (*HEAVY, "torchvision", "torchmetrics", "wandb", "optuna", "skops", "safetensors", "tensorboard")
# Packages are looked for as if these were not installed.
WITHOUT = f"""
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {REFUSED} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from medvision import __main__ as medvision

medvision.command()
"""


def test_answering_imports_no_torch():
    files = Path(medvision.answering.__file__).parent.glob("*.py")
    modules = sorted(f"medvision.answering.{file.stem}" for file in files if file.stem != "__init__")
    assert len(modules) >= 12
    code = f"import sys, {', '.join(modules)}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def without_torch(*arguments):
    command = [sys.executable, "-c", WITHOUT, "predict", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_whole_command_answers_where_torch_is_not_installed(tmp_path):
    random = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    pixels = random.integers(0, 256, (20, 30), dtype=np.uint8)
    cv2.imwrite(str(images / "a.png"), pixels)
    cv2.imwrite(str(images / "deep.png"), pixels.astype(np.uint16) * 257)
    draw_dicom(images / "b.dcm", pixels)
    network = write_graph(tmp_path / "a.onnx", "probabilities", "mask_probabilities", "features")
    output = tmp_path / "out"
    done = without_torch(network, images, "--output", output, "--overlay")
    assert done.returncode == 0, done.stderr
    assert "SIMULATED" in done.stdout
    found = pd.read_csv(output / "predictions.csv", keep_default_na=False)
    expected = answer(model("probabilities", "maps"), find_images(images)).images
    assert list(found["image"]) == list(expected["image"])
    np.testing.assert_allclose(found["p_bright"], expected["p_bright"], atol=1e-6)
    assert list(found["unit"]) == ["px", "mm", "px"]
    assert found["area_light"][1] == pytest.approx(found["area_light"][0] * 0.5 * 0.25)
    assert len(list((output / "masks").iterdir())) == len(list((output / "overlays").iterdir())) == 3


def test_what_needs_torch_says_so_in_one_line(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.yaml").write_text("name: a\n")
    done = without_torch(tmp_path / "run", Path(__file__))
    assert done.returncode == 2
    assert done.stderr == (
        f"medvision: {tmp_path}/run: a run needs torch: pip install medvision-lightning; an .onnx file does without\n"
    )
