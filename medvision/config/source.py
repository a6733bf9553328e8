"""The parameters of a shipped class, read from its source: importing it would import torch, which takes seconds.

Only the package's own modules are read so; a test compares every shipped class with what importing it says.
"""

import ast
import builtins
import dataclasses
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from medvision.config.signature import LINKED, REQUIRED, Parameter, field_default

PACKAGE = Path(__file__).parents[1]
# Modules that annotations and defaults take names from, and that are imported in earnest.
LIGHT = ("collections", "dataclasses", "datetime", "enum", "math", "medvision.config", "pathlib", "pydantic", "typing")


def read_parameters(target: str) -> dict[str, Parameter]:
    """The parameters of a class of this package, given as `package.module:Class`, without importing its module.

    Raises:
        LookupError: the class, or a name that its parameters use, is not found in the source.
    """
    module, name = target.split(":")
    return _Source.of(module).parameters(name)


class _Source:
    """A module of the package as a syntax tree, with its names evaluated on demand."""

    def __init__(self, module: str) -> None:
        self.module = module
        path = PACKAGE.joinpath(*module.split(".")[1:])
        file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        self.classes: dict[str, ast.ClassDef] = {}
        self.assignments: dict[str, ast.expr] = {}
        self.imports: dict[str, tuple[str, str | None]] = {}
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            self._enter(node)

    @staticmethod
    @cache
    def of(module: str) -> "_Source":
        return _Source(module)

    def _enter(self, node: ast.stmt) -> None:
        match node:
            case ast.ClassDef(name=name):
                self.classes[name] = node
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self.assignments[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                self.assignments[name] = value
            case ast.ImportFrom(module=str() as source, names=names, level=0):
                self.imports |= {alias.asname or alias.name: (source, alias.name) for alias in names}
            case ast.Import(names=names):
                self.imports |= {alias.asname or alias.name.split(".")[0]: (alias.name, None) for alias in names}

    def parameters(self, class_name: str) -> dict[str, Parameter]:
        """What `__init__` takes: its own arguments, the fields of a dataclass, or what a base class takes."""
        node = self.classes[class_name]
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and item.name == "__init__":
                return dict(self._arguments(item))
        result: dict[str, Parameter] = {}
        for base in reversed(node.bases):
            if isinstance(base, ast.Name) and (owner := self._owner(base.id)) is not None:
                result |= owner[0].parameters(owner[1])
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            result |= self._fields(node)
        return result

    def _owner(self, class_name: str) -> "tuple[_Source, str] | None":
        """The module of this package that defines the class, or None for a class of another package."""
        if class_name in self.classes:
            return self, class_name
        source, name = self.imports.get(class_name, ("", None))
        if name is None or source.split(".")[0] != PACKAGE.name:
            return None
        return _Source.of(source)._owner(name)

    def _arguments(self, function: ast.FunctionDef) -> Iterator[tuple[str, Parameter]]:
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        missing = [None] * (len(positional) - len(arguments.defaults))
        pairs = [
            *zip(positional, [*missing, *arguments.defaults], strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, default in pairs[1:]:
            if argument.arg in LINKED:
                continue
            if argument.annotation is None:
                raise LookupError(f"{self.module}: the argument '{argument.arg}' has no type")
            value = REQUIRED if default is None else self._evaluate(default)
            yield argument.arg, Parameter(argument.arg, self._annotation(argument.annotation), value)

    def _fields(self, node: ast.ClassDef) -> dict[str, Parameter]:
        result: dict[str, Parameter] = {}
        for item in node.body:
            if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
                continue
            name, annotation = item.target.id, ast.unparse(item.annotation)
            if name in LINKED or annotation.startswith(("ClassVar", "typing.ClassVar")) or annotation == "KW_ONLY":
                continue
            default = REQUIRED if item.value is None else self._evaluate(item.value)
            if isinstance(default, dataclasses.Field):
                if not default.init:
                    continue
                default = field_default(default)
            result[name] = Parameter(name, self._annotation(item.annotation), default)
        return result

    def _annotation(self, expression: ast.expr) -> Any:
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            expression = ast.parse(expression.value, mode="eval").body
        return self._evaluate(expression)

    def _evaluate(self, expression: ast.expr) -> Any:
        used = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
        names = {name: self._name(name) for name in used}
        return eval(compile(ast.Expression(expression), self.module, "eval"), names)

    def _name(self, name: str) -> Any:
        if name in self.assignments:
            return self._evaluate(self.assignments[name])
        if name in self.imports:
            source, attribute = self.imports[name]
            if source.startswith(LIGHT):
                module = importlib.import_module(source)
                return module if attribute is None else getattr(module, attribute)
            if attribute is not None and source.split(".")[0] == PACKAGE.name:
                return _Source.of(source)._name(attribute)
        if hasattr(builtins, name):
            return getattr(builtins, name)
        raise LookupError(
            f"{self.module}: a parameter uses {name!r}, which cannot be known without importing torch; "
            f"take it from one of {', '.join(LIGHT)} or from a constant of a module"
        )
