"""The page Predict: a visitor's own images."""

from collections.abc import Sequence

import streamlit as st

from medvision.answering.model import Model
from medvision.answering.records import make_answers
from medvision.application.answer_view import show_answer
from medvision.application.answers_shown import Shown
from medvision.application.handed_in import answer_for, take_images
from medvision.application.opened import Opened
from medvision.application.uploads import most_pixels
from medvision.runs import table_text


def show(opened: Opened) -> None:
    """Take images, ask the run, show what it says.

    Raises:
        RunError: the folder holds no network that could be asked.
        ModelError: the run reads files in a way of its own, and no uploads.
    """
    st.header("Predict")
    with st.spinner("Opening the network …"):
        model = opened.model
    found = take_images("Your images", most_pixels(model))
    answers = {key: answer_for(opened, key, asked) for key, asked in found.items()}
    for answer in answers.values():
        if isinstance(answer, str):
            st.error(answer)
    done = {key: answer for key, answer in answers.items() if isinstance(answer, Shown)}
    if not done:
        return
    key = next(iter(done))
    if len(done) > 1:
        _show_tables(model, list(done.values()))
        key = st.selectbox("Image", list(done), format_func=lambda one: done[one].record.image)
    show_answer(model, done[key], key)


def _show_tables(model: Model, several: Sequence[Shown]) -> None:
    """The answers for all images together, and for studies and patients where DICOM headers say them."""
    answers = make_answers(model, [one.record for one in several], {})
    for name, table in (("image", answers.images), ("study", answers.studies), ("patient", answers.patients)):
        if table is not None:
            st.dataframe(table, hide_index=True)
            st.download_button(
                f"Table, a row per {name} (CSV)", table_text(table), f"predictions_{name}.csv", "text/csv", key=name
            )
