"""The rules that are to be converted, as they are written, and those that they count."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.sigma.reading.documents import Document, read, rule_files
from analysis.sigma.reading.load import bundled_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that cannot be converted, or a file that holds none.

    Attributes:
        place: file and line.
        title: the rule's; "" of a file.
    """

    place: str
    title: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.title}: {self.reason}" if self.title else f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Rules as they are written.

    Attributes:
        wanted: those to convert, in the order of files.
        filters: Sigma filters among the files, which hold for all of them.
        library: whatever they may count, by name and id.
    """

    wanted: list[Document]
    filters: list[Document]
    library: dict[str, Document]

    def counted(self, document: Document) -> list[Document]:
        """The rules that a correlation counts, each after those that it counts itself.

        Raises:
            LookupError: one of them is nowhere; the text names it and says what to do.
        """
        found: dict[int, Document] = {}
        self._gather(document, found, ())
        return list(found.values())

    def _gather(self, document: Document, found: dict[int, Document], above: tuple[int, ...]) -> None:
        for name in counts(document):
            other = self.library.get(name)
            if other is None:
                raise LookupError(f"it counts {name!r}, which is no rule here; name its folder with --rules")
            if id(other) in above or other is document:
                raise LookupError(f"it counts itself, by way of {name!r}; break the circle")
            if id(other) not in found:
                self._gather(other, found, (*above, id(document)))
                found[id(other)] = other


def read_rules(named: Sequence[str], library: Sequence[Path]) -> tuple[Asked, list[Failure]]:
    """Read the rules that a person named.

    Args:
        named: files, folders, or ids, names or file names of rules in the library.
        library: folders of rules besides molehunt's own.

    Returns:
        The rules, and what could not be read.
    """
    paths = [Path(name) for name in named if Path(name).exists()]
    beside = [path.parent for path in paths if path.is_file()]
    failures: list[Failure] = []
    first = list(_documents(paths, failures))
    others = [*library, *beside, bundled_rules()]
    every = [*first, *_documents(others, [], {document.path.resolve() for document in first})]
    known: dict[str, Document] = {}
    for document in every:
        for key in ("name", "id"):
            if document.value.get(key) is not None:
                known.setdefault(str(document.value[key]), document)
    wanted = list(first)
    for name in named:
        if Path(name).exists():
            continue
        meant = known.get(name) or next((one for one in every if one.path.stem == name), None)
        if meant is None:
            failures.append(Failure(name, "", "there is no such file, folder or rule; check the name"))
        else:
            wanted.append(meant)
    rules = [document for document in wanted if "filter" not in document.value]
    asked = Asked(rules, [one for one in wanted if "filter" in one.value], known)
    silent = {id(known[name]) for rule in rules for name in _silenced(rule) if name in known}
    heard: set[int] = set()
    for rule in rules:
        if id(rule) not in silent:
            with suppress(LookupError):  # told when it is converted
                heard |= {id(one) for one in asked.counted(rule)}
    # What speaks through another has been heard; what counts itself in a circle has not.
    asked.wanted[:] = [rule for rule in rules if not (id(rule) in silent and id(rule) in heard)]
    return asked, failures


def counts(document: Document) -> list[str]:
    """The names or ids of the rules that a correlation counts."""
    body = document.value.get("correlation")
    named = body.get("rules") if isinstance(body, dict) else None
    return [str(name) for name in (named if isinstance(named, list) else [named]) if name is not None]


def _silenced(document: Document) -> list[str]:
    """The rules that speak through a correlation alone."""
    body: Any = document.value.get("correlation")
    return [] if isinstance(body, dict) and body.get("generate") is True else counts(document)


def _documents(
    paths: Iterable[Path], failures: list[Failure], known: set[Path] | None = None
) -> Iterator[Document]:
    seen = set(known or ())
    for path in paths:
        for file in rule_files(path):
            if file.resolve() in seen:
                continue
            seen.add(file.resolve())
            documents, errors = read(file)
            failures += [Failure(f"{error.path}:{error.line}", "", error.message) for error in errors]
            yield from documents
