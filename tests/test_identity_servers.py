"""Keycloak, ForgeRock, authentik, Bitwarden: samples, meaning, hostile content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from json_sensors import broken
from json_sensors import events as timed_or_not
from text_sensors import SAMPLES, Row, broken_lines, events, source_of

from sensors import authentik, bitwarden, forgerock, keycloak
from sensors.sensor import claims

if TYPE_CHECKING:
    from pathlib import Path

    from sensors.sensor import Sensor

ALL: dict[str, Sensor] = {
    sensor.name: sensor for sensor in (authentik.SENSOR, bitwarden.SENSOR, forgerock.SENSOR, keycloak.SENSOR)
}
FILES = [path for name in ALL for path in sorted((SAMPLES / name).iterdir())]
FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
JSON = [path for path in FILES if path.read_bytes().startswith(b"{")]


def rows_of(folder: str, name: str) -> list[Row]:
    return events(ALL[folder], source_of((SAMPLES / folder / name).read_bytes()))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_sample_is_claimed_by_one_sensor_and_read_wholly(path: Path) -> None:
    content = path.read_bytes()
    assert [one.name for one in claims(content, path.name)] == [path.parent.name]
    source = source_of(content)
    assert events(ALL[path.parent.name], source)
    assert source.unread == []


def test_keycloak_events_of_users() -> None:
    rows = rows_of("keycloak", "keycloak.log")
    failed, login, logout = rows[1:4]
    assert (failed["event.action"], failed["event.outcome"], failed["event.code"]) == (
        "LOGIN_ERROR",
        "failure",
        "user_not_found",
    )
    assert failed["user.name"] == failed["user.email"] == "eve@corp.example"
    assert "user.id" not in failed
    assert failed["source.ip"] == "203.0.113.9"
    assert failed["keycloak.realm.name"] == "Corp Staff"
    assert failed["url.original"].endswith("x=1, y=2")
    assert login["keycloak.realm.id"] == "Corp Staff"
    assert (login["event.type"], logout["event.type"]) == (["info", "start"], ["info", "end"])
    assert login["user.id"] == login["source.user.id"] == "ce637d23-b89c-4fca-9088-1aea1d053e19"


def test_keycloak_events_of_administrators_and_the_rest() -> None:
    rows = rows_of("keycloak", "keycloak.log")
    assert rows[4]["event.action"] == "CREATE-USER"
    assert rows[4]["event.type"] == ["info", "admin", "creation"]
    assert rows[4]["user.target.id"] == "d043d5af-6100-483a-9c41-b1a30d5149f7"
    assert rows[5]["message"].endswith("Caused by: java.net.ConnectException")
    assert rows[5]["log.level"] == "ERROR"
    assert "event.category" not in rows[5]


def test_keycloak_in_json() -> None:
    row = rows_of("keycloak", "keycloak.json")[0]
    assert (row["user.name"], row["source.ip"], row["host.name"]) == ("ann.lee", "203.0.113.9", "sso-01")
    row = rows_of("keycloak", "keycloak_ecs.json")[0]
    assert (row["event.code"], row["log.logger"]) == ("user_not_found", "org.keycloak.events")


def test_authentik() -> None:
    login, failed, changed, custom = rows_of("authentik", "events.json")
    assert (login["event.category"], login["event.type"]) == (["authentication"], ["start"])
    assert (login["user.name"], login["user.id"], login["user.domain"]) == ("ann.lee", "4", "corp.example")
    assert (failed["user.name"], failed["event.outcome"]) == ("eve", "failure")
    assert (changed["event.action"], changed["user.target.name"]) == ("model-updated", "bob")
    assert "event.original" in custom
    log = rows_of("authentik", "server.log")
    assert [row["event.action"] for row in log[:3]] == ["invalid-login", "request", "login"]
    assert (log[0]["user.name"], log[0]["source.ip"]) == ("eve", "203.0.113.9")
    assert (log[1]["http.response.status_code"], log[1]["url.path"]) == (403, "/api/v3/core/users/")
    assert log[2]["user.email"] == "ann.lee@corp.example"


def test_bitwarden() -> None:
    login, failed, export, other, unknown = rows_of("bitwarden", "events.json")
    assert (login["event.action"], login["event.outcome"]) == ("User_LoggedIn", "success")
    assert (failed["event.outcome"], failed["source.ip"]) == ("failure", "203.0.113.9")
    assert export["event.action"] == "Organization_ClientExportedVault"
    assert export["bitwarden.event.device.name"] == "LinuxCLI"
    assert other["user.id"] == "11111111-8208-4dc6-b842-030428a1cfad"
    assert other["source.user.id"] == "3767a302-8208-4dc6-b842-030428a1cfad"
    assert "event.original" in unknown
    assert unknown["event.code"] == "9999"


def test_forgerock_says_what_its_times_are_in() -> None:
    record = json.loads((SAMPLES / "forgerock" / "tenant.json").read_text("utf-8").splitlines()[0])
    took = []
    for unit in ("MILLISECONDS", "MICROSECONDS", "NANOSECONDS"):
        record["payload"]["response"] = {"status": "SUCCESSFUL", "elapsedTime": 7, "elapsedTimeUnits": unit}
        (row,) = events(forgerock.SENSOR, source_of(json.dumps(record).encode()))
        took.append(row["event.duration"])
    assert took == [7_000_000, 7_000, 7]


def test_forgerock() -> None:
    rows = rows_of("forgerock", "tenant.json")
    assert [row["event.dataset"].removeprefix("forgerock.") for row in rows] == [
        "am_access", "am_authentication", "am_activity", "am_config", "am_core", "idm_activity", "idm_sync",
    ]  # fmt: skip
    access, login, session, config = rows[:4]
    assert (access["event.duration"], access["http.response.status_code"]) == (22_000_000, 200)
    assert (access["user.name"], access["client.port"], access["url.path"]) == (
        "ann.lee",
        50112,
        "/am/json/realms/root/authenticate",
    )
    assert (login["user.name"], login["source.ip"], login["event.outcome"]) == (
        "eve",
        "203.0.113.9",
        "failure",
    )
    assert session["event.category"] == ["session"]
    assert "user.name" not in session  # an identifier is no name
    assert config["user.effective.id"] == "id=dsameuser,ou=user,ou=am-config"
    local = rows_of("forgerock", "authentication.audit.json")
    assert [row["event.type"] for row in local] == [["start"], ["end"]]
    assert {row["event.dataset"] for row in local} == {"forgerock.am_authentication"}


@FEW
@given(st.data())
def test_broken_json_raises_nothing_and_does_not_vanish(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(JSON))
    content = data.draw(broken(path.read_bytes()))
    source = source_of(content)
    rows = timed_or_not(ALL[path.parent.name], source)
    assert rows or source.unread or not content.strip()


@FEW
@given(broken_lines((SAMPLES / "keycloak" / "keycloak.log").read_text("utf-8").splitlines()))
def test_broken_lines_raise_nothing(content: str) -> None:
    source = source_of(content)
    rows = events(keycloak.SENSOR, source)
    assert [row["log.offset"] for row in rows] == sorted({row["log.offset"] for row in rows})
    assert rows or source.unread or not content.strip()
