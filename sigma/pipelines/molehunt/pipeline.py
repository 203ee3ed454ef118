"""The pipeline `molehunt`: Sigma's fields and logsources as the lake has them; and one for Kusto.

The tables are molehunt's own, `analysis/sigma/fields.toml` and `logsources.yaml`: there is no second one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sigma.backends.molehunt.as_molehunt import BETWEEN_COLUMNS, AsRead
from sigma.conditions import ConditionAND, ConditionOR, SigmaCondition
from sigma.correlations import SigmaCorrelationFieldAlias, SigmaCorrelationRule
from sigma.exceptions import SigmaTransformationError
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import PreprocessingTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaFieldReference

if TYPE_CHECKING:
    from collections.abc import Callable

    from analysis.sigma import tree
    from analysis.sigma.taxonomy import Logsource


def molehunt_pipeline() -> ProcessingPipeline:
    """The pipeline, for the backend `molehunt` alone: what it names are the columns of a lake."""
    return ProcessingPipeline(
        name="molehunt's lake: Sigma's names as columns and datasets",
        priority=20,
        allowed_backends=frozenset({"molehunt"}),
        items=[ProcessingItem(LakeNames(), identifier="molehunt_names")],
    )


def kusto_pipeline() -> ProcessingPipeline:
    """ECS names as a table of Log Analytics can have them, for rules that name their fields in ECS."""
    return ProcessingPipeline(
        name="ECS names as columns of a Log Analytics table: underscores for dots",
        priority=20,
        allowed_backends=frozenset({"kusto"}),
        items=[ProcessingItem(Underscores(), identifier="molehunt_underscores")],
    )


@dataclass
class Underscores(PreprocessingTransformation):
    """Writes every field with underscores for what is no letter or digit.

    A column of Log Analytics is called so
    (https://learn.microsoft.com/azure/azure-monitor/logs/create-custom-table); pySigma's Kusto backend puts
    other names into single quotes, which are texts to Kusto.
    """

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Change the rule in place."""
        super().apply(rule)
        if isinstance(rule, SigmaRule):
            for detection in rule.detection.detections.values():
                _name(detection, _underscored)
            rule.fields = [_underscored(name) for name in rule.fields or ()]


def _underscored(name: str) -> str:
    return re.sub(r"\W", "_", name, flags=re.ASCII)


@dataclass
class LakeNames(PreprocessingTransformation):
    """Names every field by its columns, and asks for the events that the logsource means.

    A field of several columns, of which the first with a value counts, is named by all of them.
    """

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Change the rule in place.

        Raises:
            SigmaTransformationError: no sensor of molehunt makes events of the rule's logsource.
        """
        super().apply(rule)
        if isinstance(rule, SigmaCorrelationRule):
            _name_groups(rule)
            return
        source = _source_of(rule)
        for detection in rule.detection.detections.values():
            _name(detection, partial(_columns, source=source))
        rule.fields = [_columns(name, source) for name in rule.fields or ()]
        _ask_for(rule, source)


def _source_of(rule: SigmaRule) -> Logsource:
    from analysis.sigma.taxonomy import Logsource  # noqa: PLC0415 - late, for speed

    return Logsource.of(rule.logsource)


def _columns(name: str, source: Logsource) -> str:
    from analysis.sigma.taxonomy import Taxonomy  # noqa: PLC0415 - late, for speed

    return BETWEEN_COLUMNS.join(Taxonomy().field(name, source).columns)


def _name(detection: SigmaDetection, named: Callable[[str], str]) -> None:
    """Give every field of a detection the name that `named` says."""
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _name(item, named)
            continue
        if item.field is not None:
            item.field = named(item.field)
        for value in item.value:
            if isinstance(value, SigmaFieldReference):
                value.field = named(value.field)
            elif isinstance(value, AsRead):
                value.value = _referring(value.value, named)
        item.disable_conversion_to_plain()


def _referring(value: tree.Value, named: Callable[[str], str]) -> tree.Value:
    """A value that may refer to another field."""
    from analysis.sigma import tree  # noqa: PLC0415 - late, for speed

    match value:
        case tree.Reference(field):
            columns = tuple(named(field.name).split(BETWEEN_COLUMNS))
            return replace(value, field=tree.Field(field.name, columns))
        case tree.AnyOf(values):
            return tree.AnyOf(tuple(_referring(one, named) for one in values))
    return value


def _ask_for(rule: SigmaRule, source: Logsource) -> None:
    """Add the logsource's own selection to the rule's conditions."""
    from analysis.sigma.taxonomy import Taxonomy  # noqa: PLC0415 - late, for speed

    events = Taxonomy().events(source)
    if events is None:
        raise SigmaTransformationError(
            f"molehunt reads no logs of {source}; analysis/sigma/logsources.yaml has what it reads",
            source=rule.source,
        )
    asked = _detection(events)
    if asked is None:
        return
    name = "_logsource"
    while name in rule.detection.detections:
        name += "_"
    rule.detection.detections[name] = asked
    rule.detection.condition = [f"{name} and ({condition})" for condition in rule.detection.condition]
    rule.detection.parsed_condition = [
        SigmaCondition(condition, rule.detection, rule.detection.source)
        for condition in rule.detection.condition
    ]


def _detection(node: tree.Node) -> SigmaDetection | None:
    """A logsource's selection as pySigma has selections; None if every event will do."""
    item = _item(node)
    if item is None:
        return None
    return item if isinstance(item, SigmaDetection) else SigmaDetection([item])


def _item(node: tree.Node) -> SigmaDetection | SigmaDetectionItem | None:
    from analysis.sigma import tree  # noqa: PLC0415 - late, for speed

    match node:
        case tree.Item(_, tree.Field(name), values, every, negated):
            link = ConditionAND if every else ConditionOR
            return SigmaDetectionItem(name, [], [AsRead(value) for value in values], link, negated)
        case tree.And(children) | tree.Or(children):
            parts = [part for part in map(_item, children) if part is not None]
            link = ConditionAND if isinstance(node, tree.And) else ConditionOR
            return SigmaDetection(parts, item_linking=link) if parts else None
    raise TypeError(f"a logsource cannot ask for {node}")


def _name_groups(rule: SigmaCorrelationRule) -> None:
    """Give each field that the correlation names an alias: its columns in the events of each rule."""
    named = getattr(rule.condition, "fieldref", None) or []
    for name in dict.fromkeys([*(rule.group_by or ()), *(named if isinstance(named, list) else [named])]):
        given = rule.aliases.aliases.get(name)
        own = {one.reference: field for one, field in given.mapping.items()} if given else {}
        mapping = {
            reference: _columns(own.get(reference.reference, name), _source_of(reference.rule))
            if isinstance(reference.rule, SigmaRule)
            else own.get(reference.reference, name)
            for reference in rule.referenced_rules
        }
        rule.aliases.aliases[name] = SigmaCorrelationFieldAlias(name, mapping)
