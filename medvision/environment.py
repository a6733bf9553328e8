"""What a run ran on and with: enough to repeat it, nothing about the person."""

import os
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from medvision import DISTRIBUTION

try:
    import resource
except ImportError:  # Windows does not tell.
    resource = None  # type: ignore[assignment]

# The kernel's own account of this process, and where it is told to start anew (proc(5)).
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
PACKAGES = (
    DISTRIBUTION,
    "torch",
    "torchvision",
    "lightning",
    "timm",
    "albumentations",
    "opencv-python-headless",
    "numpy",
    "pandas",
    "scikit-learn",
    "pydicom",
)


def describe_environment(seed: int) -> dict[str, Any]:
    """Versions, device, threads, git commit and seed, as plain values."""
    gpu = torch.cuda.is_available()
    return {
        "seed": seed,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "device": torch.cuda.get_device_name(0) if gpu else _processor(),
        "devices": torch.cuda.device_count() if gpu else 0,
        "cuda": torch.version.cuda if gpu else None,
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "git_commit": _git("rev-parse", "HEAD"),
        "git_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
    }


def forget_peak_memory() -> None:
    """Let `peak_memory` speak of what comes, so that runs in one process have peaks of their own.

    For the process itself only Linux can forget; elsewhere its peak is that of all runs so far.
    """
    with suppress(OSError):
        FORGET.write_text("5", encoding="ascii")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, int]:
    """The most memory that this process, and the GPU, held at a time, in MiB; what is not known is left out."""
    peak = {}
    if STATUS.is_file():
        fields = dict(line.partition(":")[::2] for line in STATUS.read_text(encoding="utf-8").splitlines())
        peak["peak_memory_mib"] = int(fields["VmHWM"].removesuffix("kB")) // 2**10
    elif resource is not None:
        # Linux counts in KiB, macOS in bytes.
        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak["peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit
    if torch.cuda.is_available():
        peak["peak_gpu_memory_mib"] = torch.cuda.max_memory_allocated() // 2**20
    return peak


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123 - not a file of anybody's
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    """The answer of git about the current folder; None outside a checkout or without git."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
