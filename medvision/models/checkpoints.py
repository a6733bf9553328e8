"""A checkpoint that somebody else may have written: tensors and plain values, or an error in one line."""

import zipfile
from pathlib import Path
from typing import Any

import torch

from medvision.errors import RunError

# The one name that torch's reader allows and that makes much memory out of few bytes: `bytearray(10**12)`.
_GREEDY = b"bytearray"
_PICKLE = ".pkl"


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `torch.save` wrote of a training, on the CPU; nothing but tensors and plain values is ever built.

    The archive may hold no more than the file itself, so that reading it takes no more memory than its size.

    Args:
        path: of the file.

    Raises:
        RunError: no such file, or one that is damaged, that would run code, or that holds something else.
    """
    if not path.is_file():
        raise RunError(f"{path}: no checkpoint; the run was stopped before its first epoch was validated")
    try:
        _check_archive(path)
        content = torch.load(path, weights_only=True, map_location="cpu")
    except RunError:
        raise
    except Exception as error:
        raise RunError(f"{path}: {_reason(error)}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path}: no checkpoint, it holds a {type(content).__name__}")
    return content


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise RunError(f"{path}: no checkpoint of PyTorch, which does not compress")
        if sum(member.file_size for member in members) > path.stat().st_size:
            raise RunError(f"{path}: damaged: its archive declares more than the file holds")
        for member in members:
            if member.filename.endswith(_PICKLE) and _GREEDY in archive.read(member):
                raise RunError(f"{path}: refused: a checkpoint of medvision holds no {_GREEDY.decode()}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "Unsupported" in text or "GLOBAL" in text:
        return f"refused: it holds more than tensors and plain values, which could run code: {text[-160:]}"
    return f"damaged, or no checkpoint of PyTorch: {text[:160] or type(error).__name__}"
