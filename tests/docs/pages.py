"""What the README and the pages under docs/ hold: blocks, code between backticks, links and headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.colon_fence import colon_fence_plugin
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

ROOT = Path(__file__).parents[2]
FENCES = ("fence", "code_block", "colon_fence")
# Directives of Sphinx whose body is code, in the language that their argument names.
CODE = ("code-block", "code", "sourcecode")
DIRECTIVE = re.compile(r"\{([\w:.-]+)\}\s*(.*)")
HTML_LINK = re.compile(r"""(?:src|href)=["']([^"']+)""")
HTML_ANCHOR = re.compile(r"""(?:id|name)=["']([^"']+)""")
# `(name)=` on a line of its own, a target of MyST.
TARGET = re.compile(r"^\(([^)\s]+)\)=$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced or an indented block; `before` is the text of the paragraph above it."""

    page: str
    line: int
    language: str
    text: str
    before: str = ""
    fenced: bool = True

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Inline:
    """Code between backticks in a sentence or a table."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Link:
    """Where a link or an image leads."""

    page: str
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.target}"


@dataclass
class Page:
    """A Markdown file; `path` is relative to the repository, `pieces` are blocks and inline code in their order."""

    path: str
    text: str
    pieces: list[Block | Inline] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    directives: list[tuple[int, str]] = field(default_factory=list)
    anchors: list[tuple[str, int]] = field(default_factory=list)

    @property
    def blocks(self) -> list[Block]:
        return [piece for piece in self.pieces if isinstance(piece, Block)]

    @property
    def inlines(self) -> list[Inline]:
        return [piece for piece in self.pieces if isinstance(piece, Inline)]


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def parser() -> MarkdownIt:
    """A reader of the Markdown that GitHub and the site share, and of the fences of Sphinx."""
    plain = MarkdownIt("commonmark").enable("table")
    return plain.use(colon_fence_plugin).use(deflist_plugin).use(front_matter_plugin)


def read_page(path: str, text: str) -> Page:
    """Find everything that a page holds, in directives too."""
    page = Page(path, text)
    page.anchors += [(name, 1) for name in TARGET.findall(text)]
    _read(page, text, 0)
    return page


def _read(page: Page, text: str, offset: int) -> None:
    before, heading, line = "", 0, offset + 1
    for token in parser().parse(text):
        line = offset + token.map[0] + 1 if token.map else line
        heading = int(token.tag[1]) if token.type == "heading_open" else heading
        if token.type in FENCES:
            _read_fence(page, token, line, before)
        elif token.type == "html_block":
            _read_html(page, token.content, line)
        elif token.type == "inline":
            before = token.content
            _read_inline(page, token, line)
            if heading:
                _add_anchor(page, token, heading)
                heading = 0


def _read_fence(page: Page, token: Token, line: int, before: str) -> None:
    directive = DIRECTIVE.match(token.info.strip())
    if directive is None:
        fenced = token.type != "code_block"
        # The lines of the code follow the fence, where there is one.
        page.pieces.append(Block(page.path, line + fenced, token.info.strip(), token.content, before, fenced))
    elif directive[1] in CODE:
        options, body = _options(token.content)
        caption = re.search(r"^:caption:\s*(.+)$", options, re.MULTILINE)
        above = f"`{caption[1]}`" if caption else before
        at = line + 1 + token.content[: token.content.rindex(body)].count("\n") if body else line + 1
        page.pieces.append(Block(page.path, at, directive[2], body, above))
    else:
        page.directives.append((line, directive[1]))
        # What stands in a note or a tab is read as part of the page; bodies of other directives hold no Markdown.
        _read(page, token.content, line)


def _options(content: str) -> tuple[str, str]:
    lines = content.splitlines(keepends=True)
    count = next((number for number, line in enumerate(lines) if not line.startswith(":")), len(lines))
    return "".join(lines[:count]), "".join(lines[count:]).lstrip("\n")


def _read_inline(page: Page, token: Token, line: int) -> None:
    for child in _walk(token):
        if child.type == "code_inline":
            page.pieces.append(Inline(page.path, line, re.sub(r"\s+", " ", child.content)))
        elif child.type == "link_open":
            page.links.append(Link(page.path, line, str(child.attrs["href"])))
        elif child.type == "image":
            page.links.append(Link(page.path, line, str(child.attrs["src"])))
        elif child.type == "html_inline":
            _read_html(page, child.content, line)


def _walk(token: Token) -> Iterator[Token]:
    for child in token.children or []:
        yield child
        yield from _walk(child)


def _read_html(page: Page, text: str, line: int) -> None:
    page.links += [Link(page.path, line, target) for target in HTML_LINK.findall(text)]
    page.anchors += [(name, 1) for name in HTML_ANCHOR.findall(text)]


def _add_anchor(page: Page, token: Token, level: int) -> None:
    text = "".join(child.content for child in _walk(token) if child.type in ("text", "code_inline"))
    name, used = slug(text), [anchor for anchor, _ in page.anchors]
    count = next(number for number in range(len(used) + 1) if (f"{name}-{number}" if number else name) not in used)
    page.anchors.append((f"{name}-{count}" if count else name, level))


@cache
def pages() -> tuple[Page, ...]:
    """The README and every page of the site, found by looking."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return tuple(read_page(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in found)


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in pages() for block in page.blocks]


def page_of(piece: Block | Inline) -> Page:
    """The page that a piece stands on."""
    return next(page for page in pages() if page.path == piece.page)
