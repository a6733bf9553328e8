"""What a network said of some validation images after each epoch, read from the folder `frames` of a run."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from medvision.data.mask_files import UNREADABLE_ARRAY
from medvision.data.masks import IGNORE
from medvision.errors import RunError
from medvision.reports.animation import animation_frames
from medvision.runs import RunFolder, reads_run

MOST_UNFOLDED = 2**28

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Frames:
    """The images of the animation, and where the masks of each epoch lie.

    Args:
        images: (n, S, S) or (n, S, S, 3) uint8.
        truths: (n, S, S) uint8 class numbers, with `IGNORE`.
        files: {epoch, counted from 0: its file}, ascending.
    """

    images: Pixels
    truths: Pixels
    files: dict[int, Path]


@reads_run
def read_frames(folder: RunFolder) -> Frames | None:
    """The frames of a run; None where it kept none, as a classification does.

    Raises:
        RunError: they are damaged.
    """
    found = {int(file.stem.rpartition("_")[2]): file for file in sorted(folder.frames.glob("epoch_*.npz"))}
    shown = folder.frames / "images.npz"
    if not found or not shown.is_file():
        return None
    arrays = _read_arrays(shown)
    return Frames(arrays["images"], arrays["truths"], found)


@reads_run
def draw_frame(folder: RunFolder, frames: Frames, epoch: int, classes: list[str], *, simulated: bool) -> Image.Image:
    """The picture of an epoch, as the animation of the run shows it, without its curves.

    Args:
        folder: of the run.
        frames: of the run.
        epoch: one of its files.
        classes: `mask_classes`, the background first.
        simulated: the images were drawn by a program; the picture says so.
    """
    predicted = _read_arrays(frames.files[epoch])["predicted"]
    # Around the image the network may say what it likes.
    predicted = np.where(frames.truths == IGNORE, 0, predicted).astype(np.uint8)
    # The last epoch tells how many there are.
    epochs = [epoch, max(frames.files)]
    both = np.stack([predicted, predicted])
    no_curves = pd.DataFrame({"epoch": []})
    return animation_frames(frames.images, frames.truths, both, epochs, no_curves, classes, simulated=simulated)[0]


def _read_arrays(path: Path) -> dict[str, Pixels]:
    """The arrays of a file that somebody else may have made: no pickle, bounded in size."""
    try:
        with ZipFile(path) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
        if unfolded > MOST_UNFOLDED:
            raise RunError(f"{path}: unfolds into {unfolded} bytes; frames are no larger than {MOST_UNFOLDED}")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name], dtype=np.uint8) for name in arrays.files if name != "rows"}
    except (*UNREADABLE_ARRAY, BadZipFile, zlib.error) as error:
        raise RunError(f"{path}: damaged, no frames as medvision writes them: {error}") from error
