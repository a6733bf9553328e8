"""The page Compare: two runs on one image."""

import streamlit as st

from medvision.answering.asked import Asked
from medvision.application.answer_view import show_answer
from medvision.application.data_at_hand import open_data
from medvision.application.handed_in import answer_for, take_images
from medvision.application.opened import Opened
from medvision.application.saved_answers import read_answers
from medvision.application.uploads import most_pixels
from medvision.application.words import plain, said
from medvision.data.images import is_image, parse_image_name
from medvision.data.tiles import parse_tile_name
from medvision.errors import DataError, MedvisionError

UPLOADED, TESTED = "an image of yours", "an image that the chosen run was tested on"


def show(opened: Opened) -> None:
    """Ask two runs about one image, and show their answers side by side.

    Raises:
        RunError: a folder that holds no network that could be asked, or no answers to the images of its test.
    """
    st.header("Compare")
    labels = list(opened.shelf)
    others = [label for label in labels if label != opened.label] or [opened.label]
    second = opened.shelf[st.selectbox("Compare with", others, key="compared with")]
    if second is opened:
        st.caption("The app was started with one run: `python -m medvision.app RUN RUN` compares two.")
    source = st.radio("Ask both about", [UPLOADED, TESTED], horizontal=True)
    key, asked = _uploaded(opened, second) if source == UPLOADED else _tested(opened)
    if asked is None:
        return
    for side, column, one in zip(("first", "second"), st.columns(2), (opened, second), strict=True):
        with column:
            st.markdown(f"**{plain(one.label)}**")
            try:
                answer = answer_for(one, key, asked)
                if isinstance(answer, str):
                    st.error(answer)
                else:
                    show_answer(one.model, answer, f"{side} {key}")
            except MedvisionError as error:
                # The other run may be able to answer.
                st.error(said(error))


def _uploaded(*runs: Opened) -> tuple[str, Asked | None]:
    with st.spinner("Opening the networks …"):
        pixels = min(most_pixels(one.model) for one in runs)
    found = take_images("Your image", pixels)
    if not found:
        return "", None
    keys = list(found)
    key = st.selectbox("Image", keys, format_func=lambda one: found[one].name) if len(keys) > 1 else keys[0]
    return key, found[key]


def _tested(opened: Opened) -> tuple[str, Asked | None]:
    answers = read_answers(opened.folder)
    if not answers.tested:
        st.info(
            "This run has tested no images yet: these are those of validation, on which its thresholds were chosen."
        )
    number = st.selectbox("Image", list(answers.table.index), format_func=lambda row: f"image {row}")
    name = str(answers.table.loc[number, "image"])
    try:
        return f"{opened.label} {number}", image_of_run(opened, name, f"image {number}")
    except DataError as error:
        st.error(said(error))
        return "", None


def image_of_run(opened: Opened, name: str, called: str) -> Asked:
    """An image of the data set of a run; of one that is cut into tiles, the whole image that a tile belongs to.

    Args:
        opened: the run.
        name: of the image in its tables.
        called: what a visitor reads.

    Raises:
        DataError: the data set is not at hand, or the file has changed since.
    """
    data = open_data(opened.folder, opened.experiment)
    pixels = data.image(name)
    file = data.datamodule.file_of(name)
    # A file tells how it is stored, and is known again by the runs; members of an archive do not.
    if is_image(file):
        return Asked(called, file, parse_image_name(parse_tile_name(name)[0])[1])
    return Asked(called, pixels)
