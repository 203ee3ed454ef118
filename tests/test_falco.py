"""Falco: what system calls are, files, techniques and ports of alerts."""

from __future__ import annotations

import json

import pytest
from text_sensors import Row, events, sample_lines, source_of

from sensors.falco import SENSOR

ROWS = events(SENSOR, source_of("\n".join(sample_lines("falco"))))


def has(row: Row, wanted: Row) -> None:
    assert {name: row.get(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("openat2", "access"), ("access", "access"), ("readlinkat", "access"), ("ptrace", "admin"),
        ("finit_module", "allowed"), ("close", "change"), ("fchmodat", "change"), ("lchown32", "change"),
        ("setsockopt", "change"), ("setfsuid", "change"), ("setup", "change"), ("prlimit", "change"),
        ("recvmmsg", "connection"), ("sendfile64", "connection"), ("connect", "connection"),
        ("clone", "creation"), ("clone3", "creation"), ("dup2", "creation"), ("memfd_create", "creation"),
        ("lremovexattr", "deletion"), ("unlinkat", "deletion"), ("exit_group", "end"), ("setgroups", "group"),
        ("ipc", "protocol"), ("execveat", "start"), ("userfaultfd", "user"), ("getpid", "info"),
        ("listen", "info"), ("readx", "info"),
    ],
)  # fmt: skip
def test_types_are_told_by_system_calls(call: str, kind: str) -> None:
    record = json.loads(sample_lines("falco")[0])
    record["output_fields"]["evt.type"] = call
    (row,) = events(SENSOR, source_of(json.dumps(record)))
    assert row["event.type"] == [kind]


def test_files_are_named_where_a_file_was_opened() -> None:
    has(ROWS[-2], {"file.path": "/usr/bin/payctl", "file.directory": "/usr/bin", "file.name": "payctl"})
    has(
        ROWS[-2],
        {"file.type": "file", "file.inode": "7321", "event.sequence": 90112, "process.thread.id": 133},
    )
    has(ROWS[-2], {"container.runtime": "containerd", "orchestrator.type": "kubernetes"})
    has(ROWS[-1], {"client.port": 50122, "server.port": 443, "file.path": None})


def test_subtechniques_are_of_a_technique() -> None:
    has(ROWS[-2], {"threat.technique.id": ["T1222"], "threat.technique.subtechnique.id": ["T1222.002"]})
    has(ROWS[-1], {"threat.technique.id": None, "threat.technique.subtechnique.id": None})
