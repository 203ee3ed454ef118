"""Regular expressions of rules: by Rust's engine where it takes them, else in time that is bounded.

Rust's engine (Polars' own) is linear in the text and knows no look-around and no back-references. Expressions
that have them run by the package `regex`, which backtracks, so each text has a time limit; an expression that
keeps running out of it is stopped. Either is named (`Late`), never silent, and a hunt cannot hang.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl
import regex

from analysis.sigma.regex import literals as regex_literals
from analysis.sigma.regex import syntax as regex_syntax
from analysis.sigma.regex.search import shortest, trimmed
from analysis.sigma.regex.tree import UnreadableError
from analysis.sigma.regex.writing import backtracks, size, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analysis.sigma.regex.tree import Node

MAX_SIZE: Final = 10_000
MAX_LENGTH: Final = 100_000
TIME_LIMIT: Final = 0.25  # seconds for one text
PATIENCE: Final = 5.0  # seconds lost to one expression before it is stopped
_FAIR: Final = 5e-7  # seconds a byte that any honest expression stays below
_CHUNK: Final = 4 << 20  # bytes searched between two looks at the clock


class RegexError(ValueError):
    """A regular expression that cannot run; the text says why."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """An expression that ran out of time.

    Attributes:
        values: texts that it was given up on, taken as not matching.
        stopped: it was not tried on any more of them.
        example: the first of them, cut.
    """

    pattern: str
    values: int
    stopped: bool
    example: str

    def __str__(self) -> str:
        then = "and was stopped; " if self.stopped else ""
        return (
            f"the regular expression {self.pattern} ran out of time {then}({self.values} values taken as not "
            f"matching, the first: {self.example!r}); write it without nested repetitions"
        )


@dataclass(slots=True)
class Late:
    """What ran out of time, over any number of batches and threads."""

    _spent: dict[str, float] = field(default_factory=dict)
    _values: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, str] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, pattern: str, seconds: float, values: int = 0, example: str = "") -> None:
        """Book time lost to `pattern`, and texts that it was given up on."""
        with self._lock:
            self._spent[pattern] = self._spent.get(pattern, 0.0) + seconds
            if values:
                self._values[pattern] = self._values.get(pattern, 0) + values
                self._examples.setdefault(pattern, example[:80])

    def stopped(self, pattern: str) -> bool:
        """Whether `pattern` has lost more time than it may."""
        return self._spent.get(pattern, 0.0) > PATIENCE

    def timed_out(self) -> list[TimedOut]:
        """The expressions that were given up on any text, by name."""
        return [
            TimedOut(pattern, values, self.stopped(pattern), self._examples[pattern])
            for pattern, values in sorted(self._values.items())
        ]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression that can be searched for.

    Attributes:
        source: as the rule has it, with its flags: `/x/i`.
        rust: for Rust's engine, if `other` is None.
        other: for the package `regex`.
        tree: what was understood of it; None if Rust's engine alone understands it.
        least: the fewest bytes of a text that it is found in.
    """

    source: str
    rust: str
    other: regex.Pattern[str] | None = field(default=None, compare=False)
    tree: Node | None = field(default=None, compare=False, repr=False)
    least: int = field(default=0, compare=False)

    def search(self, values: pl.Series, late: Late | None = None) -> NDArray[np.bool_]:
        """Which texts it is found in.

        Args:
            values: String, best each text once; null is false.
            late: where texts are booked for which the time ran out; they are false.
        """
        late = Late() if late is None else late
        sizes = values.str.len_bytes()
        lengths = (sizes.fill_null(0) if sizes.null_count() else sizes).to_numpy()
        found = np.zeros(len(values), bool)
        near = np.flatnonzero(lengths >= self.least)
        if len(near) == len(values):
            return self._searched(values, lengths, late)
        if len(near):
            found[near] = self._searched(values.gather(near), lengths[near], late)
        return found

    def _searched(self, values: pl.Series, lengths: NDArray[np.uint32], late: Late) -> NDArray[np.bool_]:
        found = np.zeros(len(values), bool)
        # In pieces, so that the clock is looked at between them.
        step = max(1, len(values) // (1 + int(lengths.sum()) // _CHUNK))
        for begin in range(0, len(values), step):
            if late.stopped(self.source):
                rest = values[begin:].drop_nulls()
                late.add(self.source, 0.0, len(rest), "" if rest.is_empty() else str(rest[0]))
                break
            part, size = values[begin : begin + step], int(lengths[begin : begin + step].sum())
            found[begin : begin + step] = (
                self._all(part, size, late) if self.other is None else self._one_by_one(part, late)
            )
        return found

    def _all(self, values: pl.Series, size: int, late: Late) -> NDArray[np.bool_]:
        begun = time.perf_counter(), time.process_time()
        found = values.str.contains(self.rust)
        took = min(
            time.perf_counter() - begun[0], time.process_time() - begun[1]
        )  # a busy machine is no fault
        lost = took - TIME_LIMIT - _FAIR * size
        if lost > 0:
            late.add(self.source, lost)
        return (found.fill_null(value=False) if found.null_count() else found).to_numpy()

    def _one_by_one(self, values: pl.Series, late: Late) -> NDArray[np.bool_]:
        assert self.other is not None  # noqa: S101 - asked only then
        found = np.zeros(len(values), bool)
        for place, text in enumerate(values):
            if text is None:
                continue
            if late.stopped(self.source):
                late.add(self.source, 0.0, 1, text)
                continue
            begun = time.perf_counter()
            try:
                found[place] = self.other.search(text, timeout=TIME_LIMIT, concurrent=True) is not None
            except (TimeoutError, MemoryError):
                late.add(self.source, time.perf_counter() - begun, 1, text)
        return found


@lru_cache(maxsize=1 << 14)
def compiled(pattern: str, flags: str = "") -> Pattern:
    """A regular expression ready to run.

    Args:
        pattern: in Rust's syntax (https://docs.rs/regex/latest/regex/#syntax), or with what PCRE has beyond
            it: look-around, back-references, atomic groups.
        flags: of `ims`.

    Raises:
        RegexError: it cannot run.
    """
    if len(pattern) > MAX_LENGTH:
        raise RegexError(f"it is longer than {MAX_LENGTH} characters")
    source = f"/{pattern}/{flags}"
    try:
        node = regex_syntax.parse(pattern, flags)
    except UnreadableError:
        node = None
    if node is not None:
        _bounded(node, pattern)
    flagged = f"(?{flags}){pattern}" if flags else pattern
    if node is not None:
        shorter = trimmed(node)
        text = flagged if shorter == node else written(shorter, python=False)
        if _refused(text) is None:
            return Pattern(source, text, tree=node, least=shortest(node))
    refused = _refused(flagged)
    if refused is None:
        return Pattern(source, flagged, tree=node, least=0 if node is None else shortest(node))
    return _translated(pattern, flags, source, refused)


def _bounded(node: Node, pattern: str) -> None:
    steps = size(node)
    if steps > MAX_SIZE and steps > 2 * len(pattern):  # a long list of words is long, but unfolds to no more
        raise RegexError(f"with its repetitions written out it has {steps} steps, more than {MAX_SIZE}")


def _refused(pattern: str) -> str | None:
    """Why Rust's engine does not take `pattern`; None if it does."""
    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        told = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), lines[0])
        return "it is too large" if "size limit" in str(error) else told
    return None


def _translated(pattern: str, flags: str, source: str, refused: str) -> Pattern:
    """The expression in the form of the engine that can run it, read as PCRE means it."""
    try:
        node = regex_syntax.parse(pattern, flags, pcre=True)
    except UnreadableError as error:
        raise RegexError(f"{error}; Rust's engine says: {refused}") from error
    _bounded(node, pattern)
    if not backtracks(node):
        text = written(node, python=False)
        refused_again = _refused(text)
        if refused_again is not None:
            raise RegexError(refused)
        return Pattern(source, text, tree=node, least=shortest(node))
    if size(node) > MAX_SIZE:
        raise RegexError(f"it has {size(node)} steps, more than {MAX_SIZE}")
    try:
        return Pattern(source, "", regex.compile(written(node, python=True)), node, shortest(node))
    except (regex.error, UnreadableError, ValueError, OverflowError, RecursionError) as error:
        raise RegexError(str(error)) from error


@lru_cache(maxsize=1 << 14)
def required(pattern: str, flags: str = "") -> frozenset[str]:
    """Folded literals of which any text that the expression matches holds one; empty if none is known.

    Args:
        pattern: one that `compiled` takes.
        flags: of `ims`.

    Raises:
        RegexError: it cannot run.
    """
    node = compiled(pattern, flags).tree
    return frozenset() if node is None else regex_literals.required(node)
