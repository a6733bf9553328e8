"""The page Demo: what a run has answered for the images that it was tested on."""

import math
from collections.abc import Sequence

import streamlit as st

from medvision.application.charts import probability_chart
from medvision.application.demo_pictures import DIFFERENCE, MAP, Drawn, draw_case, mask_legend, saved_answers
from medvision.application.opened import Opened
from medvision.application.saved_answers import ORDERS, SavedAnswers
from medvision.application.words import plain
from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.folds import FoldDecisions
from medvision.reports.gallery import READING
from medvision.runs import RunFolder, reads_run

ALL = "all classes"
KEY, WRITTEN = "image", "image in the address"
ORDER, CLASS = "order of the demo", "class of the demo"
SPLIT = {
    "test": "Images of the test split, which no network that answers here has learned from.",
    "val": "Validation images: the test split was left alone. Epoch, temperature and thresholds were chosen on these.",
    "train": "Training images: the network has learned from them. How it does on new ones they do not tell.",
}
FOLDS = "All images of a cross-validation, each answered by the network of the fold that had not learned from it."
# Title and decimals; areas have those of their unit.
MEASURES = {
    "dice": ("Dice", 3),
    "iou": ("IoU", 3),
    "hd95": ("95 % Hausdorff distance", 1),
    "area": ("area", None),
    "area_true": ("true area", None),
}


def show(opened: Opened) -> None:
    """Go through the images of a run, one at a time: pictures, truth, answer and probabilities."""
    st.header("Demo")
    _show_answers(opened.folder, opened)


@reads_run
def _show_answers(folder: RunFolder, opened: Opened) -> None:
    answers = saved_answers(opened)
    st.caption(plain(FOLDS if isinstance(answers.decision, FoldDecisions) else SPLIT[answers.split]))
    rows = _choose_rows(answers)
    if not rows:
        st.info("No image is of this kind.")
        return
    number = _choose_image(answers, rows, opened.label)
    with st.spinner("Drawing …"):
        drawn = draw_case(opened, number)
    _show_facts(answers, number)
    if answers.mask_classes:
        _show_pictures(drawn, simulated=opened.simulated)
        compared = any(text == DIFFERENCE for _, text in drawn.pictures)
        st.image(mask_legend(answers.mask_classes, compared=compared), alt="What the colours mean.")
        _show_scores(answers, number)
    if answers.classes:
        left, right = st.columns([3, 2])
        with right:
            _show_probabilities(answers, number)
        with left:
            if not answers.mask_classes:
                _show_pictures(drawn, simulated=opened.simulated)
            if any(text.startswith(MAP) for _, text in drawn.pictures):
                st.caption(plain(READING))
    for note in drawn.notes:
        st.info(plain(note))


def _choose_rows(answers: SavedAnswers) -> list[int]:
    left, right = st.columns(2)
    order = left.selectbox("Show", answers.orders, format_func=ORDERS.__getitem__, on_change=_restart, key=ORDER)
    classes = [*answers.classes, *answers.mask_classes[1:]]
    name = right.selectbox("That truly show", [ALL, *classes], on_change=_restart, key=CLASS)
    return answers.pick(order, None if name == ALL else name)


def _restart() -> None:
    st.query_params.pop(KEY, None)


def _choose_image(answers: SavedAnswers, rows: Sequence[int], run: str) -> int:
    """The row that the address names, if it is one of these; buttons and keys lead to its neighbours."""
    asked = st.query_params.get(KEY)
    of_run, written = st.session_state.get(WRITTEN, (run, None))
    # What was written for another run says nothing of this one.
    asked = None if of_run != run and asked == written else asked
    known = {str(number): number for number in answers.table.index}
    if asked is not None and asked not in known:
        st.warning(plain(f"The address names an image that this table does not have: {asked[:80]}"))
    number = known.get(asked or "", rows[0])
    place = rows.index(number) if number in rows else 0
    st.query_params[KEY] = str(rows[place])
    st.session_state[WRITTEN] = (run, str(rows[place]))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        _lead("Previous", "P", rows, place - 1)
        st.markdown(f"Image **{place + 1}** of {len(rows)}", width="content")
        _lead("Next", "N", rows, place + 1)
    return rows[place]


def _lead(label: str, key: str, rows: Sequence[int], place: int) -> None:
    """A button, and a key, to another image."""
    there = 0 <= place < len(rows)
    st.button(label, shortcut=key, disabled=not there, on_click=_go, args=(rows[place] if there else rows[0],))


def _go(number: int) -> None:
    st.query_params[KEY] = str(number)


def _show_facts(answers: SavedAnswers, number: int) -> None:
    image = str(answers.table.loc[number, "image"])
    facts = [answers.called.get(image, ""), f"row {number} of predictions.csv"]
    left, right = st.columns(2, vertical_alignment="center")
    left.markdown(plain(", ".join(filter(None, facts))))
    # A name may be a patient's: it is shown to who asks for it, and never stands in the address.
    if right.toggle("Show the name of the file", key="file names"):
        right.text(image)


def _show_pictures(drawn: Drawn, *, simulated: bool) -> None:
    """Two beside each other, on a narrow screen below each other in the same order."""
    mark = "SIMULATED · " if simulated else ""
    for start in range(0, len(drawn.pictures), 2):
        for column, (picture, text) in zip(st.columns(2), drawn.pictures[start : start + 2], strict=False):
            column.image(picture, caption=plain(f"{mark}{text}"), alt=text, width="stretch")


def _show_scores(answers: SavedAnswers, number: int) -> None:
    """What the table says of the masks of an image."""
    row = answers.table.loc[number]
    unit = str(row["unit"])
    units = {"hd95": f" {unit}", "area": f" {unit}²", "area_true": f" {unit}²"}
    cells: dict[str, dict[str, str]] = {}
    for measure, (title, decimals) in MEASURES.items():
        digits = (1 if unit == "mm" else 0) if decimals is None else decimals
        values = {name: float(str(row[f"{measure}_{name}"])) for name in answers.mask_classes[1:]}
        cells[plain(title)] = {
            plain(name): "–" if math.isnan(value) else f"{value:,.{digits}f}{units.get(measure, '')}"
            for name, value in values.items()
        }
    st.table(cells)


def _show_probabilities(answers: SavedAnswers, number: int) -> None:
    row = answers.table.loc[number]
    true, predicted = (_labels(row[column]) for column in ("target", "predicted"))
    right = set(true) == set(predicted)
    words = [f"true: {', '.join(true) or 'none'}", f"predicted: {', '.join(predicted) or 'none'}"]
    (st.success if right else st.error)(plain(f"{'Right' if right else 'Wrong'}; {'; '.join(words)}"))
    values = {name: float(str(row[f"p_{name}"])) for name in answers.classes}
    thresholds, digits = answers.thresholds(number), answers.digits(number)
    said = ", ".join(f"{name} {value:.{digits}f}" for name, value in values.items())
    chart = probability_chart(values, thresholds, predicted, true, digits)
    st.altair_chart(chart, width="stretch", alt=f"Calibrated probabilities: {said}.")
    if thresholds:
        lines = "; ".join(f"{name} from {value:.{digits}f} on" for name, value in thresholds.items())
        st.caption(plain(f"The line is that of the decision, chosen on validation images: {lines}."))
    else:
        st.caption("The most probable class is the answer; there is no line.")


def _labels(cell: object) -> list[str]:
    return [name for name in str(cell).split(LABEL_SEPARATOR) if name] if cell == cell else []
