"""Logs of self-hosted applications: samples, meaning, what comes by syslog, hostile content."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from json_sensors import broken
from text_sensors import SAMPLES, Row, broken_lines, events, golden, source_of

from sensors import linux_auth, unix_syslog
from sensors.application_logins import SENSOR
from sensors.application_logins.products import products
from sensors.sensor import claims
from sensors.shapes import message_forms

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted((SAMPLES / "application_logins").iterdir())
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def rows_of(name: str) -> list[Row]:
    return events(SENSOR, source_of((SAMPLES / "application_logins" / name).read_bytes()))


def test_golden() -> None:
    golden(SENSOR, "application_logins")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_sample_is_claimed_by_this_sensor_alone_and_read_wholly(path: Path) -> None:
    content = path.read_bytes()
    assert [one.name for one in claims(content, path.name)] == ["application_logins"]
    source = source_of(content)
    assert events(SENSOR, source)
    assert source.unread == []


def test_every_product_has_a_sample_or_comes_by_syslog() -> None:
    told = {row["event.module"] for path in FILES for row in rows_of(path.name)}
    syslog = (SAMPLES / "unix_syslog" / "applications.log").read_text("utf-8")
    told |= {row["event.module"] for row in events(unix_syslog.SENSOR, syslog)}
    assert told == set(products())


def test_the_expressions_of_every_product_are_read() -> None:
    for name, product in products().items():
        known = message_forms.forms(f"application_logins/messages/{name}")
        assert list(known.of) == [name]
        for form in known.meanings["event.action"]:
            assert form
        re.compile(product.says)
        re.compile(product.only)


def test_a_name_that_is_an_address_of_mail_stays_whole() -> None:
    row = rows_of("vaultwarden.log")[0]
    assert row["user.name"] == row["source.user.name"] == row["user.email"] == "ann.lee@corp.example"
    assert row["related.ip"] == ["198.51.100.7"]


def test_times_of_other_zones_and_of_none() -> None:
    rows = rows_of("vaultwarden.log")
    assert rows[3]["@timestamp"].isoformat() == "2026-10-05T07:02:04.725000+00:00"
    assert "molehunt.guess" not in rows[3]
    assert rows[0]["molehunt.guess"] == ["zone"]
    assert rows_of("webmin.log")[0]["@timestamp"].isoformat() == "2026-10-05T15:07:14+00:00"


def test_lines_that_begin_no_record_belong_to_the_one_before() -> None:
    rows = rows_of("zimbra_mailbox.log")
    assert [row["log.file.line"] for row in rows] == [1, 4, 5, 6]
    assert rows[0]["event.outcome"] == "failure"
    assert rows[0]["message"].endswith("at com.zimbra.cs.account.Provisioning")


def test_what_was_taken_is_a_file_and_its_size() -> None:
    rows = rows_of("sftpgo.json")
    assert [row.get("event.action") for row in rows][1:5] == ["download", "upload", "rename", "delete"]
    assert (rows[1]["file.path"], rows[1]["file.size"]) == ("/payroll/2026.zip", 73_400_320)
    assert rows_of("vsftpd.log")[2]["file.size"] == 73_400_320


def test_applications_in_syslog() -> None:
    lines = (SAMPLES / "unix_syslog" / "applications.log").read_text("utf-8")
    rows = events(unix_syslog.SENSOR, lines)
    assert len(rows) == len(lines.splitlines())
    told = [
        (row["event.module"], row.get("event.action"), row.get("user.name"), row.get("source.ip"))
        for row in rows
    ]
    assert told[0] == ("proxmox", "login", "root", "2001:db8::7")
    assert told[5] == ("webmin", "login", "ann.lee", "198.51.100.7")
    assert told[8] == ("proftpd", "login", "eve", "203.0.113.9")
    assert told[12] == ("openldap", "login", "ann.lee", "198.51.100.7")  # its address and name came before
    assert rows[12]["event.outcome"] == "failure"
    assert told[14] == ("lemonldap_ng", "login", "ann.lee", "198.51.100.7")
    assert told[17] == ("meshcentral", "login", "eve", "203.0.113.9")
    assert told[19] == ("screen_sharing", "login", "ann lee ()", "203.0.113.9")
    assert told[-1] == ("vaultwarden", "login", "eve@corp.example", "203.0.113.9")
    assert rows[-1]["event.reason"] == "Username or password is incorrect. Try again"
    assert all("event.original" not in row for row in rows)


def test_applications_among_logins() -> None:
    lines = (
        "Oct  5 09:00:00 hv-01 sshd[7]: Accepted password for ann.lee from 198.51.100.7 port 4000 ssh2\n"
        "Oct  5 09:00:01 hv-01 pvedaemon[8]: <ann.lee@pve> successful auth for user 'ann.lee@pve'\n"
        "Oct  5 09:00:02 hv-01 vsftpd: pam_unix(vsftpd:auth): authentication failure; logname= uid=0 euid=0 "
        "tty=ftp ruser=eve rhost=203.0.113.9\n"
    )
    rows = events(linux_auth.SENSOR, lines)
    assert [row["event.dataset"] for row in rows] == ["system.auth", "proxmox.log", "system.auth"]
    assert [row["user.name"] for row in rows] == ["ann.lee", "ann.lee", "eve"]


@pytest.mark.parametrize(
    "text",
    [
        '{"level":"info","msg":"started","time":"2026-10-05T09:00:00Z"}\n',
        'time="2026-10-05T09:00:00Z" level=info msg="started"\n',
        "2026-10-05 21:55:37.311 -05:00 [INF] Application started.\n",
        "2026-10-05 19:29:15,744 INFO  [main] [] cache - Initializing\n",
        '{"asctime": "2026", "levelname": "INFO", "funcName": "f", "message": "x"}\n',
        "[2026-10-05 16:10:11.219][app::api][ERROR] failed\n",
    ],
)
def test_logs_of_the_same_form_are_not_taken(text: str) -> None:
    assert not SENSOR.sniff(text.encode(), "x.log")


HEADS = {"vaultwarden.log": 9, "sftpgo.json": 7, "authelia.log": 5}
LINES = [line for path in FILES for line in path.read_text("utf-8").splitlines()]


@FEW
@given(broken_lines(LINES))
def test_broken_lines_raise_nothing_and_do_not_vanish(content: str) -> None:
    for product, number in HEADS.items():
        head = (SAMPLES / "application_logins" / product).read_text("utf-8")
        source = source_of(head + content)
        source.head = head.encode()
        rows = events(SENSOR, source)
        assert [row["log.offset"] for row in rows] == sorted({row["log.offset"] for row in rows})
        assert len(rows) + len(source.unread) >= number


@FEW
@given(broken((SAMPLES / "application_logins" / "kasm.json").read_bytes()))
def test_broken_json_raises_nothing(content: bytes) -> None:
    source = source_of(content)
    assert events(SENSOR, source) or source.unread or not content.strip()
