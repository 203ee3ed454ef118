"""Which logs and fields rules need, and whether a lake has them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from analysis.anomaly import AnomalyRule
from analysis.anomaly.measures import MEASURES
from analysis.sigma import Rule, tree
from analysis.sigma.correlations.correlation import Correlation
from analysis.sigma.matching.column import present_columns
from analysis.sigma.pack import possible
from analysis.workbench.chosen import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from analysis.workbench.chosen import Chosen, Detection
    from analysis.workbench.looked import Looked

    Columns: TypeAlias = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Have:
    """What a lake has.

    Attributes:
        columns: by dataset, what its events have, with what context and attribution add.
        looked: how many events of each dataset the rules look at.
    """

    columns: Columns
    looked: Looked


HAS: Final = "has it"
PART: Final = "has it in part"
NO_FIELDS: Final = "lacks the fields"
NO_DATASET: Final = "lacks the dataset"
NO_SENSOR: Final = "no sensor reads it"
STATES: Final = (HAS, PART, NO_FIELDS, NO_DATASET, NO_SENSOR)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What a rule needs; of a correlation or an anomaly rule, what the rules that it counts need.

    Attributes:
        logsources: in Sigma's words.
        datasets: `event.dataset` of the events meant, `*` for any letters; or, where the logsource does not
            go by datasets, what it asks of an event.
        fields: the columns that hold what the rule asks about, one of each alternative is enough.
        state: one of `STATES`; "" where no lake was looked at.
        lacks: the logsources, or the fields, that the lake lacks; of a rule that has it in part, the fields
            without which it has to do.
        feeding: the events of the lake that the rule looks at, by dataset.
    """

    logsources: tuple[str, ...]
    datasets: tuple[str, ...]
    fields: tuple[str, ...]
    state: str = ""
    lacks: tuple[str, ...] = ()
    feeding: Mapping[str, int] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether the lake has what the rule cannot do without."""
        return self.state in (HAS, PART)


def telemetry(one: Detection, chosen: Chosen, have: Have | None) -> Telemetry:
    """What a rule needs, and whether a lake has it.

    Args:
        one: the rule.
        chosen: it and what it counts.
        have: None where no lake is asked.
    """
    if isinstance(one, Rule):
        return _of_rule(one, have)
    ids = counted(one, chosen.pack)
    parts = [_of_rule(rule, have) for rule in chosen.pack.rules if rule.id in ids]
    needs = MEASURES[one.measure].needs(one) if isinstance(one, AnomalyRule) else ()
    whole = Telemetry(
        _together(part.logsources for part in parts),
        _together(part.datasets for part in parts),
        _together([*(part.fields for part in parts), needs]),
        feeding={} if have is None else have.looked.of(ids),
    )
    if have is None:
        return whole
    state, lacks = _joined(one, parts, needs, {name: have.columns[name] for name in whole.feeding})
    return replace(whole, state=state, lacks=lacks)


def _joined(
    one: Detection, parts: list[Telemetry], needs: tuple[str, ...], columns: Columns
) -> tuple[str, tuple[str, ...]]:
    """The state of what counts rules, and what is lacking."""
    stuck = [part for part in parts if not part.runs]
    every = isinstance(one, Correlation) and one.kind.startswith("temporal") and one.expression is None
    if stuck and (every or len(stuck) == len(parts)):
        worst = max(stuck, key=lambda part: STATES.index(part.state))
        return worst.state, _together(part.lacks for part in stuck)
    if needs and not any(set(needs) <= set(had) for had in columns.values()):
        fewest = min((set(needs) - set(had) for had in columns.values()), key=len, default=set(needs))
        return NO_FIELDS, tuple(sorted(fewest))
    lacks = _together(part.lacks for part in parts)
    return (PART, lacks) if lacks else (HAS, ())


def _of_rule(rule: Rule, have: Have | None) -> Telemetry:
    fields = tree.fields(rule.condition)
    named = tuple(dict.fromkeys(each.columns[0] if each.columns else each.name for each in fields))
    source = (str(rule.logsource),)
    if rule.source is None:
        return Telemetry(source, (), named, "" if have is None else NO_SENSOR, source)
    whole = Telemetry(source, looked_for(rule.source), named)
    if have is None:
        return whole
    feeding = have.looked.of([rule.id])
    if not feeding:
        return replace(whole, state=NO_DATASET, lacks=source)
    whole = replace(whole, feeding=feeding)
    absent = {
        name: [each.name for each in fields if not present_columns(each, have.columns[name])]
        for name in feeding
    }
    able = [name for name in feeding if possible(rule.condition, have.columns[name], name) is not False]
    if not able:
        fewest: list[str] = min(absent.values(), key=len)
        return replace(whole, state=NO_FIELDS, lacks=tuple(fewest))
    nowhere = tuple(name for name in absent[able[0]] if all(name in absent[other] for other in able))
    return replace(whole, state=PART if nowhere else HAS, lacks=nowhere)


def looked_for(source: tree.Node) -> tuple[str, ...]:
    """The datasets that a logsource means, by the part of it that names the fewest; else what it asks."""
    parts = source.children if isinstance(source, tree.And) else (source,)
    named = [names for part in reversed(parts) if (names := _datasets(part))]
    if named:
        return min(named, key=len)  # a service's before its product's
    asked = (str(item).removeprefix(f"{item.selection}: ") for item in tree.items(source))
    return tuple(dict.fromkeys(asked)) or ("any",)


def _datasets(node: tree.Node) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in tree.items(node):
        if item.field is not None and item.field.name == "event.dataset" and not item.negated:
            for value in item.values:
                if isinstance(value, tree.Text):
                    parts = (part if isinstance(part, str) else part.value for part in value.parts)
                    found["".join(parts)] = None
    return tuple(found)


def _together(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))
