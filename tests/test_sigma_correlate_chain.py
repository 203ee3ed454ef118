"""Correlations of correlations, and what is written to disk: the same findings as from plain Python."""

from __future__ import annotations

import gc
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from correlation_reference import Asked, findings, holding
from correlation_stories import correlated, frame, yaml_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sigma_cases import pack_of
from test_sigma_correlate_reference import EVENTS, KINDS

from analysis.sigma import Correlations
from analysis.sigma.correlations import items

INNER = st.one_of(
    st.builds(
        Asked,
        kind=st.just("event_count"),
        groups=st.sampled_from([("user",), ("host",), ("who",), ()]),
        bounds=st.sampled_from([(("gte", 2.0),), (("gte", 1.0),)]),
        span=st.sampled_from([10, 60]),
        name=st.just("inner"),
    ),
    st.builds(
        Asked,
        kind=st.just("value_count"),
        fields=st.just(("user",)),
        groups=st.just(("host",)),
        bounds=st.just((("gte", 2.0),)),
        name=st.just("inner"),
    ),
    st.builds(
        Asked,
        kind=st.just("temporal"),
        rules=st.just(("ra", "rb")),
        groups=st.just(("whom",)),
        bounds=st.just((("gte", 2.0),)),
        aliases=st.just({"whom": {"ra": "user", "rb": "account"}}),
        name=st.just("inner"),
    ),
)


def outer(kind: str, **keys: object) -> st.SearchStrategy[Asked]:
    return INNER.flatmap(
        lambda inner: st.builds(
            Asked,
            kind=st.just(kind),
            **{
                "groups": st.sampled_from([("user",), (), ("host", "user"), ("whom",), ("who",)]),
                "rules": st.sampled_from([(inner,), ("rc", inner), (inner, "rb")]),
                "aliases": st.just({"whom": {"inner": "user", "rb": "account", "rc": "user"}}),
                "span": st.sampled_from([30, 100]),
                **keys,
            },
        )
    ).map(known_aliases)


def known_aliases(asked: Asked) -> Asked:
    """Without aliases of rules that it does not count, which the loader refuses."""
    mapping = {name: own for name, own in asked.aliases["whom"].items() if name in asked.names}
    return Asked(**{**asked.__dict__, "aliases": {"whom": mapping}})


BOUNDS = st.sampled_from([(("gte", 1.0),), (("gte", 2.0),)])
CHAINS = {
    "temporal_ordered": outer("temporal_ordered", bounds=BOUNDS),
    "temporal": outer("temporal", bounds=st.sampled_from([(("gte", 1.0),), (("eq", 2.0),)])),
    "event_count": outer("event_count", bounds=BOUNDS),
    "value_count": outer("value_count", fields=st.sampled_from([("user",), ("host",)]), bounds=BOUNDS),
    "value_sum": outer("value_sum", fields=st.just(("size",)), bounds=BOUNDS),
    "of three": outer("event_count", bounds=BOUNDS).flatmap(
        lambda middle: st.builds(
            Asked,
            kind=st.just("temporal_ordered"),
            rules=st.just((replace(middle, name="middle"), "rb")),
            groups=st.sampled_from([(), ("user",), ("whom",)]),
            aliases=st.just({"whom": {"middle": "whom", "rb": "user"}}),
            bounds=BOUNDS,
        )
    ),
}


@pytest.mark.parametrize("kind", CHAINS)
def test_a_correlation_of_correlations(kind: str, tmp_path: Path) -> None:
    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(CHAINS[kind], EVENTS, st.integers(1, 12))
    def run(one: Asked, events: list[dict[str, Any]], batch: int) -> None:
        expected = sorted({item.event for item, holds, _ in holding(one, events) if holds})
        found, told = correlated(one, events, batch, tmp_path)
        assert told == findings(one, events)
        assert found == expected

    run()


@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_where_neither_groups_no_column_is_needed(memory: int, tmp_path: Path) -> None:
    inner = Asked("event_count", groups=(), bounds=(("gte", 2.0),), name="inner")
    one = Asked("event_count", groups=(), rules=(inner,), bounds=(("gte", 1.0),))
    events = [{"at": n, "act": "a", "user": "u", "account": "x"} for n in range(3)]
    found, told = correlated(one, events, 2, tmp_path, memory)
    assert told == findings(one, events)
    assert found == sorted({item.event for item, holds, _ in holding(one, events) if holds})
    assert found


@pytest.mark.parametrize("kind", ["event_count", "value_count", "value_sum", "temporal_ordered", "chain"])
def test_what_is_written_to_disk_is_found_all_the_same(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, "_AT_ONCE", 3)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rules = tmp_path / "rules"
    rules.mkdir()
    strategy = CHAINS["temporal_ordered"] if kind == "chain" else KINDS[kind]

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(strategy, EVENTS, st.integers(1, 5))
    def run(one: Asked, events: list[dict[str, Any]], batch: int) -> None:
        assert correlated(one, events, batch, rules, memory=1) == correlated(one, events, batch, rules)

    run()
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


def burst(folder: Path, memory: int) -> Correlations:
    """A hundred events of one account, gathered in ten batches."""
    one = Asked("event_count", bounds=(("gte", 50),))
    events = [{"at": n, "act": "a", "user": "u", "account": "x"} for n in range(100)]
    pack = pack_of(folder, yaml_of(one))
    gathered = Correlations(pack, memory)
    for part in frame(events).iter_slices(10):
        gathered.add(part, pack.match(part, ""))
    return gathered


def test_what_was_written_goes_with_an_error_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rules = tmp_path / "rules"
    rules.mkdir()

    def run() -> None:
        gathered = burst(rules, memory=1)
        assert any(path.name.startswith("molehunt-") for path in tmp_path.iterdir())
        next(gathered.find())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    gc.collect()
    assert [path.name for path in tmp_path.iterdir()] == ["rules"]


def test_what_is_held_in_memory_is_bounded(tmp_path: Path) -> None:
    one = Asked("value_count", fields=("host",), bounds=(("gte", 50),))
    pack = pack_of(tmp_path, yaml_of(one))
    gathered = Correlations(pack, memory=30_000)
    events = [{"at": n, "act": "a", "user": f"u{n}", "host": "h" * 50} for n in range(1000)]
    for part in frame(events).iter_slices(100):
        gathered.add(part, pack.match(part, ""))
        assert sum(one.size for one in gathered._spools._all) <= 30_000


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of file sizes on Windows")
def test_a_full_disk_is_told(tmp_path: Path) -> None:
    import resource  # noqa: PLC0415 - it is not there on Windows

    pack = pack_of(tmp_path, yaml_of(Asked("event_count", bounds=(("gte", 50),))))
    events = frame([{"at": n, "act": "a", "user": "u"} for n in range(20)])
    gathered = Correlations(pack, memory=1)
    matches = pack.match(events, "")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(OSError, match="set TMPDIR to a folder that has more"):
            gathered.add(events, matches)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_few_events_never_touch_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    (finding,) = burst(tmp_path, memory=1 << 20).find()
    assert finding.count == 100


def test_findings_can_be_asked_for_again(tmp_path: Path) -> None:
    for memory in (1, 1 << 20):
        gathered = burst(tmp_path, memory)
        assert list(gathered.find()) == list(gathered.find())
        assert gathered.holding("asked").height == gathered.holding("asked").height == 51
        assert len(gathered._spools._all) == 2  # items and what may be quoted; nothing that was passed on
