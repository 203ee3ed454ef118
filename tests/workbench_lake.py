"""A small lake of the sample scenario for the commands of the workbench: dns, sign-ins, VPN, repositories."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import pytest
import yaml
from hunted import SAMPLES, Hunted, hunt, run

SCENARIO = SAMPLES / "scenario"
LOGS = ("zeek/dns.log.gz", "zeek/dhcp.log", "github", "okta", "vpn")
CONTEXT = ("roster.csv", "site.toml", "geo-city.mmdb", "geo-asn.mmdb")
OPTIONS = ("--roster", "--site", "--geo-city", "--geo-asn")


_MADE: list[Hunted] = []


def made(factory: pytest.TempPathFactory) -> Hunted:
    """A hunt over a part of the scenario, once for all tests; its lake is `lake` in its folder."""
    if not _MADE:
        _MADE.append(hunt(factory.mktemp("scenario"), *(SCENARIO / part for part in (*LOGS, *CONTEXT))))
    return _MADE[0]


def context() -> list[object]:
    """The options that give a command what the hunt had."""
    return [
        word for pair in zip(OPTIONS, (SCENARIO / name for name in CONTEXT), strict=True) for word in pair
    ]


def answer(*arguments: object, status: int = 0) -> dict[str, Any]:
    """What `molehunt rules ARGUMENTS --json` prints."""
    result = run("rules", *arguments, "--json")
    assert result.exit_code == status, result.output
    return dict(json.loads(result.stdout))


def rule(folder: Path, name: str, detection: dict[str, Any] | None, **more: object) -> Path:
    """Writes a rule on DNS lookups."""
    document = {
        "title": name.capitalize(),
        "id": str(uuid5(NAMESPACE_URL, name)),
        "name": name,
        "status": "test",
        "level": "low",
        "logsource": {"category": "dns"},
        "detection": detection,
        **more,
    }
    path = folder / f"{name}.yml"
    path.write_text(yaml.safe_dump({key: value for key, value in document.items() if value is not None}))
    return path
