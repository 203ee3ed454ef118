"""A rule's `detection:` as a tree: pySigma's values and condition grammar, our nodes.

Where the specification is silent, see rules/README.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import polars as pl
import sigma.types as st
from sigma import conditions as sc
from sigma.exceptions import SigmaError
from sigma.rule import SigmaDetectionItem
from sigma.types import sigma_type

from analysis.sigma import tree
from analysis.sigma.documents import RuleProblem
from analysis.sigma.modifiers import MODIFIERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Key: TypeAlias = str | int
Keys: TypeAlias = tuple[Key, ...]
MAX_EXPANSION: Final = 10_000
_FLAGS: Final = {
    st.SigmaRegularExpressionFlag.IGNORECASE: "i",
    st.SigmaRegularExpressionFlag.MULTILINE: "m",
    st.SigmaRegularExpressionFlag.DOTALL: "s",
}
_NUMBERS_ONLY: Final = frozenset({"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"})


@dataclass(frozen=True)
class Reading:
    """What reading a detection needs to know.

    Attributes:
        field_of: the columns of a field name.
        placeholders: values for `%name%` under the modifier `expand`.
    """

    field_of: Callable[[str], tree.Field]
    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)


def read_detection(detection: object, reading: Reading, at: Keys = ("detection",)) -> tree.Node:
    """The condition of a `detection:` mapping, or of a filter's.

    Raises:
        RuleProblem: with the key path of the mistake, and what to do.
    """
    if not isinstance(detection, dict):
        raise RuleProblem("`detection:` must be there, a mapping of selections and a condition", at)
    selections = {
        str(name): read_selection(str(name), body, reading, (*at, str(name)))
        for name, body in detection.items()
        if name not in ("condition", "rules")
    }
    if not selections:
        raise RuleProblem("there is no selection; write one, e.g. `selection:` with a field and a value", at)
    condition = detection.get("condition")
    conditions = condition if isinstance(condition, list) else [condition]
    texts = [text for text in conditions if isinstance(text, str) and text.strip()]
    if not texts or len(texts) < len(conditions):
        raise RuleProblem("`condition:` is missing; write e.g. `condition: selection`", (*at, "condition"))
    nodes = tuple(_condition(text, selections, (*at, "condition")) for text in texts)
    return nodes[0] if len(nodes) == 1 else tree.Or(nodes)


def read_selection(name: str, body: object, reading: Reading, at: Keys) -> tree.Node:
    """One selection: a mapping (all of its lines), or a list of mappings or values (any of them)."""
    if isinstance(body, dict):
        if not body:
            raise RuleProblem(f"selection {name!r} is empty; give it a field and a value", at)
        nodes = tuple(_item(name, str(key), value, reading, (*at, str(key))) for key, value in body.items())
        return nodes[0] if len(nodes) == 1 else tree.And(nodes)
    if isinstance(body, list):
        if not body:
            raise RuleProblem(f"selection {name!r} is empty; give it a field and a value", at)
        if not any(isinstance(part, dict | list) for part in body):
            return _item(name, None, body, reading, at)
        return tree.Or(tuple(read_selection(name, part, reading, (*at, i)) for i, part in enumerate(body)))
    return _item(name, None, body, reading, at)


def _item(name: str, key: str | None, body: object, reading: Reading, at: Keys) -> tree.Item:
    field_name, *modifiers = (key or "").split("|")
    unknown = [modifier for modifier in modifiers if modifier not in MODIFIERS]
    if unknown:
        known = ", ".join(sorted(MODIFIERS))
        raise RuleProblem(f"unknown modifier {unknown[0]!r}; Sigma has {known}", at)
    written = body if isinstance(body, list) else [body]
    bad = [value for value in written if not isinstance(value, str | int | float | None)]
    if bad:
        raise RuleProblem(f"a value must be a text, a number, true, false or null, not {bad[0]!r}", at)
    try:
        item = SigmaDetectionItem(
            field_name or None,
            [MODIFIERS[modifier] for modifier in modifiers],
            [_sigma_value(value, modifiers) for value in written],
        )
    except (SigmaError, ValueError, TypeError, IndexError) as error:
        raise RuleProblem(_explained(error, modifiers), at) from error
    values = tuple(read_value(value, reading, at) for value in item.value) or (tree.Null(),)
    if not field_name:
        values = tuple(read_keyword(value, at) for value in values)
    return tree.Item(
        selection=name,
        field=reading.field_of(field_name) if field_name else None,
        values=values,
        every=item.value_linking is sc.ConditionAND,
        negated=item.negated,
    )


def _sigma_value(value: Any, modifiers: Sequence[str]) -> st.SigmaType:  # noqa: ANN401 - a YAML scalar
    if "re" in modifiers:
        return st.SigmaString.from_str(str(value))
    number = sigma_type(value)
    if isinstance(number, st.SigmaNumber):
        number.number = value  # pySigma rounds integers that floating point cannot hold
    return number


def _explained(error: Exception, modifiers: Sequence[str]) -> str:
    message = str(error)
    if "incompatible to value type" in message:
        if _NUMBERS_ONLY & set(modifiers):
            return f"{message}; write the value as a number, without quotes"
        return f"{message}; put the value in quotes if it is a text"
    if "CIDR" in message:
        return f"{message}; write a network such as 10.0.0.0/8"
    return f"{message}; correct the value or the modifier"


def read_value(value: st.SigmaType, reading: Reading, at: Keys = ()) -> tree.Value:  # noqa: C901, PLR0911 - one case a type
    """One of pySigma's values, all modifiers applied, as one of ours.

    Raises:
        RuleProblem: a placeholder without a value, a regular expression that cannot run.
    """
    match value:
        case st.SigmaExpansion():
            return tree.AnyOf(tuple(read_value(inner, reading, at) for inner in value.values))
        case st.SigmaRegularExpression():
            return _regex(value, reading, at)
        case st.SigmaString():
            return _text(value, reading, at)
        case st.SigmaTimestampPart():
            return tree.TimePart(value.timestamp_part.name.lower(), int(value.number))
        case st.SigmaNumber():
            return tree.Number(value.number)
        case st.SigmaBool():
            return tree.Truth(value.boolean)
        case st.SigmaExists():
            return tree.Exists(value.exists)
        case st.SigmaNull():
            return tree.Null()
        case st.SigmaCIDRExpression():
            return tree.Network(value.network)
        case st.SigmaCompareExpression():
            return tree.Compare(value.op.name.lower(), value.number.number)
        case st.SigmaFieldReference():
            return tree.Reference(reading.field_of(value.field), value.starts_with, value.ends_with)
    raise RuleProblem(f"values of type {type(value).__name__} are not supported", at)


def _text(value: st.SigmaString, reading: Reading, at: Keys) -> tree.Value:
    cased = isinstance(value, st.SigmaCasedString)
    if not value.contains_placeholder():
        return tree.Text(_parts(value), cased)
    texts = _resolved(value, reading, at)
    return tree.AnyOf(tuple(tree.Text(_parts(text), cased) for text in texts))


def _parts(value: st.SigmaString) -> tuple[str | tree.Wild, ...]:
    parts: list[str | tree.Wild] = []
    for part in value.s:
        if part is st.SpecialChars.WILDCARD_MULTI:
            if not parts or parts[-1] is not tree.Wild.ANY:  # two in a row ask the same as one
                parts.append(tree.Wild.ANY)
        elif part is st.SpecialChars.WILDCARD_SINGLE:
            parts.append(tree.Wild.ONE)
        elif isinstance(part, str) and part:
            if parts and isinstance(parts[-1], str):
                parts[-1] += part
            else:
                parts.append(part)
    return tuple(parts)


def _resolved(value: st.SigmaString, reading: Reading, at: Keys) -> list[st.SigmaString]:
    count = 1
    for part in value.s:
        if isinstance(part, st.Placeholder):
            known = reading.placeholders.get(part.name)
            if not known:
                message = (
                    f"placeholder %{part.name}% has no value; "
                    f'give it one in the site file under [placeholders]: {part.name} = ["…"]'
                )
                raise RuleProblem(message, at)
            count *= len(known)
    if count > MAX_EXPANSION:
        message = f"the placeholders make {count} values, more than {MAX_EXPANSION}; use fewer in one text"
        raise RuleProblem(message, at)
    return value.replace_placeholders(lambda part: iter(reading.placeholders[part.name]))


def _regex(value: st.SigmaRegularExpression, reading: Reading, at: Keys) -> tree.Value:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    texts = [value.regexp]
    if value.regexp.contains_placeholder():
        texts = _resolved(value.regexp, reading, at)
    patterns = [_written(text) for text in texts]
    for pattern in patterns:
        try:
            pl.Series([""]).str.contains(_flagged(pattern, flags))
        except pl.exceptions.ComputeError as error:
            what = "look-around and back-references are not supported"
            if not re.search(r"\(\?<?[=!]|\\[1-9]", pattern):
                what = "it is not valid in Rust's regex syntax"
            reason = str(error).splitlines()[-1].removeprefix("error: ")
            message = f"the regular expression /{pattern}/ cannot run: {what} ({reason}); write it without"
            raise RuleProblem(message, at) from error
    found = tuple(tree.Regex(pattern, flags) for pattern in patterns)
    return found[0] if len(found) == 1 else tree.AnyOf(found)


def _written(regexp: st.SigmaString) -> str:
    """The expression as it was written: pySigma takes its `*` and `?` for wildcards."""
    return "".join(
        st.special_char_mapping[part] if isinstance(part, st.SpecialChars) else str(part) for part in regexp.s
    )


def _flagged(pattern: str, flags: str) -> str:
    return f"(?{flags}){pattern}" if flags else pattern


def read_keyword(value: tree.Value, at: Keys = ()) -> tree.Value:
    """The value as a keyword, which is looked for anywhere in a field.

    Raises:
        RuleProblem: it is no text, number or regular expression.
    """
    match value:
        case tree.AnyOf(values):
            return tree.AnyOf(tuple(read_keyword(inner, at) for inner in values))
        case tree.Text(parts, cased):
            inner = parts[parts[:1] == (tree.Wild.ANY,) :]
            inner = inner[: len(inner) - (inner[-1:] == (tree.Wild.ANY,))]
            return tree.Text((tree.Wild.ANY, *inner, tree.Wild.ANY), cased)
        case tree.Number(number):
            return tree.Text((tree.Wild.ANY, str(number), tree.Wild.ANY))
        case tree.Truth(truth):
            return tree.Text((tree.Wild.ANY, str(truth).lower(), tree.Wild.ANY))
        case tree.Regex():
            return value
    raise RuleProblem("a keyword must be a text, a number or a regular expression; or name a field", at)


def _condition(text: str, selections: Mapping[str, tree.Node], at: Keys) -> tree.Node:
    try:
        parsed = sc.SigmaCondition(text, None).parse(postprocess=False)  # type: ignore[arg-type]  # names are resolved here
    except (SigmaError, RecursionError) as error:
        reason = str(error).split(" in /")[0]
        message = f"the condition cannot be parsed ({reason}); join selections by and, or, not, '1 of x_*'"
        raise RuleProblem(message, at) from error
    return _node(parsed, selections, at)


def _node(parsed: object, selections: Mapping[str, tree.Node], at: Keys) -> tree.Node:
    match parsed:
        case sc.ConditionIdentifier():
            if parsed.identifier not in selections:
                known = ", ".join(selections)
                raise RuleProblem(f"the condition names {parsed.identifier!r}; there is only {known}", at)
            return selections[parsed.identifier]
        case sc.ConditionSelector():
            return _selector(parsed, selections, at)
        case sc.ConditionNOT():
            return tree.Not(_node(parsed.args[0], selections, at))
        case sc.ConditionAND() | sc.ConditionOR():
            children = tuple(_node(child, selections, at) for child in parsed.args)
            return tree.And(children) if isinstance(parsed, sc.ConditionAND) else tree.Or(children)
    raise RuleProblem(f"the condition has a part that is not understood: {parsed}", at)


def _selector(parsed: sc.ConditionSelector, selections: Mapping[str, tree.Node], at: Keys) -> tree.Node:
    pattern = ".*" if parsed.pattern == "them" else re.escape(parsed.pattern).replace(r"\*", ".*")
    named = tuple(
        node
        for name, node in selections.items()
        if re.fullmatch(pattern, name) and (parsed.pattern.startswith("_") or not name.startswith("_"))
    )
    if not named:
        message = f"no selection is named like {parsed.pattern!r}; there is {', '.join(selections)}"
        raise RuleProblem(message, at)
    return tree.And(named) if parsed.cond_class is sc.ConditionAND else tree.Or(named)
