"""Sigma's names, and what they mean in the events that the sensors make."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sigma_cases import pack_of

from analysis import intake
from analysis.sigma.explain import explain
from analysis.sigma.taxonomy import Taxonomy, is_column
from sensors.sensor import Source, claims

TABLES = tomllib.loads((files("analysis.sigma") / "fields.toml").read_text("utf-8"))
SECURITY = "Microsoft-Windows-Security-Auditing"
SYSMON = "Microsoft-Windows-Sysmon"
Made = Callable[..., Source]


def windows(code: int, provider: str, channel: str, dataset: str = "", **data: str) -> dict[str, Any]:
    event = {"winlog": {"channel": channel, "provider_name": provider, "event_id": code, "event_data": data}}
    if dataset:
        event["event"] = {"dataset": dataset}
    return {"@timestamp": "2026-01-02T03:04:05Z", **event}


def security(code: int, **data: str) -> dict[str, Any]:
    return windows(code, SECURITY, "Security", **data)


def found(source: Made, folder: Path, event: dict[str, Any], logsource: str, selection: str) -> bool:
    """Whether a rule with this logsource and selection finds the event, as in a hunt; `explain` agrees."""
    text = f"title: t\nlogsource: {{{logsource}}}\ndetection:\n  s: {{{selection}}}\n  condition: s\n"
    pack = pack_of(folder, text, taxonomy=Taxonomy())
    assert pack.errors == []
    read = source(json.dumps(event) + "\n", "x.ndjson")
    (sensor,) = claims(read.head, read.name)
    (frame,) = intake.events(read, sensor)
    assert read.unread == []
    matches = pack.match(frame, frame["event.dataset"][0])
    assert explain(pack.rules[0], frame.row(0, named=True)).matched == (matches.height == 1)
    return bool(matches.height)


@pytest.mark.parametrize(
    ("category", "event", "selection"),
    [
        (
            "process_creation",
            security(
                4688,
                NewProcessName=r"C:\Windows\System32\net.exe",
                ParentProcessName=r"C:\Windows\System32\cmd.exe",
                CommandLine="net user",
                SubjectUserName="jdoe",
                SubjectDomainName="CORP",
                SubjectLogonId="0x3e7",
                MandatoryLabel="S-1-16-12288",
            ),
            r"""Image|endswith: '\net.exe', ParentImage|endswith: '\cmd.exe', CommandLine: net user,
                User: 'CORP\jdoe', LogonId: '0x3e7', IntegrityLevel: [High, S-1-16-12288]""",
        ),
        (
            "process_termination",
            security(4689, ProcessName=r"C:\x.exe"),
            r"Image: 'C:\x.exe'",
        ),
        (
            "network_connection",
            security(
                5156,
                Application=r"\device\harddiskvolume1\x.exe",
                Direction="%%14593",
                SourceAddress="10.0.0.1",
                DestAddress="8.8.8.8",
                DestPort="443",
                Protocol="6",
            ),
            r"Image|endswith: '\x.exe', Initiated: 'true', DestinationIp: 8.8.8.8, DestinationPort: 443",
        ),
        (
            "registry_set",
            security(
                4657,
                ObjectName=r"\REGISTRY\MACHINE\SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
                ObjectValueName="evil",
                OperationType="%%1905",
                NewValue=r"C:\evil.exe",
                ProcessName=r"C:\y.exe",
            ),
            r"""TargetObject: 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Run\evil',
                Details|endswith: evil.exe, Image: 'C:\y.exe'""",
        ),
        (
            "registry_event",
            security(
                4657, ObjectName=r"\REGISTRY\MACHINE\SYSTEM\ControlSet001\Services\x", OperationType="%%1906"
            ),
            r"TargetObject: 'HKLM\System\CurrentControlSet\Services\x'",
        ),
        (
            "registry_delete",
            security(4657, ObjectName=r"\REGISTRY\USER\S-1-5-21-1-2-3-500\x", OperationType="%%1906"),
            r"TargetObject: 'HKU\S-1-5-21-1-2-3-500\x'",
        ),
    ],
)
def test_security_feeds_what_sysmon_feeds(
    category: str, event: dict[str, Any], selection: str, source: Made, tmp_path: Path
) -> None:
    assert found(source, tmp_path, event, f"category: {category}, product: windows", selection)


@pytest.mark.parametrize(
    ("category", "event"),
    [
        ("registry_set", security(4657, ObjectName=r"\REGISTRY\MACHINE\x", OperationType="%%1906")),
        ("registry_add", security(4657, ObjectName=r"\REGISTRY\MACHINE\x", OperationType="%%1905")),
        ("network_connection", security(5157, Application="x", Direction="%%14593")),
        ("process_creation", security(4689, ProcessName="x")),
        ("process_creation", windows(1, "Microsoft-Windows-RPC", "x/Operational")),
    ],
)
def test_and_nothing_else(category: str, event: dict[str, Any], source: Made, tmp_path: Path) -> None:
    assert not found(
        source, tmp_path, event, f"category: {category}, product: windows", "event.code|exists: true"
    )


def test_an_inbound_connection_was_not_initiated_here(source: Made, tmp_path: Path) -> None:
    event = security(5156, Application="x", Direction="%%14592")
    logsource = "category: network_connection, product: windows"
    assert found(source, tmp_path, event, logsource, "Initiated: 'false'")


@pytest.mark.parametrize("dataset", ["", "windows.forwarded", "winlog.winlog"])
@pytest.mark.parametrize(
    ("logsource", "code", "provider", "channel"),
    [
        ("category: process_creation", 1, SYSMON, "Microsoft-Windows-Sysmon/Operational"),
        ("category: process_creation", 4688, SECURITY, "Security"),
        ("category: file_delete", 26, SYSMON, "Microsoft-Windows-Sysmon/Operational"),
        ("category: file_block_executable", 27, SYSMON, "Microsoft-Windows-Sysmon/Operational"),
        ("category: ps_script", 4104, "PowerShellCore", "PowerShellCore/Operational"),
        ("category: ps_classic_start", 400, "PowerShell", "Windows PowerShell"),
        ("service: windefend", 1116, "Microsoft-Windows-Windows Defender",
         "Microsoft-Windows-Windows Defender/Operational"),
        ("service: system", 7045, "Service Control Manager", "System"),
        ("service: dns-server-audit", 541, "x", "Microsoft-Windows-DNSServer/Audit"),
        ("service: vhdmp", 1, "Microsoft-Windows-VHDMP", "Microsoft-Windows-VHDMP-Operational"),
        ("service: ntfs", 4, "Microsoft-Windows-Ntfs", "Microsoft-Windows-Ntfs/Operational"),
        ("service: bitlocker", 1, "x", "Microsoft-Windows-BitLocker/BitLocker Management"),
        ("service: application-experience", 500, "x",
         "Microsoft-Windows-Application-Experience/Program-Telemetry"),
    ],
)  # fmt: skip
def test_a_channel_is_known_in_whatever_dataset_a_collector_puts_it(
    logsource: str, code: int, provider: str, channel: str, dataset: str, source: Made, tmp_path: Path
) -> None:
    event = windows(code, provider, channel, dataset, Image="x")
    assert found(source, tmp_path, event, f"product: windows, {logsource}", "EventID: " + str(code))


def test_defender_is_an_antivirus(source: Made, tmp_path: Path) -> None:
    data = {
        "Threat Name": "HackTool:Win32/Mimikatz",
        "Path": r"file:_C:\Temp\m.exe",
        "Action Name": "Quarantine",
    }
    channel = "Microsoft-Windows-Windows Defender/Operational"
    event = windows(1117, "Microsoft-Windows-Windows Defender", channel, **data)
    selection = r"Signature|contains: mimikatz, Filename|endswith: '\m.exe', Action: quarantine"
    assert found(source, tmp_path, event, "category: antivirus", selection)


def test_sysmon_for_linux(source: Made, tmp_path: Path) -> None:
    event = windows(
        1, "Linux-Sysmon", "Linux-Sysmon/Operational", Image="/usr/bin/wget", LogonId="0", User="root"
    )
    logsource = "product: linux, category: process_creation"
    assert found(source, tmp_path, event, logsource, "Image|endswith: /wget, LogonId: 0, User: root")
    assert not found(source, tmp_path, event, "product: windows, category: process_creation", "User: root")


@pytest.mark.parametrize(
    ("logsource", "event", "selection"),
    [
        (
            "product: linux, service: auditd",
            {"event.dataset": "auditd.log", "auditd.log.record_type": "EXECVE", "auditd.log.a0": "xclip",
             "process.executable": "/usr/bin/xclip"},
            "type: EXECVE, a0: xclip, exe|endswith: /xclip",
        ),
        (
            "product: m365, service: threat_management",
            {"event.dataset": "o365.audit", "event.outcome": "success", "event.action": "AlertTriggered",
             "o365.audit.Workload": "SecurityComplianceCenter", "o365.audit.Name": "Mass download"},
            "eventSource: SecurityComplianceCenter, eventName: Mass download, status: success",
        ),
        (
            "product: azure, service: activitylogs",
            {"event.dataset": "azure.activitylogs", "event.action": "MICROSOFT.X/WRITE",
             "azure.resource.provider": "MICROSOFT.X"},
            "operationName|endswith: /WRITE, ResourceProviderValue: Microsoft.X",
        ),
        (
            "product: fortigate, service: event",
            {"event.dataset": "fortinet_fortigate.log", "event.action": "Add",
             "fortinet.firewall.cfgpath": "system.admin"},
            "action: Add, cfgpath: system.admin",
        ),
        (
            "product: zeek, service: kerberos",
            {"event.dataset": "zeek.kerberos", "network.protocol": "kerberos",
             "zeek.kerberos.service": "krbtgt/CORP"},
            "service|startswith: krbtgt",
        ),
        (
            "product: zeek, service: x509",
            {"event.dataset": "zeek.x509", "file.x509.serial_number": "8BB00EE"},
            "certificate.serial: 8BB00EE",
        ),
        (
            "category: network, service: dns",
            {"event.dataset": "zeek.dns", "dns.question.name": "a.test"},
            "dns.question.name: a.test",
        ),
    ],
)  # fmt: skip
def test_what_other_shippers_write_is_found_by_sigmas_names(
    logsource: str, event: dict[str, Any], selection: str, source: Made, tmp_path: Path
) -> None:
    event = {
        "@timestamp": "2026-01-02T03:04:05Z",
        "event.kind": "event",
        "event.category": ["network"],
        **event,
    }
    assert found(source, tmp_path, event, logsource, selection)


def test_a_parameter_of_an_exchange_command_is_found_by_its_name(source: Made, tmp_path: Path) -> None:
    event = {
        "CreationTime": "2026-01-02T03:04:05", "Id": "1", "Operation": "Set-Mailbox", "RecordType": 1,
        "OrganizationId": "o", "UserType": 2, "Workload": "Exchange", "UserId": "a@b.test",
        "Parameters": [{"Name": "ForwardingSmtpAddress", "Value": "smtp:x@y.test"}],
    }  # fmt: skip
    selection = "Operation: set-mailbox, Parameters|contains: ForwardingSmtpAddress"
    assert found(source, tmp_path, event, "product: m365, service: audit", selection)


def test_every_column_that_a_name_means_can_be_there() -> None:
    tables = [TABLES["names"], *TABLES["products"].values()]
    columns = {
        name
        for table in tables
        for alternatives in table.values()
        for column in alternatives
        for name in (re.findall(r"{([^}]*)}", column) or [column])
    }
    assert sorted(name for name in columns if not is_column(name)) == []


def test_a_service_stands_for_its_own_product_alone(tmp_path: Path) -> None:
    texts = [
        f"title: t{number}\nlogsource: {{{logsource}}}\ndetection: {{s: [x], condition: s}}\n"
        for number, logsource in enumerate(("category: appliance", "service: netflow", "product: aws"))
    ]
    assert [rule.source for rule in pack_of(tmp_path, *texts, taxonomy=Taxonomy()).rules] == [None] * 3


def test_frames_without_the_column_are_no_error(tmp_path: Path) -> None:
    text = "title: t\nlogsource: {category: antivirus}\ndetection: {s: {Signature: x}, condition: s}\n"
    pack = pack_of(tmp_path, text, taxonomy=Taxonomy())
    assert pack.match(pl.DataFrame({"event.provider": ["x"]}), "x").height == 0


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("StartModule: ''", True),
        ("StartModule: ['', x]", True),
        ("StartModule|neq: ''", False),
        ("TargetImage: ''", False),
        ("TargetImage: ['', x]", False),
        ("TargetImage|neq: ''", True),
        ("Nowhere: ''", True),
        ("StartModule|contains: 'x'", False),
    ],
)
def test_empty_text_is_no_value_in_events_of_the_sensors(
    selection: str, *, expected: bool, source: Made, tmp_path: Path
) -> None:
    data = {"TargetImage": r"C:\Windows\System32\lsass.exe", "StartModule": ""}
    event = windows(8, SYSMON, "Microsoft-Windows-Sysmon/Operational", **data)
    logsource = "category: create_remote_thread, product: windows"
    assert found(source, tmp_path, event, logsource, selection) == expected


def test_a_rule_that_asks_for_empty_text_can_run_without_the_column(tmp_path: Path) -> None:
    text = "title: t\nlogsource: {category: dns}\ndetection: {s: {account: ''}, condition: s}\n"
    pack = pack_of(tmp_path, text, taxonomy=Taxonomy())
    assert pack.plan({"zeek.dns": ["dns.question.name"]}) == []
    assert pack.match(pl.DataFrame({"dns.question.name": ["a"]}), "zeek.dns").height == 1
