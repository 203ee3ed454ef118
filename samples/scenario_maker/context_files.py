"""What the company tells the responder: its roster, its site file; and, kept apart, the truth."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

from samples.scenario_maker.people import FARM_STREET, SHARED_FACTOR_PHONE, Person
from samples.scenario_maker.places import CITIES, EGRESS, FARM

if TYPE_CHECKING:
    from pathlib import Path

_SITE = f"""# What the security team of Corp Example knows of its own place.
domain = "corp.example"
netbios = "CORP"
github_org = "corp-example"
sanctioned_remote_support = ["ScreenConnect (corp.screenconnect.com)", "AnyDesk (IT)"]
sanctioned_cloud_storage = ["corpexample.sharepoint.com", "corp-datalake.s3.us-west-2.amazonaws.com"]
service_accounts = ["svc-*"]

[sources."vpn/asa.log.gz"]
timezone = "America/New_York"

[sources."vpn/globalprotect.csv"]
timezone = "America/Chicago"

[sources."linux/servers.zip"]
timezone = "UTC"

[vpn_pools]
asa = ["10.99.0.0/16"]
globalprotect = ["10.98.0.0/16"]

[offices]
NYC = "10.20.0.0/16"
CHI = "10.21.0.0/16"
BER = "10.22.0.0/16"

[corporate_egress]
NYC = "{EGRESS["NYC"]}"
CHI = "{EGRESS["CHI"]}"
BER = "{EGRESS["BER"]}"
"""


def write(folder: Path, people: list[Person]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "site.toml").write_bytes(_SITE.encode())
    rows = [_row(person, {p.user: p for p in people}) for person in people]
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    (folder / "roster.csv").write_bytes(out.getvalue().encode())


def _row(person: Person, people: dict[str, Person]) -> dict[str, str]:
    shipping = CITIES[person.shipping_city]
    return {
        "employee_id": person.employee_id,
        "name": person.name,
        "email": person.email,
        "username": person.user,
        "department": person.department,
        "title": person.title,
        "team": person.team,
        "manager": people[person.manager].email if person.manager != person.user else "",
        "location_city": person.city.name,
        "location_region": person.city.region,
        "location_country": person.city.country,
        "timezone": person.city.zone,
        "work_mode": person.work_mode,
        "employment_type": person.employment_type,
        "status": person.status,
        "start_date": person.start.isoformat(),
        "termination_date": person.termination.isoformat() if person.termination else "",
        "home_address": person.street,
        "phone": person.phone,
        "phone_line_type": person.phone_line_type,
        "shipping_address": person.shipping_street,
        "shipping_address_city": shipping.name,
        "shipping_address_region": shipping.region,
        "device_hostname": person.host,
        "github_login": person.github,
        "bank_change_dates": ";".join(day.isoformat() for day in person.bank_changes),
        "bank_account_hash": person.payee,
        "approved_travel": person.approved_travel,
    }


_EMBEDDED = {
    "bkeller": {
        "remote control": "PiKVM: 6416 in windows/security, registry in windows/sysmon",
        "access": "the farm's address in vpn/asa; Astrill exits, one VPN drop to Shenyang in okta and entra; "
        "hours of Seoul in everything; operator's device shared with kwhitman",
        "exfiltration": "all 40 repositories cloned (github), 7-Zip, rclone to MEGA (sysmon, zeek, vpn/asa)",
        "identity": "factor telephone shared with kwhitman (okta); VoIP number",
        "payment": "bank changed 13 days after the start, payee shared with kwhitman (roster)",
    },
    "kwhitman": {
        "remote control": "AnyDesk --set-password, Chrome Remote Desktop with a PIN, caffeine64 (sysmon)",
        "access": "the farm's address in vpn/globalprotect; Astrill exits in okta; hours of Shenyang; "
        "reconnaissance at first logon (sysmon)",
        "exfiltration": "20 repositories of other teams in two days (github), private Google Drive (proxy)",
        "identity": "factor telephone shared with bkeller (okta); laptop shipped to the farm (roster)",
        "payment": "bank changed 10 days after the start, payee shared with bkeller (roster)",
    },
    "rdawson": {
        "remote control": "ssh -R of port 3389 to a rented server (sysmon, zeek, vpn/asa), RDP from "
        "127.0.0.1 with client DESKTOP-7Q2KD1M (security, terminalservices)",
        "access": "the farm's address in vpn/asa; two sign-ins from a hosting network (okta, entra)",
        "exfiltration": "three repositories mirrored to a private GitHub account (sysmon), "
        "an archive to Dropbox (sysmon, zeek)",
        "identity": "Korean keyboard in zeek/rdp",
    },
}
_ALIKE = {
    "adiallo": "approved conference in Lisbon; telephone roams through New York meanwhile",
    "sgreene": "works 20:00 to 03:00 in his own zone, from his own home, since 2019",
    "mreyes": "help desk with ScreenConnect on many hosts",
    "akowalska": "help desk with AnyDesk on many hosts",
    "ogrant": "married to nvega: same home, telephone and bank account",
    "nvega": "married to ogrant",
    "jhan": "lives and works in Seoul, Korean keyboard",
    "zbloom": "new, clones all 14 repositories of the own team in two days",
    "amehta": "2 to 6 GB a day to the company's own bucket",
    "nadeyemi": "leaves on 23 October after an ordinary hand-over",
    "gholloway": "one of five in Bozeman behind one provider's shared addresses",
    "ecole": "Bozeman",
    "mtanaka": "Bozeman",
    "jmedina": "Bozeman",
    "lfitch": "Bozeman",
    "lnovak": "contractor since 2024 with NordVPN on his telephone",
    "tnkosi": "lives in Nashville, where the farm is",
    "dvolkov": "PowerToys Awake",
    "cjimenez": "Caffeine; bank account changed after four years",
    "pdoyle": "ngrok once, for a demonstration",
    "rsilva": "a little Dropbox for an agency",
    "bfoster": "a USB stick; lives in Austin",
    "wchen": "an ordinary KVM switch",
    "kzhou": "lives in Raleigh",
    "agupta": "lives in Phoenix",
    "cmartin": "started five weeks ago",
    "bcosta": "contractor, started eight weeks ago",
}


def write_truth(path: Path, people: dict[str, Person]) -> None:
    truth = {
        "embedded": [
            {"account": people[user].email, "username": user, "name": people[user].name, "shows": shows}
            for user, shows in _EMBEDDED.items()
        ],
        "farm": {
            "address": FARM,
            "place": "Nashville, TN",
            "street": FARM_STREET,
            "shared_factor_phone": SHARED_FACTOR_PHONE,
        },
        "benign_lookalikes": [
            {"account": people[user].email, "username": user, "why": why} for user, why in _ALIKE.items()
        ],
    }
    path.write_bytes((json.dumps(truth, indent=1, ensure_ascii=False) + "\n").encode())
