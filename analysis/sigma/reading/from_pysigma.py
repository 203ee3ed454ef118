"""pySigma's values as ours, for who has a rule from its parser: `sigma convert -t molehunt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sigma.types as st

from analysis.sigma import tree
from analysis.sigma.reading.documents import RuleProblem
from analysis.sigma.reading.draft import Context, Expression, ModifierError, Placeholder, Words, Written
from analysis.sigma.reading.modifiers import finished
from analysis.sigma.reading.placeholders import expanded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analysis.sigma.reading.detection import Keys, Reading
    from analysis.sigma.reading.draft import Draft

_FLAGS: Final = {
    st.SigmaRegularExpressionFlag.IGNORECASE: "i",
    st.SigmaRegularExpressionFlag.MULTILINE: "m",
    st.SigmaRegularExpressionFlag.DOTALL: "s",
}


def read_value(value: st.SigmaType, reading: Reading, at: Keys = ()) -> tree.Value:  # noqa: C901, PLR0911 - one case a type
    """One of pySigma's values, all modifiers applied, as one of ours.

    Raises:
        RuleProblem: a placeholder without a value, a regular expression that cannot run.
    """
    match value:
        case st.SigmaExpansion():
            return tree.AnyOf(tuple(read_value(inner, reading, at) for inner in value.values))
        case st.SigmaRegularExpression() | st.SigmaString():
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
            how, number = value.op.name.lower(), value.number
            if isinstance(number, st.SigmaTimestampPart):
                return tree.TimePart(number.timestamp_part.name.lower(), int(number.number), how)
            return tree.Compare(how, number.number)
        case st.SigmaFieldReference():
            return tree.Reference(reading.field_of(value.field), value.starts_with, value.ends_with)
    raise RuleProblem(f"values of type {type(value).__name__} are not supported", at)


def _text(value: st.SigmaRegularExpression | st.SigmaString, reading: Reading, at: Keys) -> tree.Value:
    """A text or a regular expression, with the values of its placeholders."""
    context = Context(reading.field_of, reading.placeholders)
    try:
        if isinstance(value, st.SigmaString):
            parts = tuple(_part(part) for part in value.s if part != "")
            drafts: Sequence[Draft] = expanded(Words(parts, isinstance(value, st.SigmaCasedString)), context)
        else:  # pySigma takes its `*` and `?` for wildcards, and leaves a number a number
            found = value.regexp.s if isinstance(value.regexp, st.SigmaString) else [str(value.regexp)]
            written = tuple(p.value if isinstance(p, tree.Wild) else p for p in map(_part, found))
            flags = frozenset(_FLAGS[flag] for flag in value.flags)
            forms = expanded(Written(written), context)
            drafts = [Expression(form.parts, flags) for form in forms if isinstance(form, Written)]
        values = tuple(finished(draft) for draft in drafts)
    except ModifierError as error:
        raise RuleProblem(str(error), at) from error
    return values[0] if len(values) == 1 else tree.AnyOf(values)


def _part(part: object) -> str | tree.Wild | Placeholder:
    if isinstance(part, st.SpecialChars):
        return tree.Wild(st.special_char_mapping[part])
    return Placeholder(part.name) if isinstance(part, st.Placeholder) else str(part)
