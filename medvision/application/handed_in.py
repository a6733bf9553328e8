"""What one visitor has handed in, and the answers to it, for as long as both are looked at."""

from typing import Any

import streamlit as st

from medvision.answering.asked import Asked
from medvision.application.answers_shown import Shown, ask
from medvision.application.opened import Opened
from medvision.application.uploads import MEGABYTES, MOST_IMAGES, TYPES, images_of, limits
from medvision.application.words import plain, said
from medvision.errors import DataError

FILES, ANSWERS = "files handed in", "answers to them"
MOST_ANSWERS = 2 * MOST_IMAGES


def take_images(label: str, pixels: int) -> dict[str, Asked]:
    """The images that a visitor has handed in, each under a key of its own; what cannot be taken is told of.

    Args:
        label: of the place to drop them.
        pixels: that each may have, for the visitor to know; `ask` refuses others.
    """
    st.caption(plain(limits(pixels)))
    files = st.file_uploader(label, TYPES, accept_multiple_files=True, max_upload_size=MEGABYTES, key=label)
    # What was found in a file is kept as long as the file: the page is drawn anew at every click.
    before: dict[str, Any] = st.session_state.get(FILES, {})
    now = {one.file_id: before.get(one.file_id) or _images(one.name, one.getvalue()) for one in files}
    st.session_state[FILES] = now
    found: dict[str, Asked] = {}
    for number, images in now.items():
        if isinstance(images, str):
            st.error(images)
        else:
            found |= {f"{number} {asked.frame}": asked for asked in images}
    if len(found) > MOST_IMAGES:
        st.error(f"{len(found)} images were handed in; only the first {MOST_IMAGES} are asked about.")
    found = dict(list(found.items())[:MOST_IMAGES])
    kept = st.session_state.get(ANSWERS, {})
    st.session_state[ANSWERS] = {key: answer for key, answer in kept.items() if key[1] in found}
    return found


def _images(name: str, content: bytes) -> list[Asked] | str:
    try:
        return images_of(name, content)
    except DataError as error:
        return said(error)


def answer_for(opened: Opened, key: str, asked: Asked) -> Shown | str:
    """What a run says of an image, asked once; or why it cannot be read, for a place that reads Markdown.

    Args:
        opened: the run.
        key: of the image.
        asked: the image.

    Raises:
        RunError: the folder holds no network that could be asked.
        ModelError: the run reads files in a way of its own, and no uploads.
    """
    kept = st.session_state.setdefault(ANSWERS, {})
    if (opened.label, key) not in kept:
        with st.spinner(plain(f"Asking about {asked.name} …")):
            try:
                kept[opened.label, key] = ask(opened, asked)
            except DataError as error:
                kept[opened.label, key] = said(error)
        for oldest in list(kept)[: max(0, len(kept) - MOST_ANSWERS)]:
            del kept[oldest]
    answer: Shown | str = kept[opened.label, key]
    return answer


def forget_images() -> None:
    """Drop everything: the visitor looks at another page."""
    for key in (FILES, ANSWERS):
        st.session_state.pop(key, None)
