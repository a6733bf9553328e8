"""The Sphinx extension of the site: fills in what is made from the code, and finds what annotations mean."""

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from reference import PARTS
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

PLACE = re.compile(r"^<!-- made from the code: (\S+) -->$", re.MULTILINE)
README = Path(__file__).parents[2] / "README.md"


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the parts that a page asks for in the place of its comments, and send links to the README to its page.

    Raises:
        KeyError: a page asks for a part that does not exist.
    """
    parts = {**PARTS, "readme": readme}
    source[0] = PLACE.sub(lambda place: parts[place[1]](), source[0]).replace("](../README.md", "](readme.md")


def readme() -> str:
    """The README as a page below `docs`, to which its links are relative there."""
    return README.read_text(encoding="utf-8").replace("](docs/", "](")


def find_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: nodes.TextElement
) -> nodes.Node | None:
    """What a short name in an annotation stands for, where one documented thing alone has that name.

    Modules that are imported for types alone are not there when Sphinx looks names up.
    """
    if node.get("refdomain") != "py":
        return None
    domain = env.get_domain("py")
    last = node["reftarget"].rpartition(".")[2]
    found = [name for name, *_ in domain.get_objects() if name.endswith(f".{last}")]
    if len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, shown)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", fill)
    app.connect("missing-reference", find_by_last_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
