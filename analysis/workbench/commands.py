"""`molehunt rules`: every module or package of this folder that defines `command` is a command of its name.

Help lines are read from the source, so that a list of the commands imports none of them.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER: Final = Path(__file__).parent


class _ByFolder(click.Group):
    """A group whose commands are the modules and packages beside it, each imported when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the same in every context
        return sorted(name for name, _ in _commands())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        said = dict(_commands()).get(cmd_name)
        return None if said is None else click.Command(cmd_name, help=said)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        if found is not None and name is not None:
            found = import_module(f"{__package__}.{name}").command
            found.name = name
        return name, found, rest


def _commands() -> Iterator[tuple[str, str]]:
    """The name and the help of every command, without importing it."""
    for path in (*_FOLDER.glob("*.py"), *_FOLDER.glob("*/__init__.py")):
        source = path.read_text("utf-8")
        if "def command(" not in source:
            continue
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef) and node.name == "command":
                name = path.stem if path.parent == _FOLDER else path.parent.name
                yield name, ast.get_docstring(node) or ""


@click.group(cls=_ByFolder)
def rules() -> None:
    """Write, check, test and ship detection rules."""
