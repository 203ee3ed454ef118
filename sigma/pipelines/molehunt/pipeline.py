"""The pipeline `molehunt`: fields and logsources of Sigma as columns and datasets of the lake.

The tables are molehunt's own, `analysis/sigma/fields.toml` and `logsources.yaml`: there is no second one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
            _name(detection, source)
        rule.fields = [_columns(name, source) for name in rule.fields or ()]
        _ask_for(rule, source)


def _source_of(rule: SigmaRule) -> Logsource:
    from analysis.sigma.taxonomy import Logsource  # noqa: PLC0415 - late, for speed

    return Logsource.of(rule.logsource)


def _columns(name: str, source: Logsource) -> str:
    from analysis.sigma.taxonomy import Taxonomy  # noqa: PLC0415 - late, for speed

    return BETWEEN_COLUMNS.join(Taxonomy().field(name, source).columns)


def _name(detection: SigmaDetection, source: Logsource) -> None:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _name(item, source)
            continue
        if item.field is not None:
            item.field = _columns(item.field, source)
        for value in item.value:
            if isinstance(value, SigmaFieldReference):
                value.field = _columns(value.field, source)
            elif isinstance(value, AsRead):
                value.value = _named(value.value, source)
        item.disable_conversion_to_plain()


def _named(value: tree.Value, source: Logsource) -> tree.Value:
    """A value that may refer to another field."""
    from analysis.sigma import tree  # noqa: PLC0415 - late, for speed
    from analysis.sigma.taxonomy import Taxonomy  # noqa: PLC0415 - late, for speed

    match value:
        case tree.Reference(field):
            return replace(value, field=Taxonomy().field(field.name, source))
        case tree.AnyOf(values):
            return tree.AnyOf(tuple(_named(one, source) for one in values))
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
            for reference in rule.referenced_rules
            if isinstance(reference.rule, SigmaRule)
        }
        rule.aliases.aliases[name] = SigmaCorrelationFieldAlias(name, mapping)
