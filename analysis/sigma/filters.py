"""Sigma filters: further conditions of rules, kept in files of their own so that an update leaves them alone.

A filter's condition is added to the rule's as it is written, `rule and (filter)`, so that what is to be
suppressed is denied: `condition: not selection`. One that says who suppresses, why and until when (`owner:`,
`reason:`, `expires:`) is a suppression; after its last day it no longer applies.
Sources: https://sigmahq.io/sigma-specification/specification/sigma-filters-specification.html, whose 2.2 has
`any`, and pySigma 1.5, `sigma/filters.py`, for logsources, empty lists and correlations.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from uuid import UUID

from analysis.sigma import tree
from analysis.sigma.reading.detection import Reading, read_detection
from analysis.sigma.reading.documents import Document, RuleError, RuleProblem
from analysis.sigma.reading.rule import Rule, read_header, read_logsource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.sigma.taxonomy import Logsource, Taxonomy

    Anomalies: TypeAlias = Sequence[tuple[Mapping[str, Any], Path]]

OWN_KEYS: Final = ("owner", "reason", "expires")
HASH_KEY: Final = "rule-hash"


@dataclass(frozen=True, slots=True)
class Named:
    """A rule as a filter names it, by id or name, and the line it is named in."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A Sigma filter.

    Attributes:
        id: its own, or its file's name.
        owner, reason: who answers for it, and why; "" if it does not say.
        expires: the last day (UTC) on which it applies; None if it does not end.
        rules: the rules it is about; None for all on its logsource.
        hashes: of the rules it was written for (`rule_hash`), by their name, or by "" for all of them.
        on: the rules it applies to, by their number, each with the condition it adds.
    """

    id: str
    title: str
    path: Path
    line: int
    owner: str
    reason: str
    expires: date | None
    logsource: Logsource
    rules: tuple[Named, ...] | None
    hashes: Mapping[str, str]
    said: frozenset[str]
    detection: Mapping[str, Any]
    on: tuple[tuple[int, tree.Node], ...] = ()

    def note(self, message: str, line: int | None = None) -> RuleError:
        """A located message about this filter."""
        return RuleError(self.path, line or self.line, 1, message)

    def applies(self, day: date) -> bool:
        """Whether it is in force on `day`."""
        return self.expires is None or day <= self.expires


def today() -> date:
    """The day by which filters expire, in UTC."""
    return datetime.now(UTC).date()


def rule_hash(document: Mapping[str, Any]) -> str:
    """What a rule looks for, as a short text that changes with `logsource:` or `detection:`, not with words.

    It begins with letters: bare digits would be a number to YAML.
    """
    meant = {key: document.get(key) for key in ("logsource", "detection")}
    return (
        f"sha256:{hashlib.sha256(json.dumps(meant, sort_keys=True, default=str).encode()).hexdigest()[:16]}"
    )


def read_filter(document: Document) -> tuple[Filter, list[RuleError]]:
    """The filter of a document, and mistakes that do not keep it from being applied.

    Raises:
        RuleProblem: it cannot be applied.
    """
    header, errors = read_header(document)
    value = document.value
    body = value["filter"]
    if not isinstance(body, dict):
        raise RuleProblem("`filter:` must be a mapping of rules, selections and a condition", ("filter",))
    if isinstance(body.get("condition"), list):
        raise RuleProblem("a filter has one condition; join them by and, or, not", ("filter", "condition"))
    source = read_logsource(value.get("logsource"))
    one = Filter(
        id=header["id"],
        title=header["title"],
        path=document.path,
        line=header["line"],
        owner=str(value.get("owner") or "").strip(),
        reason=str(value.get("reason") or "").strip(),
        expires=_expires(value.get("expires")),
        logsource=source,
        rules=_rules(document, body),
        hashes=_hashes(value.get(HASH_KEY)),
        said=frozenset(key for key in OWN_KEYS if value.get(key)),
        detection=body,
    )
    return one, errors


def _rules(document: Document, body: Mapping[str, Any]) -> tuple[Named, ...] | None:
    """What `rules:` names; None for every rule: `any`, or an empty list."""
    rules = body.get("rules")
    keys = ("filter", "rules")
    if isinstance(rules, str):
        if rules.lower() == "any":
            return None
        return (Named(_uniform(rules), document.error("", *keys).line),)
    if not isinstance(rules, list):
        raise RuleProblem("`rules:` is missing; list the rules to filter, or write `any`", ("filter",))
    if not all(isinstance(name, str | int) for name in rules):
        raise RuleProblem("`rules:` must list ids or names of rules, or be `any`", keys)
    named = (
        Named(_uniform(str(name)), document.error("", *keys, place).line) for place, name in enumerate(rules)
    )
    return tuple(named) or None


def _uniform(name: str) -> str:
    """A UUID as rules have it, however it is written; a name as it is."""
    try:
        return str(UUID(name))
    except ValueError:
        return name


def _expires(value: object) -> date | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError as error:
        message = f"expires {value!r} is no day; write it as 2026-12-31, the last day on which this applies"
        raise RuleProblem(message, ("expires",)) from error


def _hashes(value: object) -> dict[str, str]:
    if isinstance(value, dict):
        return {_uniform(str(name)): str(digest) for name, digest in value.items()}
    return {} if value is None else {"": str(value)}


def placed(
    one: Filter,
    rules: Sequence[Rule],
    taxonomy: Taxonomy,
    placeholders: Mapping[str, Sequence[str]],
) -> Filter:
    """The filter with the rules that it applies to, its fields mapped as theirs are.

    Raises:
        RuleProblem: its selections or its condition cannot be read.
    """
    conditions: dict[Logsource, tree.Node] = {}

    def condition(source: Logsource) -> tree.Node:
        if source not in conditions:
            reading = Reading(lambda name: taxonomy.field(name, source), placeholders, taxonomy.empties)
            read = read_detection(one.detection, reading, ("filter",))
            conditions[source] = _called(read, one.title)
        return conditions[source]

    condition(one.logsource)  # a mistake is told even where no rule is concerned
    wanted = None if one.rules is None else {named.name for named in one.rules}
    on = [
        (number, condition(rule.logsource))
        for number, rule in enumerate(rules)
        if (wanted is None or wanted & keys(rule)) and covers(one.logsource, rule.logsource)
    ]
    return replace(one, on=tuple(on))


def _called(node: tree.Node, title: str) -> tree.Node:
    """The filter's condition, its selections named so that `explain` tells them from the rule's."""
    match node:
        case tree.Item():
            return replace(node, selection=f"filter {title!r}, {node.selection}")
        case tree.Not(child):
            return tree.Not(_called(child, title))
        case tree.And(children):
            return tree.And(tuple(_called(child, title) for child in children))
        case tree.Or(children):
            return tree.Or(tuple(_called(child, title) for child in children))


def keys(rule: Rule | Correlation) -> set[str]:
    """By what a filter may name a rule."""
    return {key for key in (rule.id, rule.name) if key}


def covers(wide: Logsource, narrow: Logsource) -> bool:
    """Whether rules on `narrow` are among those on `wide`: what `wide` says, `narrow` says too."""
    return all(
        mine is None or mine == theirs
        for mine, theirs in (
            (wide.category, narrow.category),
            (wide.product, narrow.product),
            (wide.service, narrow.service),
        )
    )


def in_force(rules: Sequence[Rule], filters: Iterable[Filter], day: date) -> tuple[Rule, ...]:
    """The rules with the filters that apply to them on `day`, in the order of `filters`.

    Args:
        rules: as they were numbered when the filters were placed, without any filter.
        filters: those of the pack.
        day: in UTC.
    """
    added: dict[int, list[tuple[int, tree.Node]]] = {}
    for place, one in enumerate(filters):
        if one.applies(day):
            for number, condition in one.on:
                added.setdefault(number, []).append((place, condition))
    return tuple(
        _filtered(rule, added[number]) if number in added else rule for number, rule in enumerate(rules)
    )


def _filtered(rule: Rule, added: Sequence[tuple[int, tree.Node]]) -> Rule:
    condition = tree.And((rule.condition, *(node for _, node in added)))
    columns = frozenset(column for field in tree.fields(condition) for column in field.sources)
    return replace(rule, condition=condition, fields=columns, filters=tuple(added))


def notes(
    filters: Sequence[Filter],
    rules: Sequence[Rule],
    correlations: Sequence[Correlation],
    anomalies: Anomalies,
    day: date,
) -> list[RuleError]:
    """What a person should look at again, none of it an error: filters that expired, or no longer fit.

    Args:
        filters: as `placed` left them.
        rules: as they were numbered then.
        correlations: what a filter cannot be about.
        anomalies: likewise.
        day: today, in UTC.
    """
    known = {key: rule for rule in rules for key in keys(rule)}
    counting = dict.fromkeys((key for one in correlations for key in keys(one)), "correlation")
    for document, _ in anomalies:
        counting |= dict.fromkeys((str(document.get(key)) for key in ("id", "name")), "anomaly rule")
    found: list[RuleError] = []
    for one in filters:
        if not one.applies(day):
            until = f"expired on {one.expires}"
            owner = f"; ask {one.owner}" if one.owner else ""
            found.append(one.note(f"{one.title}: {until} and no longer applies{owner}; renew or delete it"))
            continue
        found += _misses(one, known, counting)
        found += [one.note(message) for message in _changed(one, rules)]
    return found


def _misses(one: Filter, known: Mapping[str, Rule], counting: Mapping[str, str]) -> Iterable[RuleError]:
    if one.rules is None and not one.on:
        yield one.note(f"{one.title}: no rule that is loaded looks at {one.logsource}; correct `logsource:`")
    for named in one.rules or ():
        if named.name in known:
            source = known[named.name].logsource
            if not covers(one.logsource, source):
                message = (
                    f"rule {named.name!r} looks at {source}, not at {one.logsource}; correct `logsource:`"
                )
                yield one.note(f"{one.title}: {message}", named.line)
        elif named.name in counting:
            message = (
                f"{named.name!r} is a {counting[named.name]}, which has no events of its own; "
                "name the rules that it counts"
            )
            yield one.note(f"{one.title}: {message}", named.line)
        else:
            advice = "; to filter every rule, write `rules: any`" if named.name.lower() == "any" else ""
            message = f"no rule that is loaded has the id or name {named.name!r}{advice}"
            yield one.note(f"{one.title}: {message}", named.line)


def _changed(one: Filter, rules: Sequence[Rule]) -> Iterable[str]:
    """The rules that are not those any more that the filter was written for."""
    for number, _ in one.on:
        rule = rules[number]
        named = keys(rule) & one.hashes.keys()
        then = one.hashes[named.pop()] if named else one.hashes.get("")
        now = rule_hash(rule.document)
        if then is not None and then != now:
            yield (
                f"{one.title}: rule {rule.title!r} has changed since this was written for it ({then}); "
                f"it applies all the same: look at both again, then write `{HASH_KEY}: {now}`"
            )


def unowned(filters: Iterable[Filter]) -> list[RuleError]:
    """For `molehunt rules check`: filters that do not say who suppresses what, why and until when."""
    advice = {
        "owner": "say who answers for it",
        "reason": "say why these events are harmless",
        "expires": "write the last day on which it applies, e.g. 2026-12-31",
    }
    return [
        one.note(f"`{key}:` is missing; {advice[key]}")
        for one in filters
        for key in OWN_KEYS
        if key not in one.said
    ]
