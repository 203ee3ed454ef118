"""Flows that other collectors wrote as JSON: goflow2 and Gigamon."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from text_sensors import SAMPLES, events, source_of

from sensors import gigamon, goflow2, schema
from sensors.sensor import Sensor, claims

FLOWS = (SAMPLES / "goflow2" / "flows.ndjson").read_bytes()
AMI = (SAMPLES / "gigamon" / "ami.ndjson").read_bytes()
QUIET = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(("name", "content"), [("goflow2", FLOWS), ("gigamon", AMI)])
def test_each_is_claimed_once(name: str, content: bytes) -> None:
    assert [sensor.name for sensor in claims(content, "x.json")] == [name]


def test_a_sampled_packet_stands_for_many() -> None:
    sampled, flow, ping, old = events(goflow2.SENSOR, source_of(FLOWS))
    assert (sampled["network.bytes"], sampled["network.packets"]) == (70_000, 1000)
    assert (sampled["goflow2.bytes"], sampled["observer.ip"]) == ("70", ["198.51.100.1"])
    assert (sampled["observer.ingress.vlan.id"], sampled["network.vlan.id"]) == ("1500", "1500")
    assert (flow["network.bytes"], flow["event.duration"]) == (918_273, 30_500_000_000)
    assert (flow["source.mac"], flow["source.as.number"]) == ("00-50-56-9C-1A-2B", 64_500)
    assert "destination.mac" not in flow
    assert str(ping["@timestamp"]) == "2026-10-05 09:00:02+00:00"
    assert (ping["network.transport"], ping["network.type"]) == ("icmp", "ipv4")
    assert (old["source.ip"], old["network.transport"], old["destination.port"]) == ("10.20.0.17", "tcp", 22)


def test_metadata_of_applications() -> None:
    asked, fetched, sealed = events(gigamon.SENSOR, source_of(AMI))
    assert (asked["dns.question.name"], asked["dns.question.type"]) == ("files.example.org", "A")
    assert (asked["dns.resolved_ip"], asked["event.outcome"]) == (["203.0.113.77"], "success")
    assert (asked["event.duration"], asked["network.bytes"]) == (100_000_000, 200)
    assert str(asked["@timestamp"]) == "2026-10-05 09:00:25+00:00"
    assert (fetched["http.request.method"], fetched["url.domain"]) == ("GET", "files.example.org")
    assert str(sealed["@timestamp"]) == "2026-10-12 09:00:27.500000+00:00"
    assert (sealed["source.ip"], sealed["tls.client.server_name"]) == ("2001:db8:20::15", "files.example.org")


@QUIET
@given(st.sampled_from([(goflow2.SENSOR, FLOWS), (gigamon.SENSOR, AMI)]).flatmap(
    lambda one: st.tuples(st.just(one[0]), broken(one[1]))
))  # fmt: skip
def test_broken_input_never_stops_and_never_vanishes(case: tuple[Sensor, bytes]) -> None:
    sensor, content = case
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in sensor.read(source))
    assert height + sum(entry.count for entry in source.unread) >= 1
