"""Web servers and proxies: samples, claims against Squid, hostile lines."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from json_sensors import broken
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, source_of

from sensors import schema, squid
from sensors.web_access import SENSOR

FOLDER = SAMPLES / "web_access"
LINES = (FOLDER / "access.log").read_text("utf-8").splitlines()
RECORDS = (FOLDER / "proxies.ndjson").read_bytes()


def test_samples_give_the_golden_events() -> None:
    golden(SENSOR, "web_access")


def test_every_line_of_the_sample_is_an_event() -> None:
    assert len(events(SENSOR, "\n".join(LINES))) == len(LINES)


def test_the_client_is_the_public_address_that_the_request_came_from() -> None:
    row = events(SENSOR, LINES[2])[0]
    assert row["source.ip"] == "203.0.113.10"


def test_squids_lines_stay_squids() -> None:
    line = (
        '10.0.0.7 - ann [05/Oct/2026:10:20:02 -0400] "GET http://a.example/ HTTP/1.1" 200 18 '
        "TCP_MISS:HIER_DIRECT"
    )
    assert squid.SENSOR.sniff(line.encode(), "access.log")
    assert not SENSOR.sniff(line.encode(), "access.log")
    assert not squid.SENSOR.sniff("\n".join(LINES).encode(), "access.log")


@pytest.mark.parametrize("text", ["", "hello", '{"status":200}', "[x] y", "2026/10/05 14:20:14 hello"])
def test_other_logs_are_not_claimed(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "access.log")


def test_other_lines_are_named() -> None:
    source = source_of("\n".join([LINES[0], "nonsense", LINES[1]]))
    assert len(events(SENSOR, source)) == 2
    assert [entry.line for entry in source.unread] == [2]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(SENSOR, content)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken(RECORDS))
def test_broken_records_never_stop_and_never_vanish(content: bytes) -> None:
    source = source_of(content)
    height = sum(schema.conform(frame).height for frame in SENSOR.read(source))
    assert height + sum(entry.count for entry in source.unread) >= 1


def test_rarer_parts_of_lines() -> None:
    timed, behind, secured, through, connect, nobody = events(SENSOR, "\n".join(LINES[-12:-6]))
    assert (timed["user_agent.original"], timed["destination.port"]) == ("curl/8.9", 443)
    assert (behind["source.ip"], behind["client.ip"]) == ("10.20.0.7", "203.0.113.32")
    assert (secured["tls.client.server_name"], secured["tls.version"]) == ("www.docs.example", "1.2")
    assert (secured["url.domain"], through["destination.ip"]) == ("www.docs.example", "192.0.2.9")
    assert (connect["destination.port"], connect["event.category"]) == (443, ["web", "network"])
    assert str(connect["@timestamp"])[5:19] == "10-05 14:21:04"
    assert ("source.ip" in nobody, nobody["event.outcome"]) == (False, "failure")


def test_every_kind_of_amazon_balancer() -> None:
    bare, waited, application, network = events(SENSOR, "\n".join(LINES[-6:-2]))
    assert (bare["event.category"], bare["source.bytes"], bare["destination.bytes"]) == (["network"], 82, 305)
    assert not {"url.original", "http.request.method", "http.request.bytes"} & set(bare)
    assert (waited["event.category"], waited["http.response.status_code"]) == (["web"], 504)
    assert str(application["event.start"])[11:23] == "08:10:02.364"
    assert application["trace.id"] == "Root=1-58337262-36d228ad5d99923122bbe354"
    assert (application["destination.domain"], application["cloud.provider"]) == ("www.corp.example", "aws")
    assert (network["tls.version"], network["destination.domain"]) == ("1.2", "vpn.corp.example")
    assert str(network["event.start"])[11:19] == "08:10:03"


def test_a_bucket_without_a_client_and_one_refused() -> None:
    expired, refused = events(SENSOR, "\n".join(LINES[-2:]))
    assert (expired["event.action"], expired["event.outcome"]) == ("S3.EXPIRE.OBJECT", "success")
    assert (refused["event.code"], refused["event.outcome"]) == ("AccessDenied", "failure")
    assert (refused["event.id"], refused["tls.version"]) == ("3E57427F3EXAMPLE", "1.2")
