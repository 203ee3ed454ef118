"""Values read as molehunt reads them, where pySigma reads them otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sigma.conditions import SigmaCondition
from sigma.correlations import SigmaCorrelationCondition, SigmaCorrelationRule
from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaExpandModifier, modifier_mapping
from sigma.processing.transformations import PreprocessingTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaRule
from sigma.types import NoPlainConversionMixin, SigmaBool, SigmaNumber, SigmaString, SigmaType

if TYPE_CHECKING:
    from analysis.sigma import tree

# In a field's name, between the columns of which the first with a value counts.
BETWEEN_COLUMNS: Final = "\x1f"


@dataclass
class AsRead(NoPlainConversionMixin, SigmaType):
    """A value as molehunt reads it."""

    value: tree.Value


@dataclass
class AsMolehunt(PreprocessingTransformation):
    """Reads again what molehunt reads otherwise than pySigma, and makes one condition of several.

    pySigma 1 cuts the fractions off a correlation's threshold; they are taken from the file of the rule, if
    it has one.

    The encodings, `windash` and comparisons of time parts differ (see `analysis.sigma.reading.modifiers`).
    pySigma makes a query of each condition of a list; a rule matches if any of them holds.
    """

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Change the rule in place.

        Raises:
            SigmaValueError: molehunt does not take a value that pySigma takes.
        """
        super().apply(rule)
        if isinstance(rule, SigmaCorrelationRule):
            _keep_fraction(rule)
            return
        _leave_out_timeframe(rule.detection)
        for detection in rule.detection.detections.values():
            _read_again(detection)
        conditions = rule.detection.condition
        if len(conditions) > 1:
            together = " or ".join(f"({condition})" for condition in conditions)
            rule.detection.condition = [together]
            rule.detection.parsed_condition = [
                SigmaCondition(together, rule.detection, rule.detection.source)
            ]


def _leave_out_timeframe(detections: SigmaDetections) -> None:
    """A text under `timeframe:` is how long Sigma 1 counted, no keyword that `1 of them` asks for."""
    items = getattr(detections.detections.get("timeframe"), "detection_items", [])
    alone = items[0] if len(items) == 1 else None
    if isinstance(alone, SigmaDetectionItem) and alone.field is None and len(alone.value) == 1:
        del detections.detections["timeframe"]


def _keep_fraction(rule: SigmaCorrelationRule) -> None:
    """Set the threshold to that of the file, of which pySigma 1 keeps the whole part alone."""
    from analysis.sigma.reading.documents import read  # noqa: PLC0415 - late, for speed

    if rule.source is None or not isinstance(rule.condition, SigmaCorrelationCondition):
        return
    documents, _ = read(rule.source.path)
    for document in documents:
        body = document.value.get("correlation")
        named = document.value.get("title") == rule.title and document.value.get("name") == rule.name
        asked = body.get("condition") if named and isinstance(body, dict) else None
        number = asked.get(rule.condition.op.name.lower()) if isinstance(asked, dict) else None
        if isinstance(number, float) and int(number) == rule.condition.count:
            rule.condition.count = number  # type: ignore[assignment]  # pySigma 2 has fractions too


def _read_again(detection: SigmaDetection) -> None:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            _read_again(item)
        elif item.modifiers and item.original_value and SigmaExpandModifier not in item.modifiers:
            ours = _ours(item)
            if ours != _theirs(item):
                item.value = [AsRead(value) for value in ours]
                item.disable_conversion_to_plain()


def _ours(item: SigmaDetectionItem) -> list[tree.Value]:
    from analysis.sigma import tree  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.detection import Reading, read_selection  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.documents import RuleProblem  # noqa: PLC0415 - late, for speed

    names = {modifier: name for name, modifier in reversed(modifier_mapping.items())}
    key = "|".join([item.field or "", *(names[modifier] for modifier in item.modifiers)])
    reading = Reading(lambda name: tree.Field(name, (name,)))
    try:
        read = read_selection("", {key: [_plain(value) for value in item.original_value or ()]}, reading, ())
    except RuleProblem as problem:
        raise SigmaValueError(str(problem), source=item.source) from problem
    (line,) = tree.items(read)
    return list(line.values)


def _theirs(item: SigmaDetectionItem) -> list[tree.Value] | None:
    """The same by pySigma; None if molehunt cannot take it for one of its own."""
    from analysis.sigma import tree  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.detection import Reading, read_keyword  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.documents import RuleProblem  # noqa: PLC0415 - late, for speed
    from analysis.sigma.reading.from_pysigma import read_value  # noqa: PLC0415 - late, for speed

    reading = Reading(lambda name: tree.Field(name, (name,)))
    try:
        values = [read_value(value, reading) for value in item.value]
        return values if item.field else [read_keyword(value) for value in values]
    except RuleProblem:
        return None


def _plain(value: SigmaType) -> Any:  # noqa: ANN401 - a YAML scalar
    match value:
        case SigmaString():
            return value.original
        case SigmaNumber():
            return value.number
        case SigmaBool():
            return value.boolean
    return None
