"""The rules that a person names: files, folders, ids or names; with those that they count or refer to."""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from analysis.anomaly import AnomalyError, AnomalyRule, parse
from analysis.sigma.correlations.correlation import Correlation
from analysis.sigma.pack import RulePack
from analysis.sigma.reading.documents import SUFFIXES
from analysis.sigma.reading.load import bundled_rules
from analysis.sigma.reading.rule import Rule
from analysis.workbench.examples import MATCH, NOMATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Detection: TypeAlias = Rule | Correlation | AnomalyRule


class NoSuchRuleError(Exception):
    """Nothing has the name that a person gave; the text says what is near."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a file of rules; the text begins with the file and the line."""

    path: Path
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rules, ready to run.

    Attributes:
        pack: the chosen ones and those that they count; nothing else.
        anomalies: the anomaly rules of the pack.
        detections: those that were chosen, in order of file.
        counters: the titles of the rules that count one which makes no findings of its own, by its id.
        errors: what is wrong with them; what could not be loaded is not chosen.
    """

    pack: RulePack
    anomalies: tuple[AnomalyRule, ...]
    detections: tuple[Detection, ...]
    counters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: tuple[Wrong, ...] = ()

    def only(self, *some: Detection) -> Chosen:
        """Some of the chosen, with what they count."""
        ids = {key for one in some for key in counted(one, self.pack)}
        anomalies = tuple(each for each in self.anomalies if each.id in ids)
        return Chosen(self.pack.only(ids), anomalies, some, self.counters)


def choose(
    named: Sequence[str],
    library: Sequence[Path] = (),
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> Chosen:
    """Find and load rules.

    Args:
        named: files, folders, or ids, names or file names of rules in the library; without any, all of the
            library.
        library: where names are looked up, and what rules count, besides molehunt's own rules.
        placeholders: what `%name%` stands for, by the site file.

    Raises:
        NoSuchRuleError: a name is neither a path nor a rule's.
    """
    folders = (*library, bundled_rules())
    paths = [Path(name) for name in named if Path(name).exists()] if named else list(folders)
    pack = RulePack.load((*paths, *folders), placeholders=placeholders)
    anomalies, errors = _anomalies(pack)
    every: list[Detection] = [*pack.rules, *pack.correlations, *anomalies]
    roots = [path.resolve() for path in paths]
    by_name = [_looked_up(name, every) for name in named if not Path(name).exists()]
    chosen = [one for one in every if _below(one.path, roots) or any(one is other for other in by_name)]
    chosen.sort(key=lambda one: (str(one.path), one.title))
    needed = {key for one in chosen for key in counted(one, pack)}
    return Chosen(
        pack.only(needed),
        tuple(one for one in anomalies if one.id in needed),
        tuple(chosen),
        _counters(chosen, every),
        tuple(error for error in errors if _below(error.path, roots)),
    )


def counted(one: Detection, pack: RulePack) -> set[str]:
    """The ids of a detection and of all that it counts, and what those count in turn."""
    if isinstance(one, Rule):
        return {one.id}
    known: tuple[Rule | Correlation, ...] = (*pack.rules, *pack.correlations)
    by_name = {key: each for each in known for key in (each.id, each.name) if key}
    found = {one.id}
    waiting = [*one.rules]
    while waiting:
        other = by_name.get(waiting.pop())
        if other is not None and other.id not in found:
            found.add(other.id)
            waiting += () if isinstance(other, Rule) else other.rules
    return found


def _counters(chosen: Iterable[Detection], every: Iterable[Detection]) -> dict[str, tuple[str, ...]]:
    """Who counts each of the chosen that is silent."""
    counting = [one for one in every if not isinstance(one, Rule)]
    return {
        one.id: tuple(other.title for other in counting if {one.id, one.name} & set(other.rules))
        for one in chosen
        if not isinstance(one, AnomalyRule) and one.silent
    }


def _anomalies(pack: RulePack) -> tuple[list[AnomalyRule], list[Wrong]]:
    """The anomaly rules of a pack, and everything wrong with any of its files."""
    found = []
    errors = [Wrong(error.path, str(error)) for error in pack.errors]
    for document, path in pack.anomalies:
        try:
            found.append(parse(document, path))
        except AnomalyError as error:
            errors.append(Wrong(path, str(error)))
    return found, errors


def _below(path: Path, roots: Iterable[Path]) -> bool:
    whole = path.resolve()
    return any(whole.is_relative_to(root) for root in roots)


def _looked_up(name: str, every: Sequence[Detection]) -> Detection:
    """The rule of that id, name, file name or title, whatever the case."""
    asked = name.casefold()
    for one in every:
        if asked in {key.casefold() for key in (one.id, one.name, one.path.stem, one.title) if key}:
            return one
    known = sorted({one.path.stem for one in every} | {one.name for one in every if one.name})
    near = get_close_matches(name, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else "; `molehunt rules list` names those there are"
    raise NoSuchRuleError(f"{name}: there is no such file or folder, and no rule of that id or name{hint}")


def kind(one: Detection) -> str:
    """What kind of rule it is."""
    if isinstance(one, Rule):
        return "rule"
    return "anomaly" if isinstance(one, AnomalyRule) else "correlation"


def load_among(
    where: Sequence[Path],
    library: Iterable[Path] = (),
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> tuple[RulePack, Callable[[Path], bool]]:
    """The rules of `where`, and whether a file is of `where`.

    Those of `library` and those beside the files of `where` are loaded first: rules refer to each other, and
    an id that is used twice is told of the later one. Molehunt's own come last, if any is referred to: one
    may have been copied.
    """
    roots = {path.resolve() for path in where}
    folders = dict.fromkeys(path.parent for path in where if path.is_file())
    found = [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    beside = [path for path in found if path.resolve() not in roots]
    pack = RulePack.load([*library, *beside, *where], placeholders=placeholders)
    if pack.errors or pack.notes or pack.anomalies:
        pack = RulePack.load([*library, *beside, *where, bundled_rules()], placeholders=placeholders)
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
