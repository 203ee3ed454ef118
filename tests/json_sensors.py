"""What the tests of the sensors of JSON logs share: events as dictionaries, and broken copies of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import polars as pl
from hypothesis import strategies as st

from sensors import entra as entra_sensor
from sensors import github, m365, okta, schema

if TYPE_CHECKING:
    from sensors.sensor import Sensor, Source

ALL: tuple[Sensor, ...] = (okta.SENSOR, entra_sensor.SENSOR, m365.SENSOR, github.SENSOR)
MakeSource = Callable[..., "Source"]


def events(sensor: Sensor, source: Source) -> list[dict[str, Any]]:
    """The events of a source as dictionaries without what is null, every column in its schema type."""
    rows: list[dict[str, Any]] = []
    for frame in sensor.read(source):
        typed = schema.conform(frame)
        rows += [{k: v for k, v in row.items() if v is not None} for row in typed.iter_rows(named=True)]
    return rows


def claimants(head: bytes, name: str) -> list[str]:
    """Which of the four sensors take content for their own."""
    return [sensor.name for sensor in ALL if sensor.sniff(head, name)]


@st.composite
def broken(draw: st.DrawFn, sample: bytes) -> bytes:
    """The sample with some of its bytes replaced, removed, or put in."""
    content = bytearray(sample)
    for _ in range(draw(st.integers(1, 12))):
        at = draw(st.integers(0, len(content)))
        drop = draw(st.sampled_from([0, 1, 3, 40, 400]))
        content[at : at + drop] = draw(
            st.binary(max_size=4)
            | st.sampled_from([b'"', b"{", b"}", b"[", b"]", b"\n", b"\\", b"\0", b"null", b"1", b'"x":{},'])
        )
    return bytes(content)


def times(rows: list[dict[str, Any]]) -> list[str]:
    """`@timestamp` of each event, to the second."""
    return [row["@timestamp"].strftime("%Y-%m-%dT%H:%M:%S") for row in rows]


def frame_of(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """The values of `names`, row by row; None where there is none."""
    return list(
        pl.DataFrame({name: [row.get(name) for row in rows] for name in names}, strict=False).iter_rows()
    )
