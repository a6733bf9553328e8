"""The one place that says how the pages of reports become HTML."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

MOST_BYTES = 4_900_000
"""Of a page; many mail boxes refuse what is larger than 5 MB."""


def page_template(name: str) -> Template:
    """A template of `templates/`: what it is given is escaped, and a name that it does not know is an error.

    Args:
        name: of its file.
    """
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
