"""What a lake tells of its own events: the same as the steps that it is made of, from fewer columns."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hunted import SAMPLES, hunt
from polars.testing import assert_frame_equal

from analysis import intake, known
from analysis.attribution import Attribution, leases
from analysis.context import load_context
from analysis.identity import columns, names, resolve, together
from analysis.known import EVIDENCE, READ, Known, added
from analysis.lake import Lake
from sensors.sensor import Source

PARTS = ("okta", "vpn", "roster.csv", "site.toml", "geo-city.mmdb", "geo-asn.mmdb")
CONTEXT = load_context(
    SAMPLES / "scenario/roster.csv",
    SAMPLES / "scenario/geo-city.mmdb",
    SAMPLES / "scenario/geo-asn.mmdb",
    SAMPLES / "scenario/site.toml",
)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    out = tmp_path_factory.mktemp("known")
    hunt(out, *(SAMPLES / "scenario" / part for part in PARTS))
    return Lake(out / "lake")


@pytest.fixture(scope="module")
def sampled() -> list[pl.DataFrame]:
    """Batches of every kind of log that there is a sample of."""
    folders = [path for path in sorted(SAMPLES.iterdir()) if path.is_dir() and "scenario" not in path.name]
    more = [SAMPLES / "scenario" / name for name in ("windows/terminalservices.ndjson", "zeek/dhcp.log")]
    found = []
    for item in intake.found([*folders, *more], lambda _path: None):
        if isinstance(item, tuple) and isinstance(item[0], Source):
            found += list(intake.events(*item))
    return found


def test_the_columns_that_say_who_is_who_are_all_that_is_read(sampled: list[pl.DataFrame]) -> None:
    assert len(sampled) > 10
    kinds = set()
    for frame in sampled:
        few = frame.select(name for name in frame.columns if name in EVIDENCE)
        assert few.width < frame.width
        for step, order in ((names, columns.KEY), (leases, ("key", "at", "file", "order"))):
            whole, part = step(frame), step(few)
            assert_frame_equal(whole.sort(order), part.sort(order))
        kinds.update(leases(few)["kind"])
    assert kinds == {"vpn", "mapping", "dhcp", "logon"}


def test_names_put_together_on_the_way_are_the_names(sampled: list[pl.DataFrame]) -> None:
    partials = [names(frame) for frame in sampled]
    at_once = columns.merged(partials)
    stepwise = partials[:1]
    for partial in partials[1:]:
        stepwise = [together([*stepwise, partial])]
    again = columns.merged(stepwise)
    assert again[1] == at_once[1]
    assert at_once[1]
    assert_frame_equal(again[0], at_once[0])


def test_it_knows_what_the_steps_know(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_MERGE_ROWS", 10)  # so that names are merged on the way
    frames = [batch.frame for batch in lake.batches(rows=2000)]
    identity = resolve([names(frame) for frame in frames], CONTEXT)
    attribution = Attribution.build([leases(frame) for frame in frames], identity, CONTEXT)
    learned = Known.of(lake, CONTEXT)
    assert_frame_equal(learned.identity.accounts, identity.accounts)
    attributed = 0
    for frame in frames:
        expected = CONTEXT.enrich(attribution.attach(identity.assign(frame)))
        got = learned.add(frame)
        assert_frame_equal(got, expected)
        assert got["@timestamp"].equals(frame["@timestamp"])
        attributed += got["account"].count()
    assert attributed > 1000
    assert learned.attribution.counts == attribution.counts


def test_a_lake_reads_only_the_columns_it_is_asked_for(lake: Lake) -> None:
    asked = {"source.ip", "event.action", "no.such.column"}
    whole = [batch.frame for batch in lake.batches()]
    few = [batch.frame for batch in lake.batches(columns=asked)]
    assert len(whole) == len(few)
    for one, other in zip(whole, few, strict=True):
        assert set(other.columns) == (asked | {"@timestamp"}) & set(one.columns)
        assert_frame_equal(other, one.select(other.columns))


def test_of_an_empty_lake_nothing_is_known(tmp_path: Path) -> None:
    learned = Known.of(Lake(tmp_path), load_context())
    frame = pl.DataFrame({"@timestamp": [None]}, schema={"@timestamp": pl.Datetime("us", "UTC")})
    assert learned.identity.accounts.is_empty()
    assert learned.add(frame)["account"].to_list() == [None]


def test_what_it_adds_is_known_beforehand_and_needs_no_other_columns(lake: Lake) -> None:
    for context in (CONTEXT, load_context()):
        learned = Known.of(lake, context)
        for batch in lake.batches():
            whole = learned.add(batch.frame)
            few = learned.add(batch.frame.select(name for name in batch.frame.columns if name in READ))
            new = set(whole.columns) - set(batch.frame.columns)
            assert new <= added(batch.frame.columns, context)
            assert_frame_equal(few.select(sorted(new)), whole.select(sorted(new)))


def test_a_lake_reads_only_the_days_it_is_asked_for(lake: Lake) -> None:
    days = {"2026-10-13", "2026-10-14"}
    frames = [batch.frame for batch in lake.batches(days=days.__contains__)]
    assert {str(day) for frame in frames for day in frame["@timestamp"].dt.date()} == days
    every = pl.concat([batch.frame for batch in lake.batches()], how="diagonal")
    in_days = every.filter(pl.col("@timestamp").dt.date().cast(pl.String).is_in(list(days)))
    assert sum(frame.height for frame in frames) == in_days.height > 0
