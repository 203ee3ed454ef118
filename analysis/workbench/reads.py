"""The columns that rules read: a lake need not be read for more than these."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from analysis.anomaly.activity import PERSON
from analysis.anomaly.measures import MEASURES
from analysis.finding import LOCATORS
from analysis.known import READ
from analysis.sigma import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from analysis.anomaly import AnomalyRule
    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.reading.rule import Rule
    from analysis.sigma.taxonomy import Taxonomy
    from analysis.workbench.chosen import Chosen

_QUOTED: Final = re.compile(r"\{([^{}]+)\}")


def columns_read(chosen: Chosen) -> frozenset[str] | None:
    """What the chosen rules, their findings and attribution read of an event; None for everything.

    Keywords read everything.
    """
    pack = chosen.pack
    nodes = [node for rule in pack.rules for node in (rule.source, rule.condition) if node is not None]
    if any(item.field is None for node in nodes for item in tree.items(node)):
        return None
    found = {*READ, *LOCATORS, *PERSON}
    found |= {column for node in nodes for field in tree.fields(node) for column in field.sources}
    for rule in pack.rules:
        found |= {*rule.evidence_fields, *_sources(_QUOTED.findall(rule.why), rule, pack.taxonomy)}
    for correlation in pack.correlations:
        for rule in pack.rules:
            found.update(_sources(_named(correlation, rule), rule, pack.taxonomy))
    for anomaly in chosen.anomalies:
        found.update(_of_anomaly(anomaly))
    return frozenset(found)


def _sources(names: list[str], rule: Rule, taxonomy: Taxonomy) -> Iterator[str]:
    for name in names:
        yield from taxonomy.field(name, rule.logsource).sources


def _named(correlation: Correlation, rule: Rule) -> list[str]:
    """The fields of a rule's events that a correlation reads; none if it does not count that rule."""
    reference = next((name for name in correlation.rules if name in (rule.id, rule.name)), None)
    if reference is None:
        return []
    plain = [
        *correlation.group_by,
        *correlation.counted,
        *correlation.shown,
        *_QUOTED.findall(correlation.why),
    ]
    return [*plain, *(names[reference] for names in correlation.aliases.values() if reference in names)]


def _of_anomaly(rule: AnomalyRule) -> Iterator[str]:
    yield from (*rule.fields, *rule.group_by, *rule.show, *MEASURES[rule.measure].needs(rule))
    yield from (value for value in rule.options.values() if isinstance(value, str))
