"""The commands, a line each: `python -m medvision` lists them, `medvision <verb> …` runs one."""

import ast
import importlib
import importlib.metadata
from pathlib import Path
from typing import NoReturn

from medvision.command import DISTRIBUTION, run
from medvision.config.suggestions import suggest
from medvision.errors import ConfigError

VERBS = (
    "fit",
    "evaluate",
    "predict",
    "cross_validate",
    "compare",
    "cluster",
    "sweep",
    "export",
    "app",
    "report",
    "samples",
)
PACKAGE = Path(__file__).parent


def summary(verb: str) -> str:
    """The first line of a command's docstring, read from its source: importing it could take seconds."""
    tree = ast.parse((PACKAGE / f"{verb}.py").read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def overview() -> str:
    """The commands with what they do, a line each."""
    width = max(map(len, VERBS))
    lines = [f"  medvision {verb:{width}}  {summary(verb)}" for verb in VERBS]
    return "\n".join([*lines, "Each has --help, and is also `python -m medvision.<command>`."])


def version() -> str:
    """The installed version, `unknown` where only the source is at hand."""
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "unknown (not installed)"


def main(argv: list[str]) -> object:
    """Run the command that the first argument names; without one, print them all.

    Raises:
        ConfigError: there is no such command.
    """
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return VERBS
    verb, *rest = argv
    if verb == "--version":
        print(f"medvision {version()}")
        return version()
    if verb not in VERBS:
        raise ConfigError(f"no command '{verb}'{suggest(verb, VERBS)}")
    # Only the command that is asked for is imported: the others would cost `--help` their seconds.
    return importlib.import_module(f"medvision.{verb}").main(rest)


def command() -> NoReturn:
    """Entry point of the console script."""
    run(main)


if __name__ == "__main__":
    command()
