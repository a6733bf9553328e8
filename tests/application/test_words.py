import string

import pytest
from markdown_it import MarkdownIt

from medvision.application.words import plain, said
from medvision.errors import DataError

HOSTILE = [
    "![x](http://evil.example/y.png)",
    "[click](javascript:alert(1))",
    "<img src=//evil.example/y.png>",
    "<http://evil.example>",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "`code` $x^2$ ~~no~~ **bold** _so_",
    "a | b\n--|--\n1 | 2",
    ":red[x] :material/home: :smile:",
    "&lt;script&gt; &#60;",
    "back\\slash",
    "two\n\nlines\there",
    string.punctuation,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_reader_of_markdown_shows_the_text_and_does_nothing(text):
    (outer, inline, _) = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(plain(text))
    assert outer.type == "paragraph_open"
    assert {child.type for child in inline.children} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children) == " ".join(text.split())


def test_letters_and_digits_stay_as_they_are():
    assert plain("Knie 3 größer") == "Knie 3 größer"


def test_each_line_of_a_mistake_is_a_paragraph():
    tokens = MarkdownIt("commonmark").parse(said(DataError("a*b*", "c")))
    assert [token.type for token in tokens if token.type.endswith("open")] == ["paragraph_open"] * 2
    assert [token.children[0].content for token in tokens if token.type == "inline"][1] == "c"
