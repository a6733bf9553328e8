"""The runs in the folder of several: folds, the models of a comparison, and their folds."""

from collections.abc import Callable

import streamlit as st

from medvision.application.opened import Opened
from medvision.errors import RunError
from medvision.runs import RunFolder, reads_run

WHOLE = "the whole folder"
DEEPEST = 3


@reads_run
def inner_runs(folder: RunFolder, levels: int = DEEPEST) -> dict[str, RunFolder]:
    """The run folders below one of several runs, by their path below it; itself is not among them.

    Args:
        folder: of one run or of several.
        levels: how deep they may lie: a comparison has models, and these have folds.
    """
    if levels == 0 or not folder.parts.is_dir():
        return {}
    found: dict[str, RunFolder] = {}
    for path in sorted(folder.parts.iterdir()):
        if (path / folder.experiment.name).is_file():
            one = RunFolder(path)
            found |= {path.name: one}
            found |= {f"{path.name}/{name}": run for name, run in inner_runs(one, levels - 1).items()}
    return found


def choose_run(opened: Opened, label: str, fits: Callable[[RunFolder], bool]) -> tuple[str, RunFolder]:
    """Let a visitor choose among a folder and the runs in it; where there is nothing to choose, nothing is asked.

    Args:
        opened: the folder.
        label: of the choice.
        fits: which of them can be shown.

    Returns:
        What it is called, and its folder.

    Raises:
        RunError: none fits.
    """
    every = {WHOLE: opened.folder, **inner_runs(opened.folder)}
    found = {name: run for name, run in every.items() if fits(run)}
    if not found:
        raise RunError(f"{opened.label}: has no such files; the run did not get that far")
    if list(found) == [WHOLE]:
        return opened.label, opened.folder
    name = st.selectbox(label, list(found), key=f"{label} {opened.label}")
    return f"{opened.label}, {name}", found[name]
