"""How autodoc reads this package: signatures as the source spells them, docstrings as people read them."""

import ast
import dataclasses
import inspect
import re
import sys
import textwrap
from typing import Any, Literal, get_args, get_origin

from sphinx.application import Sphinx

# Stands for a colon while napoleon looks for types before colons: our docstrings repeat no types.
SHIELD = "\ue000"
HEADINGS = ("Args:", "Returns:", "Raises:", "Attributes:", "Yields:")


def spell_signature(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, back: str | None
) -> tuple[str, str] | None:
    """The signature of a function or class as it stands in the source, where types have their short names."""
    if what == "class" and dataclasses.is_dataclass(thing):
        return f"({', '.join(_fields(thing))})", ""
    if what == "class":
        thing = inspect.getattr_static(thing, "__init__", None)
    function = inspect.unwrap(getattr(thing, "__func__", thing))
    if not inspect.isfunction(function) or not function.__module__.startswith("medvision."):
        return None
    node = _parse(function)
    assert isinstance(node, ast.FunctionDef)
    plain = node.args.args
    if plain and plain[0].arg in ("self", "cls"):
        del plain[0]
    for argument in (*plain, *node.args.kwonlyargs):
        argument.annotation = _qualified(argument.annotation, function.__globals__)
    returned = _qualified(node.returns, function.__globals__)
    return f"({ast.unparse(node.args)})", "" if what == "class" or returned is None else ast.unparse(returned)


def _fields(thing: type) -> list[str]:
    """The fields that a dataclass itself adds; those of its bases are told there."""
    node = _parse(thing)
    assert isinstance(node, ast.ClassDef)
    fields = []
    for line in node.body:
        if isinstance(line, ast.AnnAssign) and not ast.unparse(line.annotation).startswith("ClassVar"):
            line.annotation = _qualified(line.annotation, vars(sys.modules[thing.__module__]))
            fields.append(ast.unparse(line))
    return fields


class _Qualifier(ast.NodeTransformer):
    """Spells out lists of words, and gives our classes whole names, of which `~` shows the last part."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The whole name, where the name is one of ours."""
        thing = self.names.get(node.id)
        if get_origin(thing) is Literal:
            return ast.parse(f"Literal{list(get_args(thing))}", mode="eval").body
        if inspect.isclass(thing) and thing.__module__.startswith("medvision."):
            return ast.UnaryOp(ast.Invert(), ast.parse(f"{thing.__module__}.{thing.__qualname__}", mode="eval").body)
        return node


def _qualified(annotation: ast.expr | None, names: dict[str, Any]) -> ast.expr | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    return None if annotation is None else _Qualifier(names).visit(annotation)


def _parse(thing: Any) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]


def before_napoleon(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Shield colons that announce no type, and marks that mean nothing outside reStructuredText."""
    section = "Returns:" if what in ("property", "attribute", "data") else ""
    for number, line in enumerate(lines):
        if line.strip() in HEADINGS:
            section = line.strip()
            continue
        plain = _without_marks(line)
        lines[number] = plain.replace(":", SHIELD) if section in ("Returns:", "Yields:") else plain


def after_napoleon(app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Put the colons back."""
    lines[:] = [line.replace(SHIELD, ":") for line in lines]


def _without_marks(line: str) -> str:
    """The line with stars and bars as such, outside of code."""
    if line.lstrip().startswith(">>>"):
        return line
    return "".join(
        part if place % 2 else re.sub(r"[*|_](?!\w*:)", r"\\\g<0>", part)
        for place, part in enumerate(re.split(r"(`[^`]*`)", line))
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", spell_signature)
    # Napoleon listens at 500, the usual place.
    app.connect("autodoc-process-docstring", before_napoleon, priority=400)
    app.connect("autodoc-process-docstring", after_napoleon, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
