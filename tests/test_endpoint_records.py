"""Endpoint products read by tables: a sample of each with every kind of record, hostile copies."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, golden, sample_lines, source_of

from sensors import (
    auditbeat,
    bitdefender,
    carbon_black_cloud,
    carbonblack_edr,
    cisco_secure_endpoint,
    digital_guardian,
    falco,
    jamf,
    schema,
    sophos_central,
    symantec_endpoint_security,
    tanium,
    trellix,
)
from sensors.sensor import claims
from sensors.shapes.endpoint_records import kinds

if TYPE_CHECKING:
    from sensors.shapes.endpoint_records import EndpointRecords

ALL = (
    auditbeat.SENSOR,
    bitdefender.SENSOR,
    carbon_black_cloud.SENSOR,
    carbonblack_edr.SENSOR,
    cisco_secure_endpoint.SENSOR,
    digital_guardian.SENSOR,
    falco.SENSOR,
    jamf.SENSOR,
    sophos_central.SENSOR,
    symantec_endpoint_security.SENSOR,
    tanium.SENSOR,
    trellix.SENSOR,
)
EACH = pytest.mark.parametrize("sensor", ALL, ids=lambda sensor: sensor.name)


@EACH
def test_samples_give_the_golden_events(sensor: EndpointRecords) -> None:
    golden(sensor, sensor.name)


@EACH
def test_samples_have_every_kind_and_are_claimed_once(sensor: EndpointRecords) -> None:
    told = set()
    for path in (SAMPLES / sensor.name).iterdir():
        assert [found.name for found in claims(path.read_bytes(), path.name)] == [sensor.name], path
        source = source_of(path.read_bytes())
        told |= {row["event.dataset"] for row in events(sensor, source)}
        assert source.unread == []
    assert told >= {kind["dataset"] for kind in kinds(sensor.table).values()}


@EACH
def test_kinds_may_be_mixed_and_keep_their_order(sensor: EndpointRecords) -> None:
    lines = sample_lines(sensor.name)
    lines = lines[1::2] + lines[::2]
    rows = events(sensor, source_of("\n".join([*lines, '{"of":"another product"}', '{"half'])))
    assert [row["log.file.line"] for row in rows] == list(range(1, len(lines) + 1))


def test_an_event_without_a_time_has_that_of_the_one_before() -> None:
    rows = events(
        bitdefender.SENSOR, source_of((SAMPLES / "bitdefender" / "plain_events.ndjson").read_bytes())
    )
    assert rows[1]["@timestamp"] == rows[0]["@timestamp"]
    assert (rows[1]["molehunt.guess"], "molehunt.guess" in rows[0]) == (["time"], False)


@pytest.mark.parametrize(
    ("sensor", "before", "after"),
    [
        (
            cisco_secure_endpoint.SENSOR,
            '{"version":"v1","metadata":{"results":{"total":2}},"data":[',
            "]}",
        ),
        (bitdefender.SENSOR, '{"id":"1","jsonrpc":"2.0","method":"addEvents","params":{"events":[', "]}}"),
    ],
    ids=["cisco_secure_endpoint", "bitdefender"],
)
def test_pages_of_the_products_own_are_opened(sensor: EndpointRecords, before: str, after: str) -> None:
    lines = sample_lines(sensor.name)
    inner = [
        json.dumps(record.get("data", record.get("event", record))) for record in map(json.loads, lines[:3])
    ]
    source = source_of(f"{before}{','.join(inner)}{after}\n{lines[0]}")
    assert sensor.sniff(source.head, "x.json")
    assert [row["log.file.line"] for row in events(sensor, source)] == [1, 1, 1, 2]
    assert source.unread == []


@EACH
def test_what_is_no_record_of_the_product_is_named(sensor: EndpointRecords) -> None:
    first = sample_lines(sensor.name)[0]
    source = source_of(f'{first}\n{{"of":"another product"}}\n{first[:40]}\n{first}')
    assert len(events(sensor, source)) == 2
    assert sorted(entry.line or 0 for entry in source.unread) == [2, 3]
    assert not sensor.sniff(b'{"type":"login","timestamp":1}\n{"id":1,"user":"x"}', "x.json")


@EACH
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(sensor: EndpointRecords, data: st.DataObject) -> None:
    paths = sorted((SAMPLES / sensor.name).iterdir())
    content = data.draw(broken(data.draw(st.sampled_from(paths)).read_bytes()))
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in sensor.read(source))
    assert height + sum(unread.count for unread in source.unread) >= 1
