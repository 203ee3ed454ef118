"""What the tests of the sensors of text logs share: events as dictionaries, golden events, broken lines."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import strategies as st

from sensors import cisco_asa, linux_auth, panos, schema, squid
from sensors.sensor import Source

if TYPE_CHECKING:
    from sensors.sensor import Sensor

REPO = Path(__file__).resolve().parents[1]
SAMPLES = REPO / "samples"
ALL: tuple[Sensor, ...] = (cisco_asa.SENSOR, linux_auth.SENSOR, panos.SENSOR, squid.SENSOR)
WRITTEN = datetime(2027, 1, 2, tzinfo=UTC)
Row = dict[str, Any]


def source_of(
    content: str | bytes, *, zone: str = "UTC", given: bool = False, modified: datetime = WRITTEN
) -> Source:
    """A source of the content, as if it had been written on 2 January 2027."""
    data = content.encode() if isinstance(content, str) else content
    return Source(
        path="x.log",
        name="x.log",
        sha256="0" * 64,
        head=data[:65_536],
        zone=ZoneInfo(zone),
        modified=modified,
        opener=lambda: io.BytesIO(data),
        zone_given=given,
    )


def events(sensor: Sensor, source: Source | str) -> list[Row]:
    """The events of a source as dictionaries without what is null, every column in its schema type."""
    source = source_of(source) if isinstance(source, str) else source
    rows: list[Row] = []
    for frame in sensor.read(source):
        assert frame.height
        typed = schema.conform(frame)
        rows += [{k: v for k, v in row.items() if v is not None} for row in typed.iter_rows(named=True)]
    assert all("@timestamp" in row and "event.dataset" in row for row in rows)
    return rows


def golden(sensor: Sensor, folder: str) -> None:
    """The samples of the folder give the golden events; REWRITE_GOLDEN=1 writes them anew."""
    kept = REPO / "tests" / "golden" / f"{folder}.ndjson"
    got = [
        {"sample": path.name, **row}
        for path in sorted((SAMPLES / folder).iterdir())
        for row in events(sensor, source_of(path.read_bytes()))
    ]
    shown = [json.loads(json.dumps(row, default=datetime.isoformat)) for row in got]
    if os.environ.get("REWRITE_GOLDEN"):
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in shown)
        kept.write_text(text, "utf-8")
        pytest.fail("the golden events were written; look at them and run again without REWRITE_GOLDEN")
    wanted = [json.loads(line) for line in kept.read_text("utf-8").splitlines()]
    for number, (one, other) in enumerate(zip(shown, wanted, strict=True), 1):
        assert one == other, f"event {number} of {kept.name}"


def claimants(content: bytes) -> list[str]:
    """Which of the sensors of text logs take the content for their own."""
    return [sensor.name for sensor in ALL if sensor.sniff(content, "x.log")]


def accounted(sensor: Sensor, content: str) -> list[Row]:
    """The events of broken content, after it was made sure that no line of it vanished.

    Every line that is not empty is an event, named as unread, or the continuation of the line before it.
    """
    source = source_of(content)
    rows = events(sensor, source)
    lines = content.encode().decode("utf-8", "replace").split("\n")
    filled = {number for number, line in enumerate(lines, 1) if line.removesuffix("\r")}
    continued = {number for number in filled if lines[number - 1][:1] in " \t"}
    told = [row["log.file.line"] for row in rows]
    assert told == sorted(told), "events out of order"
    assert len(told) == len(set(told)), "a line gave two events"
    named = sum(entry.count for entry in source.unread)
    assert filled - continued <= set(told) | {entry.line for entry in source.unread} or named > 20
    assert len(filled - continued) <= len(told) + named <= len(filled)
    return rows


_JUNK = (
    '"', ",", "%", "\0", "\x1f", "\x1e", "\u2028", "é", "😀", "(", ")", "[", "]", "<", ">", "\\", "::", "/",
    "9" * 20, "-1", " ", "\t", "\r", "<166>", "=cmd|' /C calc'!A0", "\x1b[31m", "<script>", "$", "{", "}",
    "\ufeff", "0:", "%ASA-6-302013: ", "Feb 30 2020 25:61:61 ", "2026-10-05T25:00:00Z ",
    "1,2026/13/41 00:00:00,",
)  # fmt: skip


@st.composite
def broken_lines(draw: st.DrawFn, lines: list[str]) -> str:
    """Some of the lines, in any order, with some of their characters replaced, removed or put in."""
    made = []
    for line in draw(st.lists(st.sampled_from(lines), min_size=1, max_size=12)):
        text = line
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(text)))
            drop = draw(st.sampled_from([0, 1, 2, 7, 30]))
            text = text[:at] + draw(st.sampled_from(_JUNK) | st.text(max_size=3)) + text[at + drop :]
        made.append(text.encode("utf-8", "replace").decode().replace("\n", " "))
    return "\n".join(made)


def worded(name: str) -> list[tuple[str, Row]]:
    """Messages, each with values that its event must have; null stands for a column that it must not have."""
    lines = (REPO / "tests" / "golden" / f"{name}.ndjson").read_text("utf-8").splitlines()
    return [(case.get("message") or case["said"], case["wanted"]) for case in map(json.loads, lines)]


def sample_lines(folder: str) -> list[str]:
    """Every line of the samples of a folder."""
    return [
        line for path in sorted((SAMPLES / folder).iterdir()) for line in path.read_text("utf-8").splitlines()
    ]
