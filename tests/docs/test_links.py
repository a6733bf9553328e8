"""Links between the README and the pages lead to a file, and to a heading of it; pictures are there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, Link, Page, pages, read_page

BY_PATH = {page.path: page for page in pages()}
LINKS = [link for page in pages() for link in page.links]
# The site writes headings here when it is built; the build, where a missing target is an error, looks at these.
MADE = re.compile(r"<!-- made from the code: (\w+)")
# The site gives anchors to headings down to this level (`myst_heading_anchors`).
DEEPEST = 3


def problem(link: Link) -> str | None:
    """What is wrong with a link; None where nothing is."""
    target, _, anchor = link.target.partition("#")
    if re.match(r"[a-z]+:", target):
        return None if target.startswith("https:") else "is not https"
    path = (ROOT / link.page).parent / target if target else ROOT / link.page
    if not path.exists():
        return "leads nowhere"
    if not path.resolve().is_relative_to(ROOT):
        return "leads out of the repository"
    page = BY_PATH.get(path.resolve().relative_to(ROOT).as_posix())
    if not anchor or page is None:
        return None if not anchor else "has an anchor in a file without headings"
    return None if anchor in anchors_of(page) or is_generated(page) else "names no heading of the page"


def anchors_of(page: Page) -> set[str]:
    """The anchors of a page; those of the README where the site shows it."""
    shown = [BY_PATH["README.md"]] if "readme" in MADE.findall(page.text) else []
    deepest = DEEPEST if page.path.startswith("docs/") else 6
    return {name for one in (page, *shown) for name, level in one.anchors if level <= deepest}


def is_generated(page: Page) -> bool:
    """Whether headings of the page come from the code."""
    return bool({*MADE.findall(page.text)} - {"readme"})


def test_there_are_links():
    assert len(LINKS) > 15


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_a_link_leads_somewhere(link):
    assert problem(link) is None, f"{link.page}:{link.line}: {link.target} {problem(link)}"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("docs/studies.md", None),
        ("docs/nothing.md", "leads nowhere"),
        ("#how-fast", None),
        ("#how-slow", "names no heading of the page"),
        ("docs/studies.md#how-slow", "names no heading of the page"),
        ("docs/report.png#x", "has an anchor in a file without headings"),
        ("docs/../../", "leads out of the repository"),
        ("..", "leads out of the repository"),
        ("http://example.org", "is not https"),
        ("https://example.org/#x", None),
    ],
)
def test_links_that_lead_nowhere_are_noticed(target, expected):
    assert problem(Link("README.md", 1, target)) == expected


def test_a_picture_says_what_it_shows():
    """Whoever cannot see a picture has its words."""
    for page in pages():
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", page.text):
            assert len(words) > 20, f"{page.path}: {target}"


def test_every_picture_is_shown():
    shown = {Path(link.target).name for link in LINKS}
    pictures = [path for path in (ROOT / "docs").iterdir() if path.suffix in (".png", ".webp", ".gif", ".svg")]
    assert len(pictures) >= 5
    assert {path.name for path in pictures} <= shown


def test_the_site_shows_the_headings_of_the_readme():
    assert "how-fast" in anchors_of(read_page("docs/readme.md", "<!-- made from the code: readme -->"))
    assert is_generated(read_page("docs/x.md", "<!-- made from the code: commands -->"))
