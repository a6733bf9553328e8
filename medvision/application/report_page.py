"""The page Report: the run's own report, whole, in a frame that nothing can leave."""

import html
from base64 import b64encode

import streamlit as st

from medvision.application.inner_runs import choose_run
from medvision.application.opened import Opened
from medvision.application.words import plain
from medvision.errors import RunError
from medvision.runs import RunFolder, reads_run

HEIGHT = 900
MOST_BYTES = 20_000_000
_SHOWN = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-src data:; form-action 'none'"
# The inner document inherits the policy of the outer one, and has no origin and no scripts: a report that somebody else
# has written can neither ask another host for anything nor reach the app around it.
_FRAME = """<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<style>html, body, iframe {{ margin: 0; border: 0; width: 100%; height: 100%; }} body {{ overflow: hidden; }}</style>
<iframe sandbox title="{title}" src="data:text/html;charset=utf-8;base64,{content}"></iframe>"""


def show(opened: Opened) -> None:
    """Show the report of a run, or of one of the runs in its folder, with a download."""
    st.header("Report")
    name, folder = choose_run(opened, "Report of", lambda run: run.report.is_file())
    content = read_report(folder)
    st.download_button("Download the report", content, file_name="report.html", mime="text/html")
    st.caption(plain("One file without network or script. Links to other reports do nothing here: choose above."))
    st.iframe(sandboxed(content, f"Report of {name}"), height=HEIGHT, alt=f"Report of {name}")


@reads_run
def read_report(folder: RunFolder) -> bytes:
    """The report of a run folder as it lies there.

    Raises:
        RunError: there is none, or one that is larger than medvision writes them.
    """
    if not folder.report.is_file():
        raise RunError(f"{folder.path.name}: has no report yet; `medvision report {folder.path}` writes it")
    if folder.report.stat().st_size > MOST_BYTES:
        raise RunError(f"{folder.report.name}: more than {MOST_BYTES // 1_000_000} MB; medvision writes none so large")
    return folder.report.read_bytes()


def sandboxed(content: bytes, title: str) -> str:
    """A page that shows another one, and lets it do nothing: no script, no request, no way out.

    Args:
        content: of the page to be shown, HTML.
        title: for who cannot see it.
    """
    encoded = b64encode(content).decode()
    return _FRAME.format(policy=html.escape(_SHOWN), title=html.escape(title), content=encoded)
