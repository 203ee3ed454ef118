"""What changed from one rule pack to another, rule by rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from analysis.sigma import Rule
from analysis.sigma.reading.documents import read
from analysis.workbench.chosen import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from analysis.sigma.correlations.correlation import Correlation
    from analysis.workbench.chosen import Detection
    from analysis.workbench.diff.side import Side

Kind: TypeAlias = Literal["added", "removed", "broken", "changed", "same"]
# What decides which events are hits, or whom they are told of.
MATTERS: Final = (
    "kind",
    "detection",
    "logsource",
    "filters",
    "correlation",
    "anomaly",
    "what it counts",
    "level",
)
_BODIES: Final = ("detection", "logsource", "correlation", "anomaly")


@dataclass(frozen=True, slots=True)
class Change:
    """One rule in both packs, or in one of them.

    Attributes:
        kind: "broken" is one that the new pack still has and that no longer loads.
        what: the keys that differ, those that decide about hits first (`MATTERS`); "filters" and "what it
            counts" where the rule itself is as it was.
        error: why it no longer loads.
    """

    kind: Kind
    old: Detection | None
    new: Detection | None
    what: tuple[str, ...] = ()
    error: str = ""

    @property
    def rule(self) -> Detection:
        """The newer of them."""
        one = self.new or self.old
        assert one is not None  # noqa: S101 - a change is of something
        return one

    @property
    def runs(self) -> bool:
        """Whether it can make a difference to what is found, or to how it is told."""
        return self.kind in {"added", "removed", "broken"} or bool(set(self.what) & set(MATTERS))


def changes(old: Side, new: Side) -> list[Change]:
    """Every rule of both packs, by id, in order of title."""
    before = {one.id: one for one in old.chosen.detections}
    after = {one.id: one for one in new.chosen.detections}
    documents = _documents(old), _documents(new)
    found = []
    for key in {**before, **after}:
        was, now = before.get(key), after.get(key)
        if was is None:
            found.append(Change("added", None, now))
        elif now is None:
            error = _error(was, old, new)
            found.append(Change("broken" if error else "removed", was, None, error=error))
        else:
            what = tuple(_differing(was, now, *(table.get(key, {}) for table in documents)))
            found.append(Change("changed" if what else "same", was, now, what))
    return _with_counted(sorted(found, key=lambda one: (one.rule.title, one.rule.id)), old, new)


def _documents(side: Side) -> dict[str, Mapping[str, Any]]:
    """What was written of each rule."""
    pack = side.chosen.pack
    ruled: tuple[Rule | Correlation, ...] = (*pack.rules, *pack.correlations)
    written: dict[str, Mapping[str, Any]] = {str(said.get("id")): said for said, _ in pack.anomalies}
    return written | {one.id: one.document for one in ruled}


def _differing(
    was: Detection, now: Detection, old: Mapping[str, Any], new: Mapping[str, Any]
) -> Iterator[str]:
    if type(was) is not type(now):
        yield "kind"
    yield from (key for key in _BODIES if old.get(key) != new.get(key))
    if isinstance(was, Rule) and isinstance(now, Rule):
        same = all(old.get(key) == new.get(key) for key in ("detection", "logsource"))
        if [node for _, node in was.filters] != [node for _, node in now.filters]:
            yield "filters"
        elif same and (was.condition, was.source) != (now.condition, now.source):
            yield "detection"  # a placeholder, or the meaning of a field
    if was.level != now.level:
        yield "level"
    yield from (
        str(key) for key in {**old, **new} if key not in (*_BODIES, "level") and old.get(key) != new.get(key)
    )


def _with_counted(found: list[Change], old: Side, new: Side) -> list[Change]:
    """Marks what counts a rule that changed."""
    moved = {one.rule.id for one in found if one.runs and set(one.what) != {"level"}}
    told = []
    for one in found:
        mine = set()
        if one.old is not None and one.new is not None and not isinstance(one.new, Rule):
            mine = counted(one.old, old.chosen.pack) | counted(one.new, new.chosen.pack)
        if (mine - {one.rule.id}) & moved:
            told.append(Change("changed", one.old, one.new, ("what it counts", *one.what)))
        else:
            told.append(one)
    return told


def _error(was: Detection, old: Side, new: Side) -> str:
    """Why the new pack does not load a rule that is still there; "" if it is not."""
    for error in new.chosen.errors:
        documents, _ = read(error.path)
        ids = {str(document.value.get("id")) for document in documents}
        if was.id in ids or (not documents and old.inside(was.path) == new.inside(error.path)):
            return new.shown(error.text)
    return ""
