"""FortiGate and FortiProxy: samples, VPN sessions, times without a zone, hostile lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, example, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, golden, sample_lines, source_of

from sensors import fortigate, fortiproxy
from sensors.sensor import claims

LINES = sample_lines("fortigate")
PROXY_LINES = sample_lines("fortiproxy")


@pytest.mark.parametrize("sensor", [fortigate.SENSOR, fortiproxy.SENSOR], ids=lambda sensor: sensor.name)
def test_samples_give_the_golden_events_and_are_claimed_by_one_sensor(sensor: fortigate.FortiGate) -> None:
    for path in (SAMPLES / sensor.name).iterdir():
        assert [found.name for found in claims(path.read_bytes(), path.name)] == [sensor.name]
    golden(sensor, sensor.name)


def test_other_lines_of_keys_are_not_its_own() -> None:
    assert not fortigate.SENSOR.sniff(b'date=2026-10-05 time=1 a="b" type="x"\n', "x.log")
    assert not fortigate.SENSOR.sniff(b"", "x.log")
    cef = b"Oct  5 08:00:00 f CEF:0|Fortinet|Fortigate|v7|00013|traffic:forward|3|FTNTFGTlogid=0000000013\n"
    assert not fortigate.SENSOR.sniff(cef, "x.log")


def test_a_vpn_session_from_its_beginning_to_its_end() -> None:
    up, down, failed, ipsec = events(fortigate.SENSOR, "\n".join(LINES))[3:7]
    assert up["source.ip"] == down["source.ip"] == "198.51.100.57"
    assert up["source.nat.ip"] == down["source.nat.ip"] == "10.97.0.11"
    assert up["user.name"] == up["source.user.name"] == "mrossi"
    assert (up["event.category"], up["event.type"]) == (["network", "session"], ["connection", "start"])
    assert (down["source.bytes"], down["destination.bytes"]) == (71_190_233, 901_188_412)
    assert down["event.start"] == datetime(2026, 10, 5, 12, 1, 12, tzinfo=UTC)
    assert down["event.end"] == down["@timestamp"] == datetime(2026, 10, 5, 20, 31, 40, tzinfo=UTC)
    assert (failed["event.outcome"], failed["user.name"], failed["user.domain"]) == (
        "failure",
        "dkim",
        "CORP",
    )
    assert (ipsec["user.name"], ipsec["source.nat.ip"], ipsec["source.port"]) == ("esato", "10.97.4.2", 4500)
    assert ipsec["destination.ip"] == "198.51.100.1"


def test_a_line_without_a_zone_has_the_time_of_its_epoch_if_a_zone_explains_it() -> None:
    def moment(keys: str, zone: str = "UTC", *, given: bool = False) -> tuple[datetime, object]:
        line = f'{keys} logid="0000000013" type="traffic" subtype="forward" level="notice"'
        (row,) = events(fortigate.SENSOR, source_of(line, zone=zone, given=given))
        return row["@timestamp"], row.get("molehunt.guess")

    local = "date=2026-10-05 time=08:00:00"
    noon = datetime(2026, 10, 5, 12, tzinfo=UTC)
    assert moment(f"{local} eventtime=1791201600") == (noon, None)
    assert moment(f"{local} eventtime=1491201600", zone="America/New_York") == (noon, ["zone"])
    assert moment(f"{local} eventtime=1491201600", zone="America/New_York", given=True) == (noon, None)
    assert moment(f'{local} tz="UTC-4:00"') == (noon, None)
    assert moment("eventtime=1791201600000000000") == (noon, None)


def test_what_a_shipper_put_into_json_is_read() -> None:
    line = LINES[7].replace('"', '\\"')
    (row,) = events(fortigate.SENSOR, f'{{\\"message\\":\\"{line}\\"}}')
    assert row["source.ip"] == "10.20.31.7"
    assert row["event.code"] == "0000000013"


def test_an_unknown_kind_keeps_its_text() -> None:
    row = next(row for row in events(fortigate.SENSOR, "\n".join(LINES)) if row["event.code"] == "9900000001")
    assert "no manual names" in row["event.original"]
    assert row["observer.name"] == "NYC-FGT-1"


def test_a_request_through_the_proxy() -> None:
    row = events(fortiproxy.SENSOR, PROXY_LINES[1])[0]
    assert row["client.ip"] == row["source.ip"] == "10.20.31.7"
    assert (row["url.domain"], row["http.response.status_code"]) == ("files.example.net", 200)
    assert (row["http.request.method"], row["http.request.bytes"]) == ("POST", 250)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(broken_lines([*LINES, *PROXY_LINES]))
@example('date=2026-13-45 time=99:99:99 tz="+9999" logid=1 eventtime=99999999999999999999')
@example('logid="0000000013" type=event subtype=vpn duration=9223372036854775807 remip=1.2.3.4 sentbyte=x')
def test_nothing_breaks_it_and_nothing_vanishes(content: str) -> None:
    accounted(fortigate.SENSOR, content)
    accounted(fortiproxy.SENSOR, content)
