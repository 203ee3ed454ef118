"""What events have in common, said as a person would write it into a filter.

Which fields are offered, and how telling each is, is data: `likeness.toml` beside this file. Who it was, a
person or a department, is offered beside something else only: a filter for people alone would hide whatever
they do. A service account may stand alone.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.identity.principal import looks_like_service
from analysis.sigma import tree
from analysis.sigma.taxonomy import is_column, names_of
from analysis.sigma.written import texts
from analysis.workbench.tune.alike import alike, escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from analysis.sigma.reading.rule import Rule
    from analysis.sigma.taxonomy import Taxonomy

_SHORTEST_NAME: Final = 3
_PLAINEST: Final = 4.0
_PERSONAL_WEIGHT: Final = {"account": 3.4}  # the name that findings have
_OTHER_PERSONAL: Final = 3.5
_OF_A_PARENT: Final = 3.7
_BESIDE: Final = {"": 0.0, "cidr": 0.1, "startswith": 0.2, "endswith": 0.3, "contains": 0.4}
_WINDOWS: Final = "winlog.event_data."
_OF_WINDOWS: Final = re.compile(r"[A-Z]\w+")  # c-ip and src_ip are words of proxies
_EACH_VALUE: Final = 0.5
_SYSTEM: Final = frozenset({"system", "local service", "network service", "localsystem", "root"})
_BETWEEN_WORDS: Final = (r"[\s\\/:@\"'=,;()\[\]]+", r"[^\w.]+", r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Likeness:
    """One line of a selection that all the events satisfy.

    Attributes:
        field: as the filter names it.
        modifier: of Sigma; "" for equality.
        values: any of them, as they stand in the events.
        personal: says who it was, and so must not stand alone.
        weight: the smaller, the better a person can judge by it.
        group: says which of many people it was, and must not stand alone either.
    """

    field: str
    modifier: str
    values: tuple[str, ...]
    personal: bool
    weight: float
    group: bool = False

    @property
    def who(self) -> bool:
        """Whether it says who it was, and nothing of what was done."""
        return self.personal or self.group

    @property
    def key(self) -> str:
        """The line's key in YAML."""
        return f"{self.field}|{self.modifier}" if self.modifier else self.field

    @property
    def written(self) -> list[str]:
        """The values with what Sigma takes for wildcards escaped."""
        return [value if self.modifier == "cidr" else escaped(value) for value in self.values]

    def __str__(self) -> str:
        return f"{self.key}: {' or '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Shared:
    """What events have in common.

    Attributes:
        likenesses: the lines on offer, the most telling first.
        left_out: why → the columns that all of the events have and that are not offered.
    """

    likenesses: tuple[Likeness, ...]
    left_out: dict[str, tuple[str, ...]]

    @property
    def considered(self) -> tuple[str, ...]:
        """The fields that the lines are about."""
        return tuple(dict.fromkeys(one.field for one in self.likenesses))


def shared_by(events: pl.DataFrame, rule: Rule, taxonomy: Taxonomy) -> Shared:
    """What all of `events` have in common.

    Args:
        events: enriched, all of them found by `rule`; some thousands at most.
        rule: whose words for fields are taken, where it has them.
        taxonomy: what those mean.
    """
    naming = _Naming(rule, taxonomy, events)
    people = _people(events)
    served = _of_services(events)
    copies = _copies(events, naming)
    lent = _of_a_pool(events)
    found: dict[tuple[str, tuple[str, ...]], Likeness] = {}
    left_out: dict[str, list[str]] = {}
    for name in sorted(events.columns):
        series = events[name]
        if name.startswith("_") or series.null_count() or name in copies:
            continue
        reason = _reason(name, series.dtype)
        if lent and _among(name, _tables()["lent"]["fields"]):
            reason = "an address on loan"
        if reason:
            left_out.setdefault(reason, []).append(name)
            continue
        distinct = sorted(set(texts(series)))
        personal = _personal(name) and not (served or all(_service(value) for value in distinct))
        machines = _personal(name) and not personal and all(_bare(value).endswith("$") for value in distinct)
        if machines or _among(name, _tables()["personal"]["belongings"]):
            personal |= not served and _of_one_person_each(events, name)
        for modifier, values in alike(name, distinct):
            if (personal and len(values) > 1) or (not personal and _tells_who(values, people)):
                continue
            weight = _weight(name, modifier, len(values))
            group = _among(name, _tables()["group"]["fields"])
            one = Likeness(naming.of(name), modifier, values, personal, weight, group)
            key = (one.key, tuple(value.casefold() for value in values))
            if key not in found or one.weight < found[key].weight:
                found[key] = one
    likenesses = sorted(found.values(), key=lambda one: (one.weight, one.key, one.values))
    return Shared(tuple(likenesses), {why: tuple(names) for why, names in left_out.items()})


def _copies(events: pl.DataFrame, naming: _Naming) -> frozenset[str]:
    """Columns that say what another says: of Windows' own and ECS, that which the rule does not name."""
    said = [one for one in events if one.dtype == pl.String]
    copies = set()
    for own in (one for one in said if one.name.startswith(_WINDOWS)):
        for other in said:
            if not other.name.startswith(_WINDOWS) and other.equals(own):
                copies.add(own.name if naming.named(other.name) else other.name)
    return frozenset(copies)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads((files(__package__) / "likeness.toml").read_text("utf-8"))


def _among(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _reason(name: str, kind: pl.DataType) -> str:
    """Why a column is not offered; "" if it is."""
    offered = _tables()["offered"]
    if _among(name, offered["fields"]):
        return ""
    if kind.is_temporal():
        return "a time"
    for reason, globs in _tables()["left_out"].items():
        if _among(name, globs):
            return str(reason)
    if isinstance(kind, pl.List):
        return "a list"
    if kind.is_numeric() and not _among(name, offered["numbers"]):
        return "a number"
    return ""


def _personal(name: str) -> bool:
    personal = _tables()["personal"]
    return _among(name, personal["fields"]) and not _among(name, personal["but"])


def _of_services(events: pl.DataFrame) -> bool:
    """Whether no person did any of it, by what identity resolution knows."""
    if "account.kind" not in events.columns:
        return False
    return bool(events["account.kind"].is_in(["service", "machine"]).fill_null(value=False).all())


def _of_a_pool(events: pl.DataFrame) -> bool:
    """Whether the addresses are lent by a VPN: tomorrow another person has them."""
    name = _tables()["lent"]["by"]
    said = events[name] if name in events.columns else pl.Series([None], dtype=pl.String)
    return bool(said.str.starts_with("vpn pool").fill_null(value=False).any())


def _of_one_person_each(events: pl.DataFrame, name: str) -> bool:
    """Whether each value of a column goes with one account alone, as laptops and homes do."""
    if "account" not in events.columns or events["account"].null_count():
        return False
    return events.select(name, "account").n_unique() == events[name].n_unique()


def _service(value: str) -> bool:
    name = _bare(value)
    return name in _SYSTEM or name.endswith("$") or looks_like_service(name)


def _bare(value: str) -> str:
    return value.rpartition("\\")[2].partition("@")[0].lower()


def _people(events: pl.DataFrame) -> frozenset[str]:
    """Names of persons that the events say, in lower case, without domain."""
    named = [name for name in events.columns if _personal(name) and events[name].dtype == pl.String]
    values = {_bare(value) for name in named for value in events[name].drop_nulls().unique()}
    return frozenset(name for name in values if len(name) >= _SHORTEST_NAME and not _service(name))


def _tells_who(values: Iterable[str], people: frozenset[str]) -> bool:
    """Whether a value names a person as a word of its own: a home folder, a laptop called after its owner."""
    return any(word in people for value in values for word in _words(value.lower()))


def _words(text: str) -> Iterator[str]:
    yield text
    for between in _BETWEEN_WORDS:
        yield from re.split(between, text)


def _weight(name: str, modifier: str, values: int) -> float:
    if _personal(name):
        telling = _PERSONAL_WEIGHT.get(name, _OF_A_PARENT if "parent" in name.lower() else _OTHER_PERSONAL)
    else:
        listed = (row["weight"] for row in _tables()["telling"] if _among(name, row["fields"]))
        telling = next(listed, _PLAINEST)
    return round(telling + _BESIDE[modifier] + _EACH_VALUE * (values - 1), 3)


class _Naming:
    """What to call a column in a filter of a rule.

    A rule in Sigma's own words is filtered in Sigma's words, so that it converts to other systems with it.
    """

    def __init__(self, rule: Rule, taxonomy: Taxonomy, events: pl.DataFrame) -> None:
        self._source = rule.logsource
        self._taxonomy = taxonomy
        self._had = {name for name in events.columns if events[name].null_count() < events.height}
        self._own = [field.name for field in tree.fields(rule.unfiltered)]
        self._sigma = any(not is_column(name) for name in self._own)

    def of(self, column: str) -> str:
        """The rule's own name for it, or the taxonomy's, or the column itself."""
        listed: list[str] = []
        if self._sigma and self._source.product == "windows":
            listed = [name for name in names_of(column, "windows") if _OF_WINDOWS.fullmatch(name)]
            listed.append(column.removeprefix(_WINDOWS))
        return next((name for name in (*self._own, *listed) if self._means(name, column)), column)

    def named(self, column: str) -> bool:
        """Whether the rule itself names it."""
        return any(self._means(name, column) for name in self._own)

    def _means(self, name: str, column: str) -> bool:
        """Whether `name`, in a rule on this logsource, reads `column` of these events."""
        columns = self._taxonomy.field(name, self._source).columns
        had = (one for one in columns if {part for _, part in tree.pieces(one) if part} <= self._had)
        return next(had, None) == column
