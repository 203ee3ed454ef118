"""A field in SQL, and the forms in which a rule may compare it.

Each form is NULL where the event has no value of it, and a comparison with NULL is no match.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from sigma.backends.molehunt import literal
from sigma.exceptions import SigmaFeatureNotSupportedByBackendError

from analysis.sigma.fold import UNLIKE_LOWER

if TYPE_CHECKING:
    from collections.abc import Collection

    from sigma.backends.molehunt.table import Kind

# Before, between and after the values of a list: the picture of a separator, which no log has in a value.
BETWEEN: Final = "\u241f"
_MARK: Final = f"'{BETWEEN}'"
_DOTTED_I: Final = ("\u0130", "i\u0307")  # İ, and what its lower case is; one engine makes a plain i of it
_DECIMAL: Final = "'^[+-]?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]+)?$'"
_INTEGER: Final = "'^[+-]?[0-9]{1,18}$'"
_CLOCK: Final = "[0-9]{2}:[0-9]{2}(:[0-9]{2})?([.,][0-9]+)?"
_DAY: Final = "'^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
_MOMENT: Final = rf"'^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}[ \t]*([Zz]|[+-][0-9]{{2}}:?[0-9]{{2}})?$'"


@dataclass(frozen=True, slots=True)
class Column:
    """A field in SQL.

    Attributes:
        sql: an expression, NULL where the event has no value.
        kind: what it holds; "joined" is a text of several values with `BETWEEN` around each.
    """

    sql: str
    kind: Kind | Literal["joined"]

    @property
    def several(self) -> bool:
        """Whether an event may have several values of it."""
        return self.kind in ("list", "joined")


ABSENT: Final = Column("CAST(NULL AS VARCHAR)", "text")
Form: TypeAlias = Literal["text", "folded", "number", "integer", "time", "day"]


def written(column: Column, form: Form, letters: Collection[str]) -> str:
    """The column in a form.

    Args:
        column: any.
        form: which.
        letters: of the form "folded": those that the literals compared with it have.

    Raises:
        SigmaFeatureNotSupportedByBackendError: SQL has no such form of it.
    """
    match form:
        case "folded":
            return without_case(as_text(column), letters)
        case "number":
            return _parsed(column, _DECIMAL, "DOUBLE")
        case "integer":
            return _parsed(column, _INTEGER, "BIGINT")
        case "time" | "day":
            return _moment(column, days=form == "day")
    return as_text(column)


def as_text(column: Column) -> str:
    """As `analysis.sigma.written` writes values; several with `BETWEEN` around each."""
    sql = column.sql
    match column.kind:
        case "text" | "joined":
            return sql
        case "list":
            return f"{_MARK} || {between(column)} || {_MARK}"
        case "float":
            whole = f"{sql} = FLOOR({sql}) AND ABS({sql}) < 1e15"
            integer = f"CAST(CAST({sql} AS BIGINT) AS VARCHAR)"
            return f"CASE WHEN {whole} THEN {integer} ELSE CAST({sql} AS VARCHAR) END"
        case "time" | "clock":
            utc = _moment(column)
            micros = f"CAST(EXTRACT(MICROSECOND FROM {utc}) AS BIGINT) % 1000000"
            fraction = f"LPAD(CAST({micros} AS VARCHAR), 6, '0')"
            return f"STRFTIME({utc}, '%Y-%m-%dT%H:%M:%S') || '.' || {fraction} || 'Z'"
    return f"CAST({sql} AS VARCHAR)"


def joined(column: Column) -> str:
    """The value or values as text with `BETWEEN` around each."""
    return as_text(column) if column.several else f"{_MARK} || {as_text(column)} || {_MARK}"


def between(column: Column) -> str:
    """The value or values as text with `BETWEEN` between them; NULL if there is none."""
    if column.kind != "list":
        return as_text(column)
    return f"NULLIF(ARRAY_TO_STRING({column.sql}, {_MARK}), '')"


def without_case(sql: str, letters: Collection[str]) -> str:
    """A text without case, as far as `letters` go (`analysis.sigma.fold`): lower-casing is not enough."""
    for char, plain in UNLIKE_LOWER.items():
        if plain in letters:
            sql = f"REPLACE({sql}, {literal.text(char)}, {literal.text(plain)})"
    if not {*_DOTTED_I[1]}.isdisjoint(letters):
        sql = f"REPLACE({sql}, {literal.text(_DOTTED_I[0])}, {literal.text(_DOTTED_I[1])})"
    return f"LOWER({sql})"


def _parsed(column: Column, shape: str, kind: str) -> str:
    """As a number; NULL where it is none."""
    if column.several:
        raise _unsayable("numbers")
    if column.kind in ("integer", "float"):
        return f"CAST({column.sql} AS {kind})" if kind == "DOUBLE" else f"CAST(NULL AS {kind})"
    if column.kind != "text":
        return f"CAST(NULL AS {kind})"
    return f"CASE WHEN {column.sql} ~ {shape} THEN TRY_CAST({column.sql} AS {kind}) END"


def _moment(column: Column, *, days: bool = False) -> str:
    """As a point in time of UTC, without a zone; NULL where it is none.

    Args:
        column: any.
        days: take a day for its midnight.
    """
    sql = column.sql
    if column.several:
        raise _unsayable("times")
    if column.kind == "clock":
        return sql
    if column.kind == "time":
        return f"({sql} AT TIME ZONE 'UTC')"
    if column.kind == "day" and days:
        return f"CAST({sql} AS TIMESTAMP)"
    if column.kind != "text":
        return "CAST(NULL AS TIMESTAMP)"
    zone = (
        f"CASE WHEN {sql} ~ '^.*[+-][0-9]{{2}}:[0-9]{{2}}$' THEN RIGHT({sql}, 6)"
        f" WHEN {sql} ~ '^.*[:.,].*[+-][0-9]{{4}}$' THEN LEFT(RIGHT({sql}, 5), 3) || ':' || RIGHT({sql}, 2)"
        " ELSE '+00:00' END"
    )
    moment = f"SUBSTR({sql}, 1, 10) || ' ' || SUBSTR({sql}, 12, 5) || ':00' || {zone}"
    also = f" WHEN {sql} ~ {_DAY} THEN TRY_CAST({sql} || ' 00:00:00+00:00' AS TIMESTAMPTZ)" if days else ""
    chosen = f"CASE WHEN {sql} ~ {_MOMENT} THEN TRY_CAST({moment} AS TIMESTAMPTZ){also} END"
    return f"({chosen} AT TIME ZONE 'UTC')"


def _unsayable(what: str) -> SigmaFeatureNotSupportedByBackendError:
    return SigmaFeatureNotSupportedByBackendError(
        f"a field with several values cannot be compared as {what} in SQL; compare it as text"
    )
