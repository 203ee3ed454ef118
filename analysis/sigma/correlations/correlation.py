"""Correlation documents: what is counted, over whom, in how long a window.

Parsed here and not by pySigma, whose 1.5 allows one operator only and cuts thresholds to integers; its time
spans are used. Source:
https://sigmahq.io/sigma-specification/specification/sigma-correlation-rules-specification.html
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from analysis.sigma.correlations.expression import Expression, alternatives, parse
from analysis.sigma.reading.documents import Document, RuleError, RuleProblem
from analysis.sigma.reading.rule import Header, read_header

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

COUNTS: Final = ("event_count", "value_count")
VALUES: Final = ("value_sum", "value_avg", "value_median", "value_percentile")
TEMPORAL: Final = ("temporal", "temporal_ordered")
TYPES: Final = (*COUNTS, *VALUES, *TEMPORAL)
COMPARED: Final = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq,
    "neq": operator.ne,
}  # fmt: skip
_KEYS: Final = ("type", "rules", "group-by", "timespan", "condition", "aliases", "generate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(Header):
    """A Sigma correlation.

    Attributes:
        kind: one of `TYPES`.
        rules: names or ids of the rules (or correlations) that it counts, in the order of writing.
        group_by: fields or aliases; events that lack one of them are left out.
        aliases: alias → reference → field of that rule's events.
        bounds: comparisons of the counted number, all of which must hold.
        counted: the field or fields of `condition: field:`; a value_count counts distinct combinations.
        percentile: 0 to 100, for value_percentile; None asks for the share of the event's own value, as the
            specification's example does.
        expression: for a temporal condition written as and/or/not.
        generate: the rules it counts make findings of their own too.
        silent: another correlation or anomaly rule counts it, without `generate`.
    """

    kind: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    aliases: Mapping[str, Mapping[str, str]] = field(hash=False)
    timespan: timedelta
    bounds: tuple[tuple[str, float], ...]
    counted: tuple[str, ...] = ()
    percentile: float | None = None
    expression: Expression | None = None
    generate: bool = False
    silent: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False, hash=False)

    @property
    def tells_values_apart(self) -> bool:
        """It counts different values, or the share of each."""
        return self.kind == "value_count" or (self.kind == "value_percentile" and self.percentile is None)

    @property
    def measures(self) -> bool:
        """It says nothing where the field that it counts has no value."""
        return self.kind in VALUES

    def can_hold_without(self, lost: Collection[str]) -> bool:
        """Whether its condition can hold though some of its rules never match.

        Args:
            lost: names of these rules, as `rules` has them.
        """
        left = [index for index, name in enumerate(self.rules) if name not in lost]
        if not left or self.kind not in TEMPORAL:
            return bool(left)
        if self.expression is None:
            return any(self.meets(number) for number in range(1, len(left) + 1))
        try:
            ways = alternatives(self.expression)
        except RuleProblem:  # too many to look at
            return True
        return any(set(way.wanted) <= set(left) for way in ways)

    def meets(self, number: float) -> bool:
        """Whether a number is in its bounds."""
        return all(COMPARED[how](number, bound) for how, bound in self.bounds)


def read_correlation(document: Document) -> tuple[Correlation | None, list[RuleError]]:
    """The correlation of a document, or None if it cannot run, and everything wrong with it."""
    header, errors = read_header(document)
    try:
        body = _body(document.value["correlation"])
        # The specification has `generate` beside `level`, pySigma has it inside.
        body["generate"] |= _generates(document.value)
        correlation = Correlation(**header, **body, document=document.value)
    except RuleProblem as problem:
        return None, [*errors, document.error(str(problem), "correlation", *problem.keys)]
    return correlation, errors


def _body(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise RuleProblem("`correlation:` must be a mapping with type, rules, timespan and condition")
    for key in body:
        if key not in _KEYS:
            raise RuleProblem(f"unknown key {key!r}; Sigma has {', '.join(_KEYS)}", (str(key),))
    kind = str(body.get("type")).lower()
    if kind not in TYPES:
        message = f"type {body.get('type')!r} is unknown; take one of {', '.join(TYPES)}"
        raise RuleProblem(message, ("type",))
    condition = body.get("condition")
    rules = _texts(body, "rules")
    listed = body.get("rules")
    if kind == "temporal_ordered" and isinstance(listed, list) and len(listed) > len(rules):
        message = "a rule has one place in an order; to ask for it again, chain two correlations"
        raise RuleProblem(message, ("rules",))
    expression: Expression | None = None
    if isinstance(condition, str) and kind in TEMPORAL:
        expression, rules = parse(condition, rules)
        if kind == "temporal_ordered":
            alternatives(expression)  # that there are not too many
    if not rules:
        raise RuleProblem("`rules:` is missing; list the names of the rules to count", ("rules",))
    return {
        "kind": kind,
        "rules": rules,
        "group_by": _texts(body, "group-by"),
        "aliases": _aliases(body.get("aliases")),
        "timespan": _timespan(body.get("timespan")),
        "generate": _generates(body),
        **_condition(condition, kind, rules),
        "expression": expression,
    }


def _generates(body: Mapping[str, Any]) -> bool:
    generate = body.get("generate")
    if generate is not None and not isinstance(generate, bool):
        raise RuleProblem("generate must be true or false", ("generate",))
    return generate is True


def _texts(body: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if value is None:
        return ()
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise RuleProblem(f"`{key}:` must be a text or a list of texts", (key,))
    return tuple(dict.fromkeys(texts))


def _timespan(value: object) -> timedelta:
    from sigma.correlations import SigmaCorrelationTimespan  # noqa: PLC0415 - late, for speed
    from sigma.exceptions import SigmaError  # noqa: PLC0415 - late, for speed

    try:
        return timedelta(seconds=SigmaCorrelationTimespan(str(value)).seconds)
    except (SigmaError, OverflowError, ValueError) as error:  # ValueError: thousands of digits
        message = f"timespan {value!r} is no length of time; write a number and s, m, h, d, w, M or y"
        raise RuleProblem(message, ("timespan",)) from error


def _aliases(value: object) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    aliases: dict[str, dict[str, str]] = {}
    for alias, mapping in value.items() if isinstance(value, dict) else [("", None)]:
        if not isinstance(mapping, dict):
            raise RuleProblem("`aliases:` maps an alias to rules and their fields", ("aliases", str(alias)))
        aliases[str(alias)] = {str(name): str(column) for name, column in mapping.items()}
    return aliases


def _condition(condition: object, kind: str, rules: tuple[str, ...]) -> dict[str, Any]:
    at = ("condition",)
    if isinstance(condition, str) or (condition is None and kind in TEMPORAL):
        if kind not in TEMPORAL:
            raise RuleProblem(f"a {kind} needs a number, e.g. `gte: 10`, not and/or/not", at)
        return {"bounds": (("gte", float(len(rules))),)}
    if not isinstance(condition, dict):
        raise RuleProblem("`condition:` is missing; write e.g. `gte: 10` below it", at)
    for key in condition:
        if key not in (*COMPARED, "field", "percentile"):
            raise RuleProblem(f"unknown key {key!r}; take {', '.join(COMPARED)}, field", (*at, str(key)))
    bounds = tuple((key, _number(condition[key], key)) for key in condition if key in COMPARED)
    if not bounds:
        raise RuleProblem(f"no number to compare with; write one of {', '.join(COMPARED)}", at)
    return {"bounds": bounds, **_counted(condition, kind)}


def _counted(condition: Mapping[str, Any], kind: str) -> dict[str, Any]:
    at = ("condition",)
    counted = _texts({"field": condition.get("field")}, "field")
    if kind in (*VALUES, "value_count") and not counted:
        raise RuleProblem(f"a {kind} needs `field:` below condition: the field to measure", at)
    if kind in VALUES and len(counted) > 1:
        raise RuleProblem(f"a {kind} measures one field", (*at, "field"))
    if kind != "value_percentile" or condition.get("percentile") is None:
        return {"counted": counted}
    percentile = _number(condition["percentile"], "percentile")
    if not 0 <= percentile <= 100:  # noqa: PLR2004 - that is what a percentile is
        raise RuleProblem("percentile must be from 0 to 100", (*at, "percentile"))
    return {"counted": counted, "percentile": percentile}


def _number(value: object, key: str) -> float:
    """A number, or one written as text, as pySigma takes it."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # what is none raises
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RuleProblem(f"`{key}:` must be a number, not {value!r}", ("condition", key))
    return number


def with_aliases_of(correlation: Correlation, called: Iterable[tuple[str, str]]) -> Correlation:
    """The correlation, its aliases keyed by the names that its `rules:` uses.

    An alias may call a rule by its name where `rules:` has its id, or the other way round.

    Args:
        correlation: as it was read.
        called: id and name of every rule and correlation there is ("" for none).

    Raises:
        RuleProblem: an alias is about a rule that the correlation does not count.
    """
    if not correlation.aliases:
        return correlation
    listed = {name: name for name in correlation.rules}
    for ids in called:
        listed |= {key: name for name in ids if name in correlation.rules for key in ids if key}
    aliases: dict[str, dict[str, str]] = {}
    for alias, mapping in correlation.aliases.items():
        for name in mapping:
            if name not in listed:
                message = f"alias of rule {name!r}, which `rules:` does not list"
                raise RuleProblem(message, ("correlation", "aliases", alias, name))
        aliases[alias] = {listed[name]: column for name, column in mapping.items()}
    return replace(correlation, aliases=aliases)
