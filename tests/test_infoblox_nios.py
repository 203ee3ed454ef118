"""Infoblox NIOS: DNS with answers, leases, the audit log; told apart from BIND and ISC's dhcpd."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from text_sensors import SAMPLES, accounted, broken_lines, events, sample_lines

from sensors import infoblox_nios
from sensors.sensor import claims

GRID = (SAMPLES / "infoblox_nios" / "grid.log").read_text("utf-8")
QUIET = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rows() -> list[dict[str, object]]:
    return events(infoblox_nios.SENSOR, GRID)


def test_each_part_of_the_sample_is_claimed_once() -> None:
    lines = GRID.splitlines(keepends=True)
    for part in (GRID, "".join(lines[:15]), "".join(lines[15:34]), "".join(lines[34:])):
        assert [sensor.name for sensor in claims(part.encode(), "x.log")] == ["infoblox_nios"]


def test_what_only_bind_says_stays_with_the_name_servers() -> None:
    asked = "client @0x7f 10.20.0.16#64727 (a.example): query: a.example IN A + (10.1.0.53)"
    bind = f"<30>Oct  5 09:00:03 ns named[1104]: {asked}\n"
    assert [sensor.name for sensor in claims(bind.encode(), "x.log")] == ["name_servers"]


def test_every_wording_but_the_strange_is_known() -> None:
    unknown = [row["log.file.line"] for row in rows() if "event.original" in row]
    assert unknown == [15]


def test_a_response_with_its_answers() -> None:
    first, text, missing = rows()[:3]
    assert (first["client.ip"], first["source.ip"], first["source.port"]) == ("10.20.0.15",) * 2 + (51544,)
    assert first["dns.answers.name"] == ["intranet.corp.example", "web.corp.example"]
    assert first["dns.answers.data"] == ["web.corp.example", "10.1.0.80"]
    assert first["dns.answers.ttl"] == ["3600", "300"]
    assert first["dns.resolved_ip"] == ["10.1.0.80"]
    assert first["dns.header_flags"] == ["AA", "DO", "RA"]
    assert str(first["@timestamp"]) == "2026-10-05 09:00:00.123000+00:00"
    assert text["dns.answers.data"] == ['"v=spf1 -all"', '"a;b"']
    assert (text["network.transport"], text["infoblox_nios.log.view"]) == ("tcp", "2")
    assert (text["host.domain"], text["host.ip"]) == ("ns1.corp.example", ["10.1.0.53"])
    assert (missing["dns.response_code"], missing["event.outcome"]) == ("NXDOMAIN", "failure")


def test_leases_say_which_computer_got_which_address() -> None:
    by_line = {row["log.file.line"]: row for row in rows()}
    lease = by_line[20]
    assert (lease["event.dataset"], lease["event.action"]) == ("infoblox_nios.dhcp", "dhcpack")
    assert (lease["source.ip"], lease["source.mac"]) == ("10.20.0.15", "00-50-56-9C-1A-2B")
    assert (lease["host.name"], lease["event.outcome"]) == ("PC-MLINDQVIST", "success")
    assert lease["infoblox_nios.log.dhcp.lease.duration"] == "43200"
    assert lease["infoblox_nios.log.dhcp.uid"] == "01:00:50:56:9c:1a:2b"
    assert by_line[22]["event.type"] == ["protocol", "denied"]
    assert by_line[31]["event.action"] == "reverse_map_update"


def test_the_audit_log_keeps_its_own_time() -> None:
    by_line = {row["log.file.line"]: row for row in rows()}
    allowed, denied, created = by_line[35], by_line[36], by_line[39]
    assert str(allowed["@timestamp"]) == "2026-10-05 09:02:00.299000+00:00"
    assert (allowed["user.name"], allowed["source.ip"]) == ("admin", "198.51.100.7")
    assert (denied["user.name"], denied["event.outcome"]) == ("b ray", "failure")
    assert denied["event.reason"] == "invalid login or password"
    assert (created["event.action"], created["event.type"]) == ("created", ["creation"])
    assert created["infoblox_nios.log.audit.object.value"] == "192.0.2.0/24"


@QUIET
@given(broken_lines(sample_lines("infoblox_nios")))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    accounted(infoblox_nios.SENSOR, content)


def test_rarer_wordings() -> None:
    query, solicit, advertise, answer, update, deleted = rows()[-6:]
    assert (query["event.action"], query["source.ip"]) == ("dhcpleasequery", "10.20.0.1")
    assert (solicit["event.action"], solicit["source.port"]) == ("encapsulated solicit", 547)
    assert solicit["infoblox_nios.log.dhcp.duid"] == "00:01:00:01:2c:3d"
    assert advertise["event.action"] == "encapsulating advertise"
    assert (answer["dns.response_code"], answer["dns.resolved_ip"]) == ("NOERROR", ["198.51.100.9"])
    assert (update["event.action"], update["dns.question.name"]) == ("dns-update", "corp.example")
    assert deleted["user.name"] == "b ray"


def test_names_with_blanks_without_a_sign_in() -> None:
    (row,) = events(infoblox_nios.SENSOR, GRID.splitlines()[-1])
    assert (row["user.name"], "user.domain" in row) == ("b ray", False)
