"""All anomaly rules of a hunt: fed batch by batch, judged at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from analysis.anomaly.activity import Activity
from analysis.anomaly.measures import MEASURES
from analysis.anomaly.measures.measure import RULE, Scene
from analysis.anomaly.partials import Heap, reduce
from analysis.anomaly.wording import sentence
from analysis.context import Context
from analysis.finding import Finding, NotRun, evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from analysis.anomaly.language import AnomalyRule
    from analysis.anomaly.measures.measure import Verdict

_SHOWN: Final = 5
_MERGE_EVERY: Final = 16
# What supplies a column, so that "not run" says what to add.
_SUPPLIERS: Final = {
    "roster.": "the roster (--roster)",
    "source.geo.": "geography of addresses (--geo-city)",
    "source.as.": "network owners of addresses (--geo-asn)",
    "account": "events that could be attributed to an account",
}


class Anomalies:
    """Anomaly rules at work; keeps partials, never events.

    Args:
        rules: the rules, checked.
        context: what is known besides the logs; only its site is asked, the rest is on the events.
    """

    def __init__(self, rules: Sequence[AnomalyRule], context: Context | None = None) -> None:
        self._rules = [_Running(rule) for rule in rules]
        self._site = (context or Context()).site
        self._activity: list[Activity] = []

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame, names: Sequence[str]) -> None:
        """Take in one batch.

        Args:
            frame: enriched events.
            matches: `rule` (index into `names`) and `row` (of `frame`) of the Sigma rules that matched.
            names: names of the Sigma rules.
        """
        self._activity.append(Activity.of(frame))
        if len(self._activity) >= _MERGE_EVERY:
            self._activity = [Activity.merge(self._activity)]
        for running in self._rules:
            running.add(frame, matches, names)

    def find(self) -> Iterator[Finding]:
        """The findings of all rules, as the events so far have it."""
        scene = self._scene()
        for running in self._rules:
            yield from running.find(scene)

    def not_run(self) -> list[NotRun]:
        """Rules that could not say anything, or not of everyone, and why."""
        scene = self._scene()
        reasons = ((running.rule, running.silence(scene)) for running in self._rules)
        return [NotRun(rule.id, rule.title, reason) for rule, reason in reasons if reason]

    def _scene(self) -> Scene:
        activity = Activity.merge(self._activity) if self._activity else Activity.none()
        self._activity = [activity]
        return Scene(activity, self._site)


class _Running:
    """One rule and what it has gathered."""

    def __init__(self, rule: AnomalyRule) -> None:
        self.rule = rule
        self._measure = MEASURES[rule.measure]
        self._heap = Heap(self._measure.shape(rule))
        self._needs = self._measure.needs(rule)
        self._picked = 0
        self._missing = set(self._needs)
        self._unknown = set(rule.rules)
        self._verdict: Verdict | None = None

    def add(self, frame: pl.DataFrame, matches: pl.DataFrame, names: Sequence[str]) -> None:
        """Reduce the rows that this rule's Sigma rules matched."""
        self._unknown.difference_update(names)
        wanted = [index for index, name in enumerate(names) if name in self.rule.rules]
        mine = matches.filter(pl.col("rule").is_in(wanted))
        if mine.is_empty():
            return
        if RULE not in self.rule.fields:
            mine = mine.unique("row")
        events = frame[mine["row"]].with_columns(
            mine["rule"].replace_strict(dict(enumerate(names)), return_dtype=pl.String).alias(RULE)
        )
        self._picked += events.height
        self._missing -= {name for name in self._needs if name in events.columns and events[name].count()}
        if any(name not in events.columns for name in self._needs):
            return
        if "account.kind" in events.columns:
            events = events.filter(pl.col("account.kind").fill_null("person") == "person")
        said = events.drop_nulls(list(self._needs))
        if said.height:
            self._heap.push(reduce(self._measure.prepare(self.rule, said), self._heap.shape))
            self._verdict = None

    def judge(self, scene: Scene) -> Verdict | None:
        """The verdict on all that was added; None if that was nothing."""
        whole = self._heap.whole()
        if self._verdict is None and whole is not None:
            self._verdict = self._measure.judge(self.rule, whole, scene)
        return self._verdict

    def find(self, scene: Scene) -> Iterator[Finding]:
        """The findings."""
        verdict = self.judge(scene)
        if verdict is None:
            return
        shown = verdict.shown.group_by("hit", maintain_order=True).head(_SHOWN)
        by_hit = shown.partition_by("hit", as_dict=True)
        people = scene.activity.people()
        known = people.drop([name for name in verdict.hits.columns if name != "account"], strict=False)
        hits = verdict.hits.join(known, on="account", how="left", maintain_order="left")
        for hit in hits.sort("account", "first", "hit").iter_rows(named=True):
            yield self._finding(hit, by_hit.get((hit["hit"],), verdict.shown.clear()))

    def silence(self, scene: Scene) -> str:
        """Why the rule says nothing, or not of everyone; "" if it does."""
        sources = ", ".join(self.rule.rules)
        if self._unknown == set(self.rule.rules):
            return f"there is no Sigma rule named {sources}; correct `rules:` in {self.rule.path}"
        if not self._picked:
            return f"no event matched {sources}"
        if self._missing:
            return f"{_lacking(self._missing)} missing in the events that {sources} matched"
        verdict = self.judge(scene)
        if verdict is None:
            return f"none of the events that {sources} matched has all of {', '.join(self._needs)}"
        if verdict.learning:
            return (
                f"learning: {verdict.learning} of {verdict.learning + verdict.judged} have too little history"
            )
        return ""

    def _finding(self, hit: Mapping[str, Any], rows: pl.DataFrame) -> Finding:
        rule = self.rule
        sized = rule.measure == "sum" and rule.fields[0].endswith((".bytes", ".size"))
        named = dict.fromkeys((*rule.group_by, *rule.show, *rule.fields))
        # Whose event it is must be said only where those of several accounts are shown.
        unsaid = {RULE} if rule.measure == "shared_by" else {RULE, "account"}
        quoted = tuple(name for name in named if name not in unsaid)
        return Finding(
            detection=rule.id,
            title=rule.title,
            level=rule.level,
            confidence=rule.confidence,
            category=rule.category,
            account=hit["account"],
            first_seen=hit["first"],
            last_seen=hit["last"],
            why=sentence(rule.why or self._measure.why, hit, is_bytes=sized),
            evidence=evidence(rows, quoted),
            benign=rule.benign,
            techniques=rule.techniques,
            signals=rule.signals,
            host=hit.get("host.name") or "",
            count=hit["n"],
            decisive=rule.decisive,
            durable=rule.durable,
        )


def _lacking(columns: set[str]) -> str:
    suppliers = [s for prefix, s in _SUPPLIERS.items() if any(name.startswith(prefix) for name in columns)]
    named = ", ".join(sorted(columns))
    return f"{' and '.join(suppliers)} ({named})" if suppliers else named
