from __future__ import annotations

import json
from collections import Counter

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of
from table_sensors import unsampled

from sensors import cloudflare

SAMPLE = SAMPLES / "cloudflare" / "logpush.ndjson"
_NAME = "cloudflare_logpush."


def test_the_sample_is_claimed_by_this_sensor_alone() -> None:
    assert claimed(SAMPLE) == ["cloudflare"]
    head = b"\n".join(SAMPLE.read_bytes().splitlines()[13:15])
    assert cloudflare.SENSOR.sniff(head, "requests.json")


def test_every_dataset_is_read_and_in_order(source: MakeSource) -> None:
    made = source(SAMPLE.read_bytes())
    rows = events(cloudflare.SENSOR, made)
    assert not made.unread
    assert not unsampled(cloudflare.SENSOR, rows)
    assert [row["log.file.line"] for row in rows] == list(range(1, 27))
    assert Counter(str(row["@timestamp"])[:10] for row in rows) == {"2026-10-05": 26}


def test_sign_ins_at_access(source: MakeSource) -> None:
    rows = events(cloudflare.SENSOR, source(SAMPLE.read_bytes()))
    allowed, denied = rows[:2]
    wanted = {
        "event.action": "login",
        "event.type": ["access", "allowed"],
        "event.outcome": "success",
        "source.ip": "203.0.113.20",
        "client.ip": "203.0.113.20",
        "user.email": "mara.quist@corp.example",
        "source.user.name": "mara.quist",
        "destination.domain": "wiki.corp.example",
        "client.geo.country_iso_code": "DE",
    }
    assert shown(allowed, wanted) == wanted
    assert (denied["event.type"], denied["event.outcome"]) == (["access", "denied"], "failure")
    assert denied["source.ip"] == "2001:db8::20"


def test_audit_logs_of_four_shapes_mean_the_same(source: MakeSource) -> None:
    rows = [row for row in events(cloudflare.SENSOR, source(SAMPLE.read_bytes()))
            if row["event.dataset"] == "cloudflare.audit"]  # fmt: skip
    assert frame_of(rows, "event.action", "event.category", "event.type", "event.outcome", "source.ip") == [
        ("token_create", ["iam"], ["creation"], "success", "198.51.100.7"),
        ("delete", ["configuration"], ["deletion"], "failure", "198.51.100.7"),
        ("rec_add", ["configuration"], ["creation"], "success", "198.51.100.7"),
        ("login", ["authentication"], ["info"], "success", "198.51.100.7"),
    ]


def test_verdicts_and_sessions(source: MakeSource) -> None:
    rows = {row["event.dataset"]: row for row in events(cloudflare.SENSOR, source(SAMPLE.read_bytes()))}
    blocked, session, ssh = (rows[_NAME + name] for name in ("gateway_http", "network_session", "ssh"))
    assert (blocked["event.type"], blocked["event.outcome"]) == (["info", "denied"], "failure")
    assert (blocked["url.domain"], blocked["url.path"], blocked["url.query"]) == (
        "files.outside.example", "/up/plan.zip", "x=1",
    )  # fmt: skip
    assert (session["source.nat.ip"], session["source.bytes"], session["network.transport"]) == (
        "100.96.0.7", 2333, "tcp",
    )  # fmt: skip
    assert session["related.ip"] == ["203.0.113.20", "198.51.100.80", "198.51.100.200"]
    assert (ssh["source.ip"], ssh["destination.port"], ssh["process.command_line"]) == (
        "203.0.113.20", 22, "cat /etc/shadow",
    )  # fmt: skip
    assert rows[_NAME + "gateway_dns"]["dns.resolved_ip"] == ["198.51.100.60", "198.51.100.61"]
    assert rows[_NAME + "gateway_network"]["event.type"] == ["info"]
    assert rows[_NAME + "email_security_alerts"]["file.name"] == "invoice.zip"


def test_what_is_of_no_dataset_or_without_a_time_is_named(source: MakeSource) -> None:
    record = json.loads(SAMPLE.read_text().splitlines()[0]) | {"CreatedAt": "soon"}
    made = source(SAMPLE.read_text() + json.dumps(record) + '\n{"ColoCode":"FRA"}\n')
    assert len(events(cloudflare.SENSOR, made)) == 26
    assert sorted(unread.line or 0 for unread in made.unread) == [27, 28]


@pytest.mark.parametrize("head", [b"", b'{"QueryName":"x"}', b'{"action":"login","actor":"x","when":1}'])
def test_other_logs_are_not_claimed(head: bytes) -> None:
    assert not cloudflare.SENSOR.sniff(head, "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    lines = SAMPLE.read_bytes().splitlines(keepends=True)
    few = b"".join(data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=3)))
    assert accounted(cloudflare.SENSOR, source(data.draw(broken(few))))


@pytest.mark.parametrize(("code", "outcome"), [(0, "success"), (3, "failure")])
def test_a_query_of_the_gateway_ended_as_its_code_says(source: MakeSource, code: int, outcome: str) -> None:
    record = json.loads(SAMPLE.read_bytes().splitlines()[10])
    record |= {"RCode": code, "ResolverDecision": "allowedOnNoPolicyMatch"}
    rows = events(cloudflare.SENSOR, source(json.dumps(record)))
    assert frame_of(rows, "event.outcome", "dns.response_code") == [(outcome, str(code))]
