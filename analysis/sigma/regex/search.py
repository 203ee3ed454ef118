"""What only a search can leave out: it asks whether an expression is found, not where its match ends."""

from __future__ import annotations

from dataclasses import replace

from analysis.sigma.regex import tree as syntax


def shortest(node: syntax.Node) -> int:
    """The fewest characters of a match; each is a byte or more."""
    match node:
        case syntax.Char() | syntax.Class():
            return 1
        case syntax.Group(_, child):
            return shortest(child)
        case syntax.Repeat(child, least, _, _):
            return least * shortest(child)
        case syntax.Sequence(children):
            return sum(map(shortest, children))
        case syntax.Choice(children):
            return min(map(shortest, children), default=0)
    return 0


def trimmed(node: syntax.Node) -> syntax.Node:
    r"""An expression that is found in the same texts, without what its end may be or not.

    `-k\s\w{1,64}(?:-p)?` is found wherever `-k\s\w` is. Not for expressions with look-around,
    back-references or atomic groups.
    """
    match node:
        case syntax.Group(_, child):
            return replace(node, child=trimmed(child))
        case syntax.Choice(children):
            return syntax.Choice(tuple(map(trimmed, children)))
        case syntax.Repeat(child, least, _, _):
            if least == 0:
                return syntax.Sequence(())
            return trimmed(child) if least == 1 else replace(node, most=least)
        case syntax.Sequence(children):
            kept = list(children)
            while kept:
                kept[-1] = trimmed(kept[-1])
                if kept[-1] != syntax.Sequence(()):
                    break
                kept.pop()
            return syntax.Sequence(tuple(kept))
    return node
