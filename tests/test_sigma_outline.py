"""What can be true of a batch: the outline over arrays says what one would say condition by condition."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from analysis.sigma import tree
from analysis.sigma.matching.match import Batch, Plan
from analysis.sigma.matching.outline import Outline

if TYPE_CHECKING:
    import pytest

ITEMS = tuple(
    tree.Item("s", tree.Field(name, (name,)), (tree.Text((name,)),), negated=name in "xyz")
    for name in "abcdefxyz"
)
NODES: st.SearchStrategy[tree.Node] = st.recursive(
    st.sampled_from(ITEMS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple).map(tree.And),
        st.lists(inner, max_size=4).map(tuple).map(tree.Or),
        inner.map(tree.Not),
    ),
    max_leaves=12,
)


def can_be(node: tree.Node, possible: dict[int, bool]) -> bool:
    match node:
        case tree.Item():
            return node.negated or possible[id(node)]
        case tree.And(children):
            return all(can_be(child, possible) for child in children)
        case tree.Or(children):
            return any(can_be(child, possible) for child in children)
    return True


@given(st.lists(NODES, max_size=6), st.lists(st.booleans(), min_size=len(ITEMS), max_size=len(ITEMS)))
def test_conditions_all_at_once_and_one_by_one(conditions: list[tree.Node], truths: list[bool]) -> None:
    numbers = {id(item): number for number, item in enumerate(ITEMS)}
    told = Outline(conditions, numbers).possible(np.array(truths, bool)).tolist()
    assert told == [can_be(node, dict(zip(numbers, truths, strict=True))) for node in conditions]


def test_a_batch_is_let_go_when_it_was_matched(monkeypatch: pytest.MonkeyPatch) -> None:

    alive: list[weakref.ref[Batch]] = []
    begun = Batch.__init__

    def noted(batch: Batch, plan: Plan, frame: pl.DataFrame) -> None:
        begun(batch, plan, frame)
        alive.append(weakref.ref(batch))

    monkeypatch.setattr(Batch, "__init__", noted)
    item = tree.Item("s", tree.Field("a", ("a",)), (tree.Null(), tree.Text(("x",))))
    plan = Plan([(tree.ALWAYS, tree.Not(item)), (tree.ALWAYS, item)])
    gc.disable()
    try:
        assert plan.match(pl.DataFrame({"a": ["x", None, "y"]}), "some.log").rows() == [
            (0, 2),
            (1, 0),
            (1, 1),
        ]
        assert [batch() for batch in alive] == [None]
    finally:
        gc.enable()
