"""The answer for one image as a visitor sees it: words, probabilities, areas, pictures, downloads."""

from pathlib import PurePath

import pandas as pd
import streamlit as st
from PIL import Image

from medvision.answering.model import Model
from medvision.answering.records import make_answers
from medvision.application.answers_shown import Shown, png
from medvision.application.charts import probability_chart
from medvision.application.words import plain
from medvision.evaluation.decimals import supported_decimals

UNITS = {"mm": "mm²", "px": "pixels"}


def show_answer(model: Model, shown: Shown, key: str) -> None:
    """Draw one answer.

    Args:
        model: that has answered.
        shown: the answer.
        key: of its widgets, unlike any other on the page.
    """
    for warning in _warnings(model, shown):
        st.warning(plain(warning))
    table = make_answers(model, [shown.record], {}).images
    if model.classes:
        _show_class(model, table)
    _show_pictures(model, shown, key)
    if model.mask_classes:
        _show_areas(model, shown)
    st.caption(
        plain(
            f"{shown.width} x {shown.height} pixels, {shown.storage}; answered in {shown.seconds:.2f} s on this "
            "computer, from the bytes of the file to these pictures"
        )
    )


def _warnings(model: Model, shown: Shown) -> list[str]:
    """What must be known of the answer, a sentence each."""
    said = []
    if shown.record.unlike:
        said.append(f"Unlike the training images: {shown.record.unlike}. The answer may mean nothing.")
    if shown.record.trained_on:
        said.append(
            "The run has learned from this very image, or was tuned on it: the answer does not tell how it does on new "
            "ones."
        )
    if not model.ranges:
        said.append(
            "This run does not know what its training images were like: whether this one is unlike is not known."
        )
    return said


def _show_class(model: Model, table: pd.DataFrame) -> None:
    row = table.iloc[0]
    digits = supported_decimals(model.patients)
    names = [name for name in model.classes if name in str(row["predicted"]).split("|")]
    told = ", ".join(f"{name} ({row[f'p_{name}']:.{digits}f})" for name in names) or "none of the classes"
    st.markdown(f"**Answer: {plain(told)}**")
    decided = model.classes if model.multilabel else model.classes[1:] if len(model.classes) == 2 else ()
    thresholds = {name: model.decision(model.level).threshold(model.level, name) for name in decided}
    values = {name: float(row[f"p_{name}"]) for name in model.classes}
    chart = probability_chart(values, thresholds, names, (), digits)
    st.altair_chart(chart, width="stretch", alt="Calibrated probability of each class, with the decision line.")
    st.caption(
        "The line is the threshold that the run has chosen on its validation split: from it on the answer is yes."
        if thresholds
        else "The most probable class is the answer; there is no threshold."
    )
    if len(model.members) > 1:
        spread = ", ".join(f"{name} {row[f'sd_{name}']:.{digits}f}" for name in model.classes)
        st.caption(plain(f"Standard deviation over {len(model.members)} networks: {spread}"))


def _show_pictures(model: Model, shown: Shown, key: str) -> None:
    stem = PurePath(shown.record.image.replace("#", "_")).stem or "image"
    # Of a file with several frames the stem alone would be the same for all.
    stem = stem if "#" not in shown.record.image else shown.record.image.replace("#", "_").replace(".", "_")
    if shown.overlay is not None:
        share = st.slider("Opacity of the mask in %", 0, 100, 80, key=f"{key} opacity") / 100
        # The legend is the same in both, so that only the mask fades.
        blended = Image.blend(shown.picture, shown.overlay, share)
        st.image(blended, alt="the image with its mask")
        with st.container(horizontal=True):
            assert shown.mask is not None
            st.download_button("Mask (PNG)", shown.mask, f"{stem}_mask.png", "image/png", key=f"{key} mask")
            st.download_button("Overlay (PNG)", png(blended), f"{stem}_overlay.png", "image/png", key=f"{key} overlay")
    if shown.evidence is None:
        if shown.overlay is None:
            st.image(shown.picture, alt="the image")
        return
    left, right = st.columns(2)
    if shown.overlay is None:
        left.image(shown.picture, alt="the image")
    right.image(shown.evidence, alt="the image under a map of the evidence for its class")
    right.download_button("Evidence (PNG)", png(shown.evidence), f"{stem}_gradcam.png", "image/png", key=f"{key} cam")


def _show_areas(model: Model, shown: Shown) -> None:
    unit = UNITS[shown.record.unit]
    # A count of pixels has no decimals.
    areas = [round(area, 1) if shown.record.unit == "mm" else round(area) for area in shown.record.areas]
    st.dataframe({"structure": list(model.mask_classes[1:]), f"area in {unit}": areas}, hide_index=True)
    if shown.record.unit == "px":
        st.caption("The size of a pixel is not known from this file: areas are in pixels, not mm².")
