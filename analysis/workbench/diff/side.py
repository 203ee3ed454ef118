"""One of the two rule packs that are compared: a file, a folder, or a folder as it was in git."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from analysis.workbench.chosen import Chosen, choose
from analysis.workbench.screen import near

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GIT: Final = "git:"
_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Side:
    """A rule pack, loaded.

    Attributes:
        name: as the person wrote it.
        chosen: its rules.
        root: the file or folder that they were read from.
        folder: what is not shown of their files' names; `called`, what is shown instead.
    """

    name: str
    chosen: Chosen
    root: Path
    folder: Path
    called: str

    def place(self, path: Path) -> str:
        """A file of it, as the person would name it."""
        whole = path.resolve()
        if self.called and whole.is_relative_to(self.folder):
            return f"{self.called}{whole.relative_to(self.folder)}"
        return near(path)

    def inside(self, path: Path) -> Path:
        """Where a file lies in the pack."""
        root = self.root if self.root.is_dir() else self.root.parent
        return path.resolve().relative_to(root)

    def errors(self) -> list[str]:
        """What is wrong with it, each with file and line."""
        return [self.shown(error.text) for error in self.chosen.errors]

    def shown(self, text: str) -> str:
        """A message of it, its files as the person would name them."""
        return text.replace(f"{self.folder}/", self.called) if self.called else text


def load_side(
    name: str, scratch: Path, library: Sequence[Path], placeholders: Mapping[str, Sequence[str]]
) -> Side:
    """Read a pack.

    Args:
        name: a file, a folder, or `git:REVISION:PATH` for a path of the repository of the current folder.
        scratch: an empty folder for what comes out of git.
        library: further rules that those of the pack may count.
        placeholders: what `%name%` stands for.

    Raises:
        click.ClickException: there is no such thing.
    """
    if not name.startswith(_GIT):
        path = Path(name)
        if not path.exists():
            raise click.ClickException(
                f"{name}: there is no such file or folder; an earlier state is git:REVISION:PATH"
            )
        return Side(name, choose([name], library, placeholders), path.resolve(), path.resolve(), "")
    revision, _, path_there = name.removeprefix(_GIT).partition(":")
    inside = _out_of_git(name, revision, path_there, scratch)
    scratch = scratch.resolve()
    chosen = choose([str(scratch / inside)], library, placeholders)
    return Side(name, chosen, scratch / inside, scratch, f"{_GIT}{revision}:")


def _out_of_git(name: str, revision: str, path: str, scratch: Path) -> str:
    """Put a path, as it was at a revision, into `scratch`; returns the path from there."""
    if not revision or not path or revision.startswith("-"):
        raise click.ClickException(f"{name}: write git:REVISION:PATH, such as git:HEAD~1:rules")
    top = Path(_git(name, "rev-parse", "--show-toplevel").decode().strip())
    whole = Path(path).resolve()
    if not whole.is_relative_to(top.resolve()):
        raise click.ClickException(f"{name}: {path} is outside the repository {top}")
    inside = whole.relative_to(top.resolve()).as_posix()
    packed = _git(name, "-C", str(top), "archive", "--format=tar", revision, "--", inside)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(scratch, filter="data")
    return inside


def _git(name: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise click.ClickException(f"{name}: git cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git said nothing"]
        raise click.ClickException(f"{name}: {said[-1]}")
    return done.stdout
