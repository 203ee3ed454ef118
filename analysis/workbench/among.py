"""Some rules among others: those that a person named, loaded together with what they may refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from analysis.sigma.documents import SUFFIXES
from analysis.sigma.load import bundled_rules
from analysis.sigma.pack import RulePack
from analysis.workbench.examples import MATCH, NOMATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path


def load_among(
    where: Sequence[Path],
    library: Iterable[Path] = (),
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> tuple[RulePack, Callable[[Path], bool]]:
    """The rules of `where`, and whether a file is of `where`.

    Molehunt's own rules, those of `library` and those beside the files of `where` are loaded first, as a hunt
    would load them along: rules refer to each other, and an id that is used twice is told of the later one.
    """
    folders = dict.fromkeys(path.parent for path in where if path.is_file())
    beside = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    pack = RulePack.load([bundled_rules(), *library, *beside, *where], placeholders=placeholders)
    roots = [path.resolve() for path in where]
    return pack, lambda path: any(path.resolve().is_relative_to(root) for root in roots)


def rule_of(path: Path) -> Path:
    """The rule that a file of examples belongs to; any other file or folder as it is.

    Raises:
        click.ClickException: there is no such rule.
    """
    for suffix in (MATCH, NOMATCH):
        if path.name.endswith(suffix):
            stem = path.name.removesuffix(suffix)
            for ending in SUFFIXES:
                if path.with_name(stem + ending).is_file():
                    return path.with_name(stem + ending)
            raise click.ClickException(f"{path} belongs to no rule: there is no {stem}.yml beside it")
    return path
