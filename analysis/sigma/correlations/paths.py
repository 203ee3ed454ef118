"""The ways from Sigma rules to correlations: straight, or by way of correlations between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.sigma.quote import Quoting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.pack import RulePack
    from analysis.sigma.tree import Field


@dataclass(frozen=True, slots=True)
class Path:
    """The way from a Sigma rule's events to a correlation, by way of others or straight.

    Attributes:
        reference: index in the correlation's rules.
        rule: index in the pack's rules.
        groups: the fields of `group_by` in the rule's events.
        counted: the field or fields of the condition.
        quoting: what a finding quotes of such an event.
        below: indices of the ways to the correlation that `reference` is; none if it is the rule.
        names: alias → field of the rule's events.
    """

    reference: int
    rule: int
    groups: tuple[Field, ...]
    counted: tuple[Field, ...]
    quoting: Quoting
    below: tuple[int, ...]
    names: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the rule's events that the correlation reads."""
        fields = (*self.groups, *self.counted)
        return (*(column for one in fields for column in one.sources), *self.quoting.columns)


def paths(pack: RulePack) -> list[tuple[Path, ...]]:
    """The ways to each correlation of a pack. Ways that cannot be told apart are one."""
    rules = {key: number for number, rule in enumerate(pack.rules) for key in (rule.id, rule.name) if key}
    found: list[tuple[Path, ...]] = []
    called: dict[str, tuple[Path, ...]] = {}
    for correlation in pack.correlations:
        ways: dict[tuple[int, int, tuple[tuple[str, str], ...]], list[int]] = {}
        for reference, name in enumerate(correlation.rules):
            if name in rules:
                ways[reference, rules[name], tuple(sorted(_names(correlation, name, {}).items()))] = []
                continue
            for number, way in enumerate(called[name]):
                known = tuple(sorted(_names(correlation, name, way.names).items()))
                ways.setdefault((reference, way.rule, known), []).append(number)
        found.append(tuple(_path(correlation, pack, way, below) for way, below in ways.items()))
        called |= {key: found[-1] for key in (correlation.id, correlation.name) if key}
    return found


def _names(correlation: Correlation, reference: str, below: Mapping[str, str]) -> dict[str, str]:
    """What the aliases mean in the events of one of the correlation's rules."""
    names = dict(below)
    for alias, fields in correlation.aliases.items():
        own = fields.get(reference, alias)
        names[alias] = below.get(own, own)
    return names


def _path(
    correlation: Correlation,
    pack: RulePack,
    way: tuple[int, int, tuple[tuple[str, str], ...]],
    below: Sequence[int],
) -> Path:
    reference, number, known = way
    rule = pack.rules[number]
    names = dict(known)

    def fields(asked: Sequence[str]) -> tuple[Field, ...]:
        return tuple(pack.taxonomy.field(names.get(name, name), rule.logsource) for name in asked)

    groups, counted = fields(correlation.group_by), fields(correlation.counted)
    named = [column for one in (*groups, *counted, *fields(correlation.shown)) for column in one.sources]
    quoting = Quoting((*named, *rule.evidence_fields), correlation.why, pack.taxonomy, rule.logsource)
    return Path(reference, number, groups, counted, quoting, tuple(below), names)
