"""What tools are known by: the table that comes along is sound, and mistakes are told with their line."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
import yaml

from analysis.sigma import RulePack, bundled_rules
from analysis.tools import load, named
from analysis.tools.table import GENERIC, KINDS, TOOL_KINDS

TABLE = load()
GOOD = """
tool: Example
kind: remote_access
facts:
  - names: [tool.example]
    basis: its maker's page
    date: 2026-11-22
"""
# The tools that captures are asked about.
ASKED = [
    "AnyDesk", "TeamViewer", "RustDesk", "Chrome Remote Desktop", "Splashtop", "Parsec",
    "ScreenConnect", "LogMeIn", "GoTo", "NoMachine", "Radmin", "DWService", "ToDesk",
    "UltraViewer", "Zoho Assist", "Quick Assist",
    "VS Code tunnel", "ngrok", "Cloudflare Tunnel", "PiKVM", "TinyPilot", "JetKVM", "NanoKVM",
    "GL.iNet Comet",
    "Astrill", "WireGuard", "OpenVPN", "IPsec", "L2TP", "PPTP", "SSTP", "SoftEther", "Tailscale", "ZeroTier",
]  # fmt: skip


def test_the_table_that_comes_along_is_sound() -> None:
    assert list(map(str, TABLE.errors)) == []
    assert set(ASKED) <= set(TABLE.tools)
    assert len(TABLE.tools) >= 200
    for fact in TABLE.facts:
        assert fact.kind in KINDS
        assert fact.tool_kind in TOOL_KINDS
        assert fact.basis.strip()
        assert fact.date >= dt.date(2026, 11, 1)


def test_a_tool_is_one_kind_and_a_value_one_tools() -> None:
    kinds: dict[str, set[str]] = {}
    owners: dict[tuple[str, str], set[str]] = {}
    for fact in TABLE.facts:
        kinds.setdefault(fact.tool, set()).add(fact.tool_kind)
        for value in fact.values:
            owners.setdefault((fact.kind, str(value)), set()).add(fact.tool)
    assert {tool: kind for tool, kind in kinds.items() if len(kind) > 1} == {}
    assert {value: tools for value, tools in owners.items() if len(tools) > 1} == {}


def test_nobody_owns_a_name_that_everybody_uses() -> None:
    names = {value for fact in TABLE.of("names") for value in fact.values}
    assert not names & GENERIC
    assert not {name for name in names if any(one == name or one.endswith("." + name) for one in GENERIC)}


@pytest.mark.parametrize(
    "rule",
    [
        "remote_control/remote_access",
        "remote_control/tunnel_service",
        "remote_control/kvm_vendor",
        "access/consumer_vpn",
        "access/astrill",
    ],
)
def test_what_the_rules_look_for_has_a_tool(rule: str) -> None:
    path = bundled_rules() / f"{rule}_dns.yml"
    selection = yaml.safe_load(path.read_text("utf-8"))["detection"]["selection"]
    names = next(item["dns.question.name"] for item in selection if "dns.question.name" in item)
    told = named(pl.DataFrame({"dns.question.name": names}), TABLE)
    lost = [name for name, tool in zip(names, told["molehunt.tool.name"], strict=True) if tool is None]
    assert lost == []


def test_facts_are_no_rules() -> None:
    pack = RulePack.load([bundled_rules() / "remote_control" / "tools"])
    assert not pack.rules
    assert not pack.errors


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("tool: Example", "tool: ''", 2, "`tool:` is missing"),
        ("kind: remote_access", "kind: magic", 3, "'magic'"),
        ("facts:", "author: me\nfacts:", 4, "'author' is not a key of a tool"),
        ("[tool.example]", "[tool.example]\n    alpn: x", 5, "a fact has one of"),
        ("[tool.example]", "['*.tool.example']", 5, "without a star"),
        ("[tool.example]", "[amazonaws.com]", 5, "everybody's"),
        ("[tool.example]", "[]", 5, "has no value"),
        ("names: [tool.example]", "ports: [tcp/99999]", 5, "no port"),
        ("names: [tool.example]", "ports: [443]", 5, "not a text"),
        ("names: [tool.example]", "mac_prefixes: [30-52-53]", 5, "hexadecimal"),
        ("names: [tool.example]", "said: tls", 5, "is a mapping"),
        ("names: [tool.example]", "certificate: {serial: '1'}", 5, "'serial' is not one of"),
        ("names: [tool.example]", "certificate: {subject_like: '('}", 5, "no regular expression"),
        ("basis: its maker's page", "basis: ''", 6, "`basis:` is missing"),
        ("date: 2026-11-22", "date: yesterday", 7, "the day on which"),
        ("date: 2026-11-22", "date: 2026-11-22\n    confirmed: perhaps", 8, "true or false"),
        ("date: 2026-11-22", "date: 2026-11-22\n    weight: 1", 8, "'weight' is not a key of a fact"),
    ],
)
def test_mistakes_are_told_where_they_are(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    (tmp_path / "a.yml").write_text(GOOD.replace(old, new), "utf-8")
    table = load(tmp_path)
    assert [error.line for error in table.errors] == [line]
    assert message in table.errors[0].message


def test_good_facts_stay_beside_bad_ones(tmp_path: Path) -> None:
    bad = "  - names: [com]\n    basis: x\n    date: 2026-11-22\n"
    (tmp_path / "a.yml").write_text(GOOD + bad, "utf-8")
    (tmp_path / "b.toml").write_text(
        'basis = "x"\ndate = "2026-11-22"\n[rmm]\n"Two" = ["two.example"]\n"No" = ["*"]\n'
    )
    (tmp_path / "c.toml").write_text("basis = ")
    table = load(tmp_path)
    assert [(fact.tool, fact.line) for fact in table.facts] == [("Example", 5), ("Two", 4)]
    assert [(error.path.name, error.line) for error in table.errors] == [
        ("a.yml", 8),
        ("b.toml", 5),
        ("c.toml", 1),
    ]


def test_what_is_not_confirmed_names_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(GOOD + "    confirmed: false\n", "utf-8")
    table = load(tmp_path)
    told = named(pl.DataFrame({"dns.question.name": ["tool.example"]}), table)
    assert told["molehunt.tool.name"].to_list() == [None]
