"""The page Training: how the predictions of a run formed, epoch by epoch, beside its curves."""

from typing import Any

import pandas as pd
import streamlit as st

from medvision.application.charts import curve_chart
from medvision.application.frames import draw_frame, read_frames
from medvision.application.inner_runs import choose_run
from medvision.application.opened import Opened
from medvision.application.words import plain
from medvision.config.yaml_file import read_values
from medvision.errors import RunError
from medvision.reports.figures import MOST_CURVES
from medvision.reports.inputs import best_epoch
from medvision.runs import RunFolder, read_json, read_table, reads_run

MOST_BYTES = 20_000_000


def show(opened: Opened) -> None:
    """Show the curves of a training with a slider of its epochs, and for masks the picture of each epoch."""
    st.header("Training")
    name, folder = choose_run(opened, "Training of", lambda run: run.history.is_file())
    _show_training(folder, name, simulated=opened.simulated)


@reads_run
def _show_training(folder: RunFolder, name: str, *, simulated: bool) -> None:
    history = read_table(folder.history)
    if history.empty:
        raise RunError(f"{name}: its history has no epoch yet")
    epochs = [int(epoch) for epoch in history["epoch"]]
    best = best_epoch(read_values(folder.experiment), history)
    # Readers count from 1.
    options, start = [epoch + 1 for epoch in epochs], (epochs[-1] if best is None else best) + 1
    # A slider of one place cannot be drawn.
    epoch = (st.select_slider("Epoch", options, value=start, key=f"epoch {name}") if len(options) > 1 else start) - 1
    if best is not None:
        st.caption(
            f"The line stands at the epoch shown; the dotted one at epoch {best + 1}, whose weights were evaluated."
        )
    left, right = st.columns(2)
    with left:
        _show_frame(folder, epoch, simulated=simulated)
        _show_values(history[history["epoch"] == epoch].iloc[0])
    with right:
        known = [name for name in map(str, history) if "/" in name and history[name].notna().any()]
        losses = [name for name in known if name.endswith("/loss")]
        scores = [name for name in known if name.startswith("val/") and name not in losses][:MOST_CURVES]
        for title, columns in (("loss", losses), ("validation", scores)):
            if columns:
                chart = curve_chart(history, columns, title, epoch, best)
                st.altair_chart(chart, width="stretch", alt=f"Curves of {', '.join(columns)} by epoch.")
    _show_animation(folder)


def _show_frame(folder: RunFolder, epoch: int, *, simulated: bool) -> None:
    frames = read_frames(folder)
    if frames is None:
        st.info("Frames of an epoch are kept of masks only; this training has curves.")
    elif epoch not in frames.files:
        st.info("No frame was kept of this epoch.")
    else:
        classes = list(read_json(folder.environment)["data"]["mask_classes"])
        picture = draw_frame(folder, frames, epoch, classes, simulated=simulated)
        st.image(picture, alt=f"Predicted masks of some validation images after epoch {epoch + 1}.")


def _show_values(row: "pd.Series[Any]") -> None:
    """What the history says of an epoch."""
    told = {str(name): value for name, value in row.items() if name != "epoch" and value == value}
    with st.expander("All values of this epoch"):
        st.table({"value": {plain(name): f"{value:.4g}" for name, value in told.items()}})


def _show_animation(folder: RunFolder) -> None:
    # Streamlit sends a GIF as it is; of a WebP it would show the first frame alone.
    found = folder.animation_gif
    if not found.is_file() or found.stat().st_size > MOST_BYTES:
        return
    # It moves only for who asks for it.
    if st.toggle("Play the animation"):
        st.image(found.read_bytes(), alt="Animation of the predicted masks by epoch, with loss and Dice.")
