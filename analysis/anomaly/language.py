"""The language of anomaly rules: Sigma's correlation with a threshold that is learned.

A rule is a YAML document with Sigma's metadata and an `anomaly:` mapping in the place of Sigma's
`correlation:` (https://sigmahq.io/sigma-specification/specification/sigma-correlation-rules-specification.html);
`rules`, `group-by`, `timespan` and the operators of `condition` mean what they mean there. What is new is
`measure`, `field`, `baseline` and the options of the measures, which `measures/` lists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from analysis.anomaly.activity import PERSON
from analysis.anomaly.measures import MEASURES
from analysis.anomaly.measures.measure import RULE
from analysis.anomaly.partials import kind_of
from analysis.anomaly.reading import Reader, listed, near
from analysis.finding import CATEGORIES, Level
from sensors.schema import dictionary

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPERATORS: Final = ("gt", "gte", "lt", "lte", "eq", "neq")
BASELINES: Final = ("self", "peer", "population")
ROSTER_QUANTITIES: Final = frozenset({"roster.days_since_start", "roster.days_since_end"})
_DEFAULT_SPAN: Final = timedelta(days=28)
_DEFAULT_PEERS: Final = ("roster.department",)
_DEFAULT_MINIMUM: Final = 7
_DEFAULT_PEOPLE: Final = 4
_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_KEYS: Final = frozenset(
    {"rules", "measure", "field", "group-by", "timespan", "baseline", "condition", "show", "generate"},
)
_BASELINE_KEYS: Final = frozenset({"of", "span", "peer-by", "minimum", "people"})
_METADATA: Final = frozenset(
    {
        "title", "id", "name", "description", "level", "status", "author", "date", "modified", "references",
        "license", "tags", "falsepositives", "confidence", "why", "related", "taxonomy", "fields", "scope",
        "anomaly", "generate",
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison of the condition: `quantity operator number`."""

    quantity: str
    operator: str
    number: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a value is compared with.

    Attributes:
        of: `self` (the account's own other days), `peer` (the others who share `peer_by`), `population`
            (all others). Several mean that each must agree.
        span: how far back the comparison reaches.
        peer_by: columns that make a peer group.
        minimum: fewest values in the comparison; with fewer the rule is "learning".
        people: fewest other accounts in a peer group; a smaller group is widened to the population.
    """

    of: tuple[str, ...]
    span: timedelta = _DEFAULT_SPAN
    peer_by: tuple[str, ...] = _DEFAULT_PEERS
    minimum: int = _DEFAULT_MINIMUM
    people: int = _DEFAULT_PEOPLE


@dataclass(frozen=True, slots=True)
class AnomalyRule:
    """One anomaly rule, checked.

    Attributes:
        rules: names of the Sigma rules that pick the events.
        fields: the measured columns; the first that has a value is taken. `rule` is the name of the Sigma
            rule that picked the event.
        options: what only some measures know, parsed (see the measure's `options`).
        why: sentence for the analyst; `{name}` stands for a quantity or a field of the hit.
        show: columns quoted with the evidence.
    """

    path: Path
    id: str
    title: str
    name: str
    level: Level
    confidence: float
    category: str
    rules: tuple[str, ...]
    measure: str
    fields: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan: timedelta
    baseline: Baseline | None
    condition: tuple[Bound, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    why: str = ""
    show: tuple[str, ...] = ()
    benign: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()
    decisive: bool = False
    durable: bool = False

    def bounds(self, *quantities: str) -> tuple[Bound, ...]:
        """The comparisons of the condition that speak of one of `quantities`."""
        return tuple(bound for bound in self.condition if bound.quantity in quantities)


def parse(document: Mapping[str, Any], path: Path) -> AnomalyRule:
    """Check an anomaly rule.

    Args:
        document: the YAML document, as a mapping.
        path: where it came from; read again only to tell the line of a mistake.

    Raises:
        AnomalyError: the rule cannot be used; the message says what to do.
    """
    reader = Reader(document, path)
    reader.known((), _METADATA)
    body = reader.mapping("anomaly")
    measure_name = reader.text("anomaly", "measure", required=True)
    if measure_name not in MEASURES:
        reader.fail(("anomaly", "measure"), f"{measure_name!r} is no measure; take one of {listed(MEASURES)}")
    measure = MEASURES[measure_name]
    reader.known(("anomaly",), _KEYS | set(measure.options))
    fields = reader.texts("anomaly", "field")
    if measure.field and not fields:
        reader.fail(("anomaly",), f"measure {measure_name} needs `field:`, the column that it measures")
    group_by = reader.texts("anomaly", "group-by") or ("account",)
    _check_group(reader, measure_name, group_by, fields)
    for key in ("field", "group-by", "show", "amount"):
        _check_columns(reader, key)
    baseline = _baseline(reader) if "baseline" in body else None
    condition = _condition(reader, measure_name, measure.quantities | ROSTER_QUANTITIES)
    learned = [bound for bound in condition if bound.quantity in measure.learned]
    if learned and baseline is None:
        reader.fail(
            ("anomaly", "condition", learned[0].quantity),
            f"{learned[0].quantity} needs something to compare with: add `baseline: {{of: [self, peer]}}`",
        )
    tags = [tag.lower() for tag in reader.texts("tags")]
    return AnomalyRule(
        path=path,
        id=reader.text("id", required=True),
        title=reader.text("title", required=True),
        name=reader.text("name") or path.stem,
        level=_level(reader),
        confidence=reader.number("confidence", default=0.5, low=0.0, high=1.0),
        category=_category(reader, tags),
        rules=reader.texts("anomaly", "rules", required=True),
        measure=measure_name,
        fields=fields,
        group_by=group_by,
        timespan=reader.span("anomaly", "timespan", default=timedelta(days=1)),
        baseline=baseline,
        condition=condition,
        options={
            name: option(reader, ("anomaly", name)) if name in body else option.default
            for name, option in measure.options.items()
        },
        why=reader.text("why"),
        show=reader.texts("anomaly", "show"),
        benign=reader.texts("falsepositives"),
        techniques=tuple(m[1].upper() for tag in tags if (m := _TECHNIQUE.fullmatch(tag))),
        signals=tuple(tag.removeprefix("molehunt.signal-").upper() for tag in tags if "signal-" in tag),
        decisive="molehunt.decisive" in tags,
        durable="molehunt.durable" in tags,
    )


def _check_group(reader: Reader, measure: str, group_by: tuple[str, ...], fields: tuple[str, ...]) -> None:
    if measure == "shared_by":
        if fields != ("account",) or "account" in group_by:
            reader.fail(
                ("anomaly", "field"),
                "shared_by counts accounts: `field: account`, `group-by:` what is shared",
            )
    elif measure in ("travel_speed", "clock_shift") and group_by != ("account",):
        reader.fail(("anomaly", "group-by"), f"{measure} follows a person: `group-by: [account]`")
    elif "account" not in group_by:
        reader.fail(("anomaly", "group-by"), "`group-by:` must hold `account`: a finding is about an account")


def _check_columns(reader: Reader, key: str) -> None:
    """Refuse what events cannot have, and lists where one value is measured or compared."""
    where = ("anomaly", key)
    for name in reader.texts(*where):
        if name == RULE and key in ("field", "group-by"):
            continue
        try:
            kind = kind_of(name)
        except KeyError:
            meant = get_close_matches(name, dictionary(), n=1)
            hint = f"; did you mean {meant[0]!r}?" if meant else "; take a field of ECS or of a vendor"
            reader.fail(where, f"events have no column {name!r}{hint}")
        if isinstance(kind, pl.List) and key != "show":
            reader.fail(
                where, f"{name!r} has several values in one event; it can be shown, not counted or compared"
            )


def _baseline(reader: Reader) -> Baseline:
    where = ("anomaly", "baseline")
    reader.mapping(*where)
    reader.known(where, _BASELINE_KEYS)
    for name in reader.texts(*where, "peer-by"):
        if name not in PERSON:
            reader.fail((*where, "peer-by"), f"{name!r} makes no peers; take one of {listed(PERSON)}")
    of = reader.texts(*where, "of", required=True)
    for kind in of:
        if kind not in BASELINES:
            reader.fail((*where, "of"), f"{kind!r} is no baseline; take one of {listed(BASELINES)}")
    return Baseline(
        of=of,
        span=reader.span(*where, "span", default=_DEFAULT_SPAN),
        peer_by=reader.texts(*where, "peer-by") or _DEFAULT_PEERS,
        minimum=int(reader.number(*where, "minimum", default=_DEFAULT_MINIMUM, low=1, high=10_000)),
        people=int(reader.number(*where, "people", default=_DEFAULT_PEOPLE, low=1, high=10_000)),
    )


def _condition(reader: Reader, measure: str, quantities: frozenset[str]) -> tuple[Bound, ...]:
    where = ("anomaly", "condition")
    bounds = []
    for quantity in reader.mapping(*where):
        if quantity not in quantities:
            reader.fail(
                (*where, quantity),
                f"measure {measure} has no {quantity!r}; {near(quantity, quantities)}",
            )
        for operator, number in reader.mapping(*where, quantity).items():
            if operator not in OPERATORS:
                reader.fail((*where, quantity, operator), f"no operator; take one of {listed(OPERATORS)}")
            if isinstance(number, bool) or not isinstance(number, int | float):
                reader.fail((*where, quantity, operator), f"{number!r} is not a number")
            bounds.append(Bound(quantity, operator, float(number)))
    if not bounds:
        reader.fail(where, "`condition:` must hold at least one comparison")
    return tuple(bounds)


def _level(reader: Reader) -> Level:
    word = reader.text("level", required=True)
    if word.upper() not in Level.__members__:
        reader.fail(("level",), f"{word!r} is no level; take one of {listed(x.name.lower() for x in Level)}")
    return Level[word.upper()]


def _category(reader: Reader, tags: list[str]) -> str:
    found = [c for c in CATEGORIES if f"molehunt.{c}" in tags or f"molehunt.{c.replace('_', '-')}" in tags]
    if len(found) != 1:
        reader.fail(
            ("tags",),
            "one tag must name the category: "
            + listed(f"molehunt.{category.replace('_', '-')}" for category in CATEGORIES),
        )
    return found[0]
