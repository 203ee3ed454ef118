"""What `molehunt rules tune` says: the proof as a table, or everything as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from analysis.report.text import plain
from analysis.workbench.tune.parted import EXAMPLE, FALSE, KINDS, OPEN, TRUE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import polars as pl

    from analysis.workbench.tune.likeness import Likeness
    from analysis.workbench.tune.proof import Owned
    from analysis.workbench.tune.smallest import Choice
    from analysis.workbench.tune.tuned import Tuned

_SHOWN: Final = 20
_FEW: Final = 5


def told(tuned: Tuned, owned: Owned) -> str:
    """The whole answer in words."""
    return "\n".join(plain(line) for line in _lines(tuned, owned))


def _lines(tuned: Tuned, owned: Owned) -> Iterator[str]:
    found = tuned.found
    counts = ", ".join(f"{found.counts[kind]:,} {kind}" for kind in KINDS if kind in found.counts)
    yield f"{tuned.rule.title} ({tuned.rule.id}): {counts}"
    yield ""
    if not found.choices:
        yield from _none(tuned)
    else:
        begins = "Hold back what has" if tuned.text else "Too broad to propose: what has"
        yield begins + (" all of" if len(found.lines) > 1 else "") + ":"
        yield from (f"  {one}" for one in found.lines)
        yield ""
        yield from _proof(tuned)
        yield from _alternatives(tuned)
        yield from _departments(tuned)
    yield ""
    yield from _considered(tuned)
    if found.choices and not tuned.text:
        yield "Judge some of what it would hold back, or take it all the same with --broad."
    missing = [name for name in ("owner", "reason", "expires") if getattr(owned, name) is None]
    if tuned.text and missing:
        named = ", ".join(f"`{name}:`" for name in missing)
        yield f"Before it is shipped, add {named}; `molehunt rules check` asks for it."


def _none(tuned: Tuned) -> Iterator[str]:
    found = tuned.found
    if not found.likenesses:
        yield "No filter: the false hits share nothing that a filter may ask for; name fewer at a time."
        return
    if found.refused is not None:
        yield f"No filter: what sets the false hits apart is who it was alone ({found.refused})."
        yield (
            "That would hold back whatever these people do with the rule, and is not proposed; name fewer "
            "false hits at a time, such as those of one program."
        )
        return
    yield "No filter: what all false hits share, up to three lines of it, fits a true one too. In the way:"
    yield from _first([f"  {place}" for place in found.in_the_way], _FEW)
    yield "If that is not true, correct the verdict or example; if it is, name fewer false hits at a time."


def _reach(tuned: Tuned) -> Iterator[str]:
    """How much it holds back, of how many: an insider may be among them."""
    hits = sum(one.removed for one in tuned.counts if one.kind in (FALSE, OPEN))
    whose = f" of {_some(len(tuned.accounts), 'account')}" if tuned.accounts else ""
    open_hits = sum(one.removed for one in tuned.counts if one.kind == OPEN)
    said = f"It holds back {_some(hits, 'hit')}{whose}"
    if not open_hits:
        yield f"{said}, {'all of them ' if hits > 1 else ''}called false."
        return
    others = tuned.unjudged
    yield f"{said}; {open_hits:,} of them nobody judged."
    if others:
        named = ", ".join(others[:_FEW]) + (f" and {len(others) - _FEW:,} more" if len(others) > _FEW else "")
        yield f"Of {_some(len(others), 'account')} no hit was called false: {named}."


def _some(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _proof(tuned: Tuned) -> Iterator[str]:
    yield from _reach(tuned)
    yield ""
    width = max(len(one.kind) for one in tuned.counts)
    yield f"{'':{width}}  without     with  removed"
    for one in tuned.counts:
        yield f"{one.kind:{width}}  {one.before:>7,}  {one.after:>7,}  {one.removed:>7,}"
    if not any(one.kind in (TRUE, EXAMPLE) for one in tuned.counts):
        yield "No true hit is known, by verdict or example: nothing vouches that none is lost."
    for name, count in tuned.found.unsaid.items():
        yield f"{count:,} of the true ones say nothing of {name}: they cannot vouch for it."
    for one in tuned.counts:
        if one.kind == OPEN and one.removed * 2 > one.before:
            yield (
                f"It takes away {one.removed:,} of {one.before:,} hits that nobody judged, and so all but "
                "switches the rule off: judge some of them first."
            )
    if tuned.removed.height:
        yield ""
        yield "Not judged and removed, by account and day:"
        yield from _first(list(_by_day(tuned.removed)), _SHOWN)


def _by_day(removed: pl.DataFrame) -> Iterator[str]:
    width = max(len(account or "unknown") for account in removed["account"])
    for account, day, hits in removed.iter_rows():
        yield f"  {account or 'unknown':{width}}  {day or 'undated'}  {hits:>7,}"


def _alternatives(tuned: Tuned) -> Iterator[str]:
    others = tuned.found.choices[1:]
    if others:
        yield ""
        yield "Others that would do:"
    for one in others[:_FEW]:
        whose = f", of {_some(one.accounts, 'account')}" if one.accounts else ""
        lines = "; ".join(str(line) for line in _of(tuned, one))
        yield f"  removes {one.others:,} not judged{whose}: {lines}"


def _departments(tuned: Tuned) -> Iterator[str]:
    """Whom lines about departments are about, from now on."""
    for line, count in tuned.people.items():
        people = f"{count:,} {'person' if count == 1 else 'people'}"
        yield f"{line} is {people} on the roster; it would hold back what any of them does so."


def _of(tuned: Tuned, choice: Choice) -> list[Likeness]:
    return [tuned.found.likenesses[line] for line in choice.lines]


def _considered(tuned: Tuned) -> Iterator[str]:
    shared = tuned.found.shared
    yield f"Fields considered: {', '.join(shared.considered) or 'none'}"
    for why, names in shared.left_out.items():
        yield f"Left out, {why}: {', '.join(names)}"


def _first(lines: Sequence[str], most: int) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield f"  and {len(lines) - most:,} more"


def as_json(tuned: Tuned) -> dict[str, Any]:
    """The same for a program."""
    found = tuned.found
    return {
        "rule.id": tuned.rule.id,
        "found": bool(tuned.text),
        "hits": found.counts,
        "filter": tuned.text or None,
        "lines": [_line(one) for one in (found.lines if found.choices else ())],
        "proof": [
            {"kind": one.kind, "without": one.before, "with": one.after, "removed": one.removed}
            for one in tuned.counts
        ],
        "removed": [
            {"account": account, "day": str(day) if day else None, "hits": hits}
            for account, day, hits in tuned.removed.iter_rows()
        ],
        "vouched": any(one.kind in (TRUE, EXAMPLE) for one in tuned.counts),
        "unsaid": found.unsaid,
        "broad": tuned.broad,
        "accounts": {"held_back": len(tuned.accounts), "not_judged": list(tuned.unjudged)},
        "others": [
            {
                "lines": [_line(line) for line in _of(tuned, one)],
                "removed": one.others,
                "accounts": one.accounts,
            }
            for one in found.choices[1:]
        ],
        "people": dict(tuned.people),
        "refused": found.refused and _line(found.refused),
        "in_the_way": list(found.in_the_way),
        "considered": list(found.shared.considered),
        "left_out": {why: list(names) for why, names in found.shared.left_out.items()},
    }


def _line(one: Likeness) -> dict[str, Any]:
    return {"key": one.key, "values": list(one.values)}
