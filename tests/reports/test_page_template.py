import pytest
from jinja2 import UndefinedError

from medvision.reports.page_template import page_template


def test_what_is_told_is_escaped_and_what_is_not_told_is_an_error():
    macros = page_template("macros.html.j2").module
    table = {"caption": "<u>&", "heads": ["a", "b"], "groups": [("g", [("<i>", [("1", [])])])], "notes": []}
    page = str(macros.grouped(table))
    assert "&lt;u&gt;&amp;" in page
    assert "&lt;i&gt;" in page
    assert "<u>" not in page
    with pytest.raises(UndefinedError, match="groups"):
        macros.grouped({key: table[key] for key in ("caption", "heads", "notes")})
