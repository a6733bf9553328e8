"""The most confident mistakes and the least certain images of a split, each with the evidence that the network saw."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from PIL import Image

from medvision.data.pseudonyms import pseudonyms
from medvision.data.resize import Geometry
from medvision.datamodules.base import DataModule
from medvision.errors import ModelError
from medvision.evaluation.notable import notable_cases
from medvision.evaluation.operating_point import UNCHANGED, Decision
from medvision.models.grad_cam import grad_cam
from medvision.reports.gallery import QUALITY, map_picture, plain_picture
from medvision.runs import RunFolder, read_json, write_json
from medvision.tasks.base import Task

BATCH = 8


def save_cases(task: Task, datamodule: DataModule, run: RunFolder, table: pd.DataFrame, split: str) -> None:
    """Draw the images of a split that a reader should see, and write `cases.json`.

    A map shows the image as it is, not flipped, also where predictions are averaged with those of the flipped image. A
    network from which no map can be had leaves `map` null, and `note` says why. Neither pictures nor captions tell a
    file name or a patient's name; `cases.json` tells the file name to who holds the run folder. What is burned into the
    pixels of an image is shown with them.

    Args:
        task: with the weights that made the table; maps are computed on its device.
        datamodule: set up, with labels.
        run: the run folder.
        table: the rows of the split in the prediction table.
        split: its name.
    """
    decision = Decision.from_json(read_json(run.decision)) if run.decision.is_file() else UNCHANGED
    classes = datamodule.class_names
    chosen = notable_cases(table, classes, multilabel=datamodule.multilabel, decision=decision)
    images = table["image"].iloc[chosen["row"]]
    row_of = {image: row for row, image in enumerate(datamodule.image_table["image"])}
    rows = [row_of[image] for image in images]
    shown = [classes.index(name) for name in chosen["class_shown"]]
    maps, empty, note = _evidence(task, datamodule, rows, shown)
    called = pseudonyms(datamodule.image_table)
    run.cases.unlink(missing_ok=True)
    if run.case_pictures.is_dir():
        shutil.rmtree(run.case_pictures)
    run.case_pictures.mkdir(parents=True)
    cases = []
    for number, (row, case) in enumerate(zip(rows, chosen.to_dict("records"), strict=True)):
        answer = table.iloc[case["row"]]
        drawn = _draw(datamodule, run, row, number, case["class_shown"], maps, empty)
        cases.append(
            {
                "split": split,
                "kind": case["kind"],
                "image": str(answer["image"]),
                "patient": called[row],
                "target": _names(answer["target"]),
                "predicted": _names(answer["predicted"]),
                "probability": float(case["probability"]),
                "class_shown": case["class_shown"],
                **drawn,
                "note": drawn["note"] or note,
            }
        )
    write_json(run.cases, cases)


def _names(cell: Any) -> str:
    return "" if pd.isna(cell) else str(cell)


def _evidence(
    task: Task, datamodule: DataModule, rows: list[int], shown: list[int]
) -> tuple[list[npt.NDArray[np.float32]], list[bool], str]:
    """Maps at the network's size, whether each is empty, and why there are none; empty lists where there are none."""
    maps: list[npt.NDArray[np.float32]] = []
    empty: list[bool] = []
    # Images that have kept their own sizes do not fit into one batch.
    size = 1 if datamodule.resize == "none" else BATCH
    for first in range(0, len(rows), size):
        pixels = [datamodule.pixels[row] for row in rows[first : first + size]]
        batch = torch.from_numpy(np.stack(pixels)).to(task.device)
        images = batch.unsqueeze(1) if batch.ndim == 3 else batch.permute(0, 3, 1, 2)
        asked = torch.tensor(shown[first : first + size], device=task.device)
        try:
            found = grad_cam(task.network, task.normalise(images), asked)
        except ModelError as error:
            return [], [], str(error)
        maps += list(found.maps.cpu().numpy())
        empty += found.no_evidence.tolist()
    return maps, empty, ""


def _draw(
    datamodule: DataModule,
    run: RunFolder,
    row: int,
    number: int,
    name: str,
    maps: list[npt.NDArray[np.float32]],
    empty: list[bool],
) -> dict[str, Any]:
    """Write the pictures of a case, and tell what they are."""
    image = datamodule.read_pixels(datamodule.image_table["image"][row])
    file = run.case_pictures / f"{number + 1:02d}.jpg"
    _write(plain_picture(image, simulated=datamodule.simulated), file)
    told = {"picture": file.relative_to(run.path).as_posix(), "map": None, "no_evidence": False, "note": ""}
    if not maps:
        return told
    height, width = image.shape[:2]
    if datamodule.resize == "none":
        evidence, inside, seen = maps[number][:height, :width], maps[number], None
    else:
        geometry = Geometry(height, width, datamodule.image_size, datamodule.resize)
        evidence, inside, seen = geometry.undo(maps[number]), geometry.target.cut(maps[number]), geometry.source
    if empty[number]:
        text = note = f"no positive evidence for {name}"
    elif inside.sum() < maps[number].sum() / 2:
        text = note = f"most evidence for {name} lies in the black border around the image"
    else:
        text, note = f"evidence for {name}", ""
    over = file.with_name(f"{file.stem}_map.jpg")
    picture = map_picture(image, evidence, text, simulated=datamodule.simulated, seen=seen, scale=not empty[number])
    _write(picture, over)
    return {**told, "map": over.relative_to(run.path).as_posix(), "no_evidence": empty[number], "note": note}


def _write(picture: Image.Image, path: Path) -> None:
    # Full colour resolution: the map's edges would smear otherwise.
    picture.save(path, quality=QUALITY, subsampling=0)
