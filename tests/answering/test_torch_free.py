"""What brings answers about without torch must not import it: a network may be a file of another kind."""

import subprocess
import sys
from pathlib import Path

import medvision.answering

HEAVY = ("torch", "lightning", "timm", "segmentation_models_pytorch", "sklearn", "albumentations")


def test_answering_imports_no_torch():
    files = Path(medvision.answering.__file__).parent.glob("*.py")
    modules = sorted(f"medvision.answering.{file.stem}" for file in files if file.stem != "__init__")
    assert len(modules) >= 10
    code = f"import sys, {', '.join(modules)}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
