"""The frame of the app: which run, which page, and what must be said on every page."""

from collections.abc import Mapping, Sequence

import streamlit as st

from medvision.application import compare_page, demo_page, predict_page, report_page, training_page
from medvision.application.handed_in import forget_images
from medvision.application.opened import open_runs
from medvision.application.words import plain, said
from medvision.errors import MedvisionError

PAGES = {
    "demo": ("Demo", demo_page.show),
    "training": ("Training", training_page.show),
    "predict": ("Predict", predict_page.show),
    "report": ("Report", report_page.show),
    "compare": ("Compare", compare_page.show),
}
"""What the address calls a page: what a visitor reads, and what draws it."""

ASKING_PAGES = ("predict", "compare")
"""Only on these are images handed in."""

RESEARCH = "Research use only; not for clinical use."
SIMULATED = "SIMULATED: the images of this run were drawn by a program; its answers say nothing of patients."

# The line stays at the foot of the window while the page moves behind it.
_STYLE = """<style>
.st-key-notice { position: fixed; bottom: 0; left: 0; width: 100%; z-index: 1000000;
  background: var(--st-background-color, Canvas); }
.st-key-notice [data-testid="stAlertContainer"] { padding: 0.4rem 1rem; border-radius: 0; }
[data-testid="stMainBlockContainer"] { padding-top: 3rem; }
</style>"""


def show_app(runs: Sequence[str]) -> None:
    """Draw the page that the address names, for the run that it names.

    Args:
        runs: the run folders that the app was started with; no other is ever opened.
    """
    st.set_page_config(page_title="medvision", layout="wide", menu_items={})
    st.html(_STYLE)
    opened = {one.label: one for one in open_runs(tuple(runs))}
    with st.sidebar:
        st.title("medvision")
        page = _choose("page", "Page", {name: title for name, (title, _) in PAGES.items()})
        label = _choose("run", "Run", {name: name for name in opened})
    one = opened[label]
    with st.container(key="notice"):
        try:
            simulated = one.simulated
        except MedvisionError:
            # The page says what is wrong with the folder.
            simulated = False
        st.warning(RESEARCH if not simulated else f"{RESEARCH} {SIMULATED}")
    if page not in ASKING_PAGES:
        forget_images()
    try:
        PAGES[page][1](one)
    except MedvisionError as error:
        st.error(said(error))


def _choose(key: str, label: str, options: Mapping[str, str]) -> str:
    """A choice that stands in the address, too; what the address names and the list does not is told of."""
    asked = st.query_params.get(key)
    written = f"{key} in the address"
    # An address that is not the one written last was typed, or comes from the history of the browser.
    if asked is not None and asked != st.session_state.get(written):
        if asked in options:
            st.session_state[key] = asked
        else:
            st.session_state[key] = next(iter(options))
            st.warning(plain(f"The address names a {key} that is not here: {asked[:80]}"))
    chosen: str = st.radio(label, list(options), format_func=lambda name: plain(options[name]), key=key)
    st.session_state[written] = st.query_params[key] = chosen
    return chosen
