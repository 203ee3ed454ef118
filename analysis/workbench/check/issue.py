"""What is wrong with a rule, for its author."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.sigma.reading.documents import RuleError


@dataclass(frozen=True, slots=True)
class Issue:
    """One mistake, or (`warning`) what may well be one.

    Attributes:
        kind: one word for this sort of mistake, by which it can be counted and left out.
        line, column: counted from 1.
        message: what is wrong, and what to do.
    """

    path: Path
    line: int
    column: int
    kind: str
    message: str
    warning: bool = False

    @classmethod
    def of(cls, error: RuleError, kind: str, *, warning: bool = False) -> Issue:
        """A located message as an issue."""
        return cls(error.path, error.line, error.column, kind, error.message, warning)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {'warning: ' if self.warning else ''}{self.message} [{self.kind}]"

    def as_json(self) -> dict[str, Any]:
        """The issue as an object of JSON."""
        return {
            "file": str(self.path),
            "line": self.line,
            "column": self.column,
            "kind": self.kind,
            "severity": "warning" if self.warning else "error",
            "message": self.message,
        }
