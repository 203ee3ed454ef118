"""Whether events with certain columns can match a rule at all, and which missing fields decide it.

What cannot match is told by the columns alone: as "not run" if it is the whole rule, as a note if it is one
of its selections.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from analysis.sigma import tree
from analysis.sigma.explain import matches
from analysis.sigma.matching.column import present_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from analysis.sigma.reading.rule import Rule


class Input:
    """What an input has; what it decides is worked out once for all rules that ask the same.

    Args:
        columns: dataset → the columns that any of its events has.
    """

    def __init__(self, columns: Mapping[str, Collection[str]]) -> None:
        self._columns = {dataset: frozenset(have) for dataset, have in columns.items()}
        self._feeding: dict[int, tuple[tree.Node, list[str]]] = {}  # by identity: to hash a tree takes long

    def __getitem__(self, dataset: str) -> frozenset[str]:
        """The columns of a dataset."""
        return self._columns[dataset]

    def feeding(self, rule: Rule) -> list[str]:
        """The datasets whose events the rule looks at; rules of one logsource share the answer."""
        source = rule.source
        if source is None:
            return []
        if id(source) not in self._feeding:
            feeding = [
                name for name, have in self._columns.items() if possible(source, have, name) is not False
            ]
            self._feeding[id(source)] = source, feeding  # kept: ids of objects that are gone come again
        return self._feeding[id(source)][1]


def blocked(rule: Rule, input_: Input) -> str | None:
    """Why no event of the input can match `rule`, which has its filters; None if one can."""
    if rule.source is None:
        return f"molehunt reads no logs of {rule.logsource}"
    feeding = input_.feeding(rule)
    if not feeding:
        return f"the input has no events of {rule.logsource}"
    if any(possible(rule.condition, input_[name], name) is not False for name in feeding):
        return None
    missing = _missing(rule.condition, feeding, input_)
    if not missing:
        return f"its condition asks for what no event of {rule.logsource} in the input can be"
    return f"no event of {rule.logsource} carries {', '.join(missing)}"


def partly(rule: Rule, input_: Input) -> Iterator[str]:
    """Of a rule that can match, and has its filters: the selections that never will, and why.

    Those that the condition denies are left out: an optional filter without its field has nothing to filter.
    """
    feeding = input_.feeding(rule)
    told: set[str] = set()
    for name, node in _asked(rule.unfiltered):
        if name in told or any(possible(node, input_[dataset], dataset) is not False for dataset in feeding):
            continue
        missing = _missing(node, feeding, input_)
        if missing:
            told.add(name)
            lacking = f"no event of {rule.logsource} carries {', '.join(missing)}"
            yield f"selection {name!r} can never match: {lacking}"


def _missing(node: tree.Node, feeding: list[str], input_: Input) -> list[str]:
    """The fields without which `node` cannot be true, in the dataset that lacks the fewest."""
    lacks = [sorted(decisive(node, input_[name], name)) for name in feeding]
    return min((names for names in lacks if names), key=len, default=[])


def _asked(node: tree.Node) -> Iterator[tuple[str, tree.Node]]:
    """The selections that the condition asks for, by name; not those that it denies."""
    names = {item.selection for item in tree.items(node)}
    if len(names) == 1:
        yield names.pop(), node
    elif isinstance(node, tree.And | tree.Or):
        for child in node.children:
            yield from _asked(child)


def possible(node: tree.Node, columns: Collection[str], dataset: str) -> bool | None:
    """Whether events of a dataset with these columns can match: no, always, or perhaps (None)."""
    match node:
        case tree.Item():
            return _possible_item(node, columns, dataset)
        case tree.Not(child):
            answer = possible(child, columns, dataset)
            return None if answer is None else not answer
        case tree.And(children):
            answers = [possible(child, columns, dataset) for child in children]
            return False if False in answers else None if None in answers else True
        case tree.Or(children):
            answers = [possible(child, columns, dataset) for child in children]
            return True if True in answers else None if None in answers else False


def decisive(node: tree.Node, columns: Collection[str], dataset: str) -> frozenset[str]:
    """The missing fields that decide the answer of `possible`, all of them."""
    answer = possible(node, columns, dataset)
    match node:
        case tree.Item():
            return frozenset(_absent(node, columns)) if answer is not None else frozenset()
        case tree.Not(child):
            return decisive(child, columns, dataset)
        case tree.And(children) | tree.Or(children):
            deciding = [child for child in children if possible(child, columns, dataset) is answer]
            return frozenset().union(*(decisive(child, columns, dataset) for child in deciding))


def _absent(item: tree.Item, columns: Collection[str]) -> Iterator[str]:
    referred = (value.field for value in item.values if isinstance(value, tree.Reference))
    for field in (item.field, *referred):
        if field is not None and not present_columns(field, columns):
            yield field.name


def _possible_item(item: tree.Item, columns: Collection[str], dataset: str) -> bool | None:
    if item.field is None:
        return None
    if item.field.columns == ("event.dataset",):
        if any(isinstance(value, tree.Null | tree.Exists | tree.Reference) for value in item.values):
            return None
        link = all if item.every else any
        return link(matches(value, dataset) for value in item.values) != item.negated
    there = bool(present_columns(item.field, columns))
    answers = [_possible_value(value, columns, there=there) for value in item.values]
    decided = not item.every  # a value that is true decides for any, one that is false for all
    answer = decided if decided in answers else None if None in answers else not decided
    return answer if answer is None else answer != item.negated


def _possible_value(value: tree.Value, columns: Collection[str], *, there: bool) -> bool | None:
    """Whether a field can have the value, by whether its column and those that it refers to are there."""
    if isinstance(value, tree.Reference) and not present_columns(value.field, columns):
        return False
    if there:
        return None
    return isinstance(value, tree.Null) or (isinstance(value, tree.Exists) and not value.exists)
