"""Menlo, Forcepoint, Snyk and Panther: sensors that are a table of datasets and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audit_trails import BROKEN, SAMPLES, accounted, claimed, shown
from hypothesis import given
from hypothesis import strategies as st
from json_sensors import MakeSource, broken, events, frame_of
from table_sensors import unsampled

from sensors import forcepoint_web, menlo, panther_audit, snyk

if TYPE_CHECKING:
    from sensors.shapes.dataset_tables import DatasetTables

ALL = (menlo.SENSOR, forcepoint_web.SENSOR, snyk.SENSOR, panther_audit.SENSOR)


def _sample(sensor: DatasetTables) -> bytes:
    return (SAMPLES / sensor.name / f"{sensor.name}.ndjson").read_bytes()


@pytest.mark.parametrize("sensor", ALL, ids=lambda sensor: sensor.name)
def test_samples_are_claimed_by_one_sensor_and_wholly_read(source: MakeSource, sensor: DatasetTables) -> None:
    assert claimed(SAMPLES / sensor.name / f"{sensor.name}.ndjson") == [sensor.name]
    made = source(_sample(sensor))
    rows = events(sensor, made)
    assert not made.unread
    assert len(rows) == _sample(sensor).count(b"\n")
    assert not unsampled(sensor, rows)
    assert all(str(row["@timestamp"]).startswith("2026-10-05 08:00:0") for row in rows)


def test_menlo(source: MakeSource) -> None:
    web, upload, dlp = events(menlo.SENSOR, source(_sample(menlo.SENSOR)))
    wanted = {
        "source.ip": "203.0.113.20",
        "destination.ip": "198.51.100.80",
        "user.name": "mara.quist",
        "event.action": "isolate",
        "event.outcome": "failure",
        "url.path": "/a",
        "observer.ip": ["192.0.2.9"],
        "http.request.referrer": None,
        "file.name": None,
    }
    assert shown(web, wanted) == wanted
    assert (upload["file.size"], upload["event.outcome"], upload["source.user.name"]) == (
        1024,
        "success",
        "ivo",
    )
    assert (dlp["event.category"], dlp["rule.name"], dlp["url.domain"]) == (
        ["malware", "network"], "PII", "mail.example",
    )  # fmt: skip


def test_forcepoint(source: MakeSource) -> None:
    rows = events(forcepoint_web.SENSOR, source(_sample(forcepoint_web.SENSOR)))
    assert frame_of(rows, "user.name", "user.domain", "url.original", "event.outcome", "source.nat.ip") == [
        ("mquist", "CORP", "https://files.example:443/", "success", "203.0.113.20"),
        ("ivo.brandt", "corp.example", "http://paste.example/new?x=1", "failure", "203.0.113.20"),
    ]
    assert (rows[0]["host.name"], rows[0]["http.request.method"]) == ("LT-QUIST-01", "CONNECT")
    assert "destination.ip" not in rows[1]


def test_snyk(source: MakeSource) -> None:
    rows = events(snyk.SENSOR, source(_sample(snyk.SENSOR)))
    assert frame_of(rows, "event.action", "event.category", "event.type", "user.id") == [
        ("org.user.add", ["iam"], ["user", "creation"], "u1"),
        ("org.project.file.access", ["configuration"], ["access"], "u1"),
        ("group.service_account.create", ["configuration"], ["creation"], "u1"),
        ("org.settings.edit", ["configuration"], ["change"], "u2"),
        ("org.user.remove", ["iam"], ["user", "deletion"], "u2"),
        ("user.logged_in", ["iam"], ["user"], "u1"),
        (None, ["vulnerability"], ["info"], None),
    ]
    assert rows[0]["related.user"] == ["u1", "new@corp.example"]
    assert rows[6]["vulnerability.severity"] == "high"


def test_panther(source: MakeSource) -> None:
    rows = events(panther_audit.SENSOR, source(_sample(panther_audit.SENSOR)))
    assert frame_of(rows, "event.category", "event.type", "event.outcome", "source.ip", "user.name") == [
        (["iam"], ["creation"], "success", "203.0.113.20", "mara.quist"),
        (["iam"], ["change"], "failure", "2001:db8::9", None),
        (["authentication", "session"], ["start"], "success", "203.0.113.20", "mara.quist"),
    ]
    assert rows[1]["user.target.email"] == "ivo.brandt@corp.example"


@pytest.mark.parametrize("sensor", ALL, ids=lambda sensor: sensor.name)
@pytest.mark.parametrize("head", [b"", b'{"event":"x"}', b'{"event":{},"created":"x"}', b"actionName,x"])
def test_other_logs_are_not_claimed(sensor: DatasetTables, head: bytes) -> None:
    assert not sensor.sniff(head, "x.json")


@BROKEN
@given(data=st.data())
def test_broken_input_never_stops_and_never_vanishes(source: MakeSource, data: st.DataObject) -> None:
    sensor = data.draw(st.sampled_from(ALL))
    assert accounted(sensor, source(data.draw(broken(_sample(sensor)))))
