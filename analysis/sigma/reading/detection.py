"""A rule's `detection:` as a tree of conditions over items.

Where the specification is silent, see rules/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from analysis.sigma import tree
from analysis.sigma.reading.condition import read_condition
from analysis.sigma.reading.documents import RuleProblem
from analysis.sigma.reading.draft import Context, ModifierError, drafted
from analysis.sigma.reading.modifiers import MODIFIERS, finished, modified
from analysis.sigma.reading.placeholders import UnresolvedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Key: TypeAlias = str | int
Keys: TypeAlias = tuple[Key, ...]
MAX_VALUES: Final = 100_000  # of one detection, with all forms that modifiers make of them
__all__ = ["Key", "Keys", "Reading", "read_detection", "read_keyword", "read_selection"]


@dataclass(frozen=True)
class Reading:
    """What reading a detection needs to know.

    Attributes:
        field_of: the columns of a field name.
        placeholders: values for `%name%` under the modifier `expand`.
        empties: whether events can have text of no length. Where they cannot, it is asked for as no value.
    """

    field_of: Callable[[str], tree.Field]
    placeholders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    empties: bool = True


def read_detection(detection: object, reading: Reading, at: Keys = ("detection",)) -> tree.Node:
    """The condition of a `detection:` mapping, or of a filter's.

    Raises:
        RuleProblem: with the key path of the mistake, and what to do.
    """
    if not isinstance(detection, dict):
        raise RuleProblem("`detection:` must be there, a mapping of selections and a condition", at)
    others: tuple[str, ...] = ("condition", "rules") if at[:1] == ("filter",) else ("condition",)
    if isinstance(detection.get("timeframe"), str):  # of Sigma 1, where conditions could count
        others = (*others, "timeframe")
    bodies = {str(name): body for name, body in detection.items() if name not in others}
    if not bodies:
        raise RuleProblem("there is no selection; write one, e.g. `selection:` with a field and a value", at)
    conditions = _conditions(detection, at)
    reader = _Reader(reading)
    selections = {name: reader.selection(name, body, (*at, name)) for name, body in bodies.items()}
    reader.resolved()
    return _joined(conditions, selections, (*at, "condition"))


def _conditions(detection: Mapping[Any, Any], at: Keys) -> list[str]:
    condition = detection.get("condition")
    written = condition if isinstance(condition, list) else [condition]
    texts = [text for text in written if isinstance(text, str) and text.strip()]
    if not texts or len(texts) < len(written):
        raise RuleProblem("`condition:` is missing; write e.g. `condition: selection`", (*at, "condition"))
    return texts


def _joined(conditions: Sequence[str], selections: Mapping[str, tree.Node], at: Keys) -> tree.Node:
    """Any of the conditions, as the specification has it."""
    nodes: list[tree.Node] = []
    for place, text in enumerate(conditions):
        try:
            nodes.append(read_condition(text, selections))
        except RuleProblem as problem:
            raise RuleProblem(str(problem), at if len(conditions) == 1 else (*at, place)) from problem
    return nodes[0] if len(nodes) == 1 else tree.Or(tuple(nodes))


def read_selection(name: str, body: object, reading: Reading, at: Keys) -> tree.Node:
    """One selection: a mapping (all of its lines), or a list of mappings or values (any of them).

    Raises:
        RuleProblem: with the key path of the mistake, and what to do.
    """
    reader = _Reader(reading)
    node = reader.selection(name, body, at)
    reader.resolved()
    return node


class _Reader:
    """Reads the selections of one detection, and counts what they ask for: one value may stand for many."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.values = 0
        self.unresolved: dict[str, Keys] = {}  # placeholder → where it first stands

    def resolved(self) -> None:
        """Name all placeholders without a value at once, so that the site file is written once.

        Raises:
            RuleProblem: there are some.
        """
        if self.unresolved:
            raise RuleProblem(str(UnresolvedError(self.unresolved)), next(iter(self.unresolved.values())))

    def selection(self, name: str, body: object, at: Keys) -> tree.Node:
        if not isinstance(body, dict | list):
            return self.item(name, None, body, at)
        if not body:
            raise RuleProblem(f"selection {name!r} is empty; give it a field and a value", at)
        nodes: tuple[tree.Node, ...]
        if isinstance(body, dict):
            nodes = tuple(self.line(name, key, value, at) for key, value in body.items())
            return nodes[0] if len(nodes) == 1 else tree.And(nodes)
        if not any(isinstance(part, dict | list) for part in body):
            return self.item(name, None, body, at)
        nodes = tuple(self.selection(name, part, (*at, place)) for place, part in enumerate(body))
        return nodes[0] if len(nodes) == 1 else tree.Or(nodes)

    def line(self, name: str, key: object, value: object, at: Keys) -> tree.Item:
        """A line of a mapping; without a key (`null`, as pySigma has it) its values are keywords."""
        written = "" if key is None else str(key)
        return self.item(name, None if key is None else written, value, (*at, written))

    def item(self, name: str, key: str | None, body: object, at: Keys) -> tree.Item:
        """A field with its modifiers (`key`, or None for keywords), and its values."""
        field_name, *modifiers = (key or "").split("|")
        unknown = [modifier for modifier in modifiers if modifier not in MODIFIERS]
        if unknown:
            known = ", ".join(sorted(MODIFIERS))
            raise RuleProblem(f"unknown modifier {unknown[0]!r}; Sigma has {known}", at)
        written = body if isinstance(body, list) else [body]
        if not written and (modifiers or not field_name):
            raise RuleProblem("the list is empty; give it a value", at)
        context = Context(self.reading.field_of, self.reading.placeholders, keyword=not field_name)
        values = []
        for place, value in enumerate(written or [None]):
            here = (*at, place) if body is written else at
            try:
                values.append(_value(value, modifiers, context, here))
            except UnresolvedError as error:
                for missing in error.names:
                    self.unresolved.setdefault(missing, here)
                continue
            self.values += tree.forms(values[-1])
            if self.values > MAX_VALUES:
                message = f"the selections ask for more than {MAX_VALUES} values; split the rule"
                raise RuleProblem(message, here)
        every = "all" in modifiers
        if tree.Text(()) in values and field_name and not self.reading.empties and not every:
            values.append(tree.Null())
        return tree.Item(
            selection=name,
            field=self.reading.field_of(field_name) if field_name else None,
            values=tuple(values),
            every=every,
            negated="neq" in modifiers,
        )


def _value(written: object, modifiers: Sequence[str], context: Context, at: Keys) -> tree.Value:
    """One written value after its modifiers."""
    try:
        drafts = modified(drafted(written, modifiers), modifiers, context)
        forms = tuple(dict.fromkeys(finished(draft) for draft in drafts))
    except UnresolvedError:
        raise
    except ModifierError as error:
        raise RuleProblem(str(error), at) from error
    value = forms[0] if len(forms) == 1 else tree.AnyOf(forms)
    if not context.keyword:
        return value
    return read_keyword(value, at, anywhere=not {"startswith", "endswith"} & set(modifiers))


def read_keyword(value: tree.Value, at: Keys = (), *, anywhere: bool = True) -> tree.Value:
    """The value as a keyword, which is looked for anywhere in a field.

    Args:
        value: with its modifiers applied.
        at: its key path.
        anywhere: unless `startswith` or `endswith` say where.

    Raises:
        RuleProblem: it is no text, number or regular expression.
    """
    match value:
        case tree.AnyOf(values):
            return tree.AnyOf(tuple(read_keyword(inner, at, anywhere=anywhere) for inner in values))
        case tree.Text(()):
            raise RuleProblem("an empty keyword is in every event; write a text", at)
        case tree.Text(parts, cased) if anywhere:
            inner = parts[parts[:1] == (tree.Wild.ANY,) :]
            inner = inner[: len(inner) - (inner[-1:] == (tree.Wild.ANY,))]
            return tree.Text((tree.Wild.ANY, *inner, tree.Wild.ANY) if inner else (tree.Wild.ANY,), cased)
        case tree.Number(number):
            return tree.Text((tree.Wild.ANY, str(number), tree.Wild.ANY))
        case tree.Truth(truth):
            return tree.Text((tree.Wild.ANY, str(truth).lower(), tree.Wild.ANY))
        case tree.Text() | tree.Regex():
            return value
    raise RuleProblem("a keyword must be a text, a number or a regular expression; or name a field", at)
