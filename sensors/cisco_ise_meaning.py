"""ISE's attributes by the names that `cisco_ise.py` reads, and what its messages mean in ECS words.

Attributes after "Cisco ISE Syslog Messages"; the RADIUS ones are those of RFC 2865 and RFC 2866. This module
defines no sensor.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from sensors.shapes.mapping import first_rule

KEYS: Final = {
    "UserName": "who",
    "User-Name": "who",
    "User": "who",
    "AdminName": "admin",
    "GuestUserName": "guest",
    "FirstName": "first",
    "LastName": "last",
    "Firstname": "first",
    "Lastname": "last",
    "AdminIPAddress": "admin_ip",
    "IpAddress": "portal_ip",
    "Remote-Address": "remote",
    "Tunnel-Client-Endpoint": "tunnel",
    "Calling-Station-ID": "calling",
    "Calling Station Id": "calling",
    "EndPointMACAddress": "endpoint_mac",
    "EPMacAddress": "endpoint_mac",
    "Framed-IP-Address": "framed",
    "Device IP Address": "device_ip",
    "Device Port": "device_port",
    "NAS-IP-Address": "nas",
    "NAS IP Address": "nas",
    "NAD Address": "named",
    "Network device IP": "named",
    "AD-IP-Address": "ad_ip",
    "DestinationIPAddress": "ise_ip",
    "DestinationPort": "ise_port",
    "Server": "server.address",
    "Message": "Message",
    "AlarmDevice": "alarm_device",
    "Protocol": "network.protocol",
    "Service-Type": "service.type",
    "Acct-Status-Type": "status",
    "AcctRequest-Flags": "status",
    "Acct-Session-Time": "seconds",
    "Acct-Input-Octets": "received",
    "Acct-Output-Octets": "sent",
    "Acct-Input-Packets": "packets_received",
    "Acct-Output-Packets": "packets_sent",
    "Acct-Terminate-Cause": "terminated",
    "Acct-Session-Id": "cisco.ise.acct_session_id",
    "CPMSessionID": "session.id",
    "AcsSessionID": "cisco.ise.acs_session_id",
    "FailureReason": "reason",
    "Error Message": "reason",
    "Failure Reason": "reason",
    "AD-Error-Details": "reason",
    "OperationMessageText": "operation",
    "NetworkDeviceName": "cisco.ise.network_device",
    "Network Device Name": "cisco.ise.network_device",
    "Called-Station-ID": "cisco.ise.called_station_id",
    "NAS-Port-Type": "cisco.ise.nas_port_type",
    "NAS-Port-Id": "cisco.ise.nas_port_id",
    "NAS-Identifier": "cisco.ise.nas_identifier",
    "AuthenticationMethod": "cisco.ise.authentication_method",
    "AuthenticationIdentityStore": "cisco.ise.identity_store",
    "SelectedAccessService": "cisco.ise.access_service",
    "SelectedAuthorizationProfiles": "cisco.ise.authorization_profiles",
    "AuthorizationPolicyMatchedRule": "rule.name",
    "ISEPolicySetName": "rule.ruleset",
    "IdentityGroup": "cisco.ise.identity_group",
    "EndPointMatchedProfile": "cisco.ise.endpoint_profile",
    "PostureStatus": "cisco.ise.posture_status",
    "PortalName": "cisco.ise.portal",
    "AdminInterface": "cisco.ise.admin_interface",
    "ObjectType": "cisco.ise.object_type",
    "ObjectName": "cisco.ise.object_name",
    "ConfigChangeData": "cisco.ise.config_change",
    "AD-Domain": "cisco.ise.ad_domain",
    "Privilege-Level": "cisco.ise.privilege_level",
    "DeviceName": "device.model.identifier",
    "TLSVersion": "cisco.ise.tls_version",
    "EapAuthentication": "cisco.ise.eap_authentication",
    "EapTunnel": "cisco.ise.eap_tunnel",
}
# By `category code class: text`; the first that fits. Elastic's names, but accounting is of sessions.
CATEGORY: Final = {
    r"^CISE_(?:Passed_Authentications|Failed_Attempts)\b.* 5440 ": ("authentication", "session"),
    r"^CISE_(?:Passed_Authentications|Failed_Attempts)\b": ("authentication",),
    r"^CISE_RADIUS_Accounting\b": ("network", "session"),
    r"^CISE_TACACS_Accounting\b.* (?:3301|3302) ": ("session",),
    r"^CISE_(?:TACACS_Accounting|Policy_Diagnostics|Guest|MyDevices|Threat_Centric_NAC)\b": (
        "configuration",
    ),
    r"^CISE_Administrative_and_Operational_Audit\b.* Administrator-Login:": ("iam", "authentication"),
    r"^CISE_Administrative_and_Operational_Audit\b.* Configuration-Changes:": ("iam", "configuration"),
    r"^CISE_Administrative_and_Operational_Audit\b.* Process-Management:": ("iam", "process"),
    r"^CISE_Administrative_and_Operational_Audit\b.* FeedService:": ("process",),
    r"^CISE_Administrative_and_Operational_Audit\b.* (?:EAP-TLS|TLS|Network)\b": ("network",),
    r"^CISE_Administrative_and_Operational_Audit\b.* [0-9]{5} ": ("configuration",),
    r"^CISE_Authentication_Flow_Diagnostics\b.* Authentication: Wrong": ("iam", "authentication"),
    r"^CISE_Authentication_Flow_Diagnostics\b": ("iam",),
    r"^CISE_Identity_Stores_Diagnostics\b.* External-Active-Directory:.*(?i:authenticat|identity)": (
        "iam",
        "authentication",
    ),
    r"^CISE_Identity_Stores_Diagnostics\b": ("iam",),
    r"^CISE_RADIUS_Diagnostics\b.* EAP:.*(?i:TLS|SSL)": ("authentication", "network"),
    r"^CISE_RADIUS_Diagnostics\b.* (?:EAP|RADIUS: The)\b": ("authentication",),
    r"^CISE_RADIUS_Diagnostics\b": ("iam",),
    r"^CISE_TACACS_Diagnostics\b": ("iam",),
    r"^CISE_AD_Connector\b.* (?i:cache|config)": ("configuration",),
    r"^CISE_AD_Connector\b.* [0-9]{5} ": ("authentication",),
    r"^CISE_Posture": ("malware",),
    r"^CISE_Internal_Operations_Diagnostics\b.* [0-9]{5} ": ("configuration",),
    r"^CISE_System_Statistics\b.* 70001 ": ("process",),
    r"^CISE_System_Statistics\b.* [0-9]{5} ": ("host",),
}
TYPE: Final = {
    r"^CISE_(?:RADIUS|TACACS)_Accounting\b.* (?i:start) ?$": ("start",),
    r"^CISE_(?:RADIUS|TACACS)_Accounting\b.* (?:Stop|3302) ?$": ("end",),
    r"^CISE_Failed_Attempts\b.* 5440 ": ("info", "start"),
    r"^CISE_Failed_Attempts\b.* [0-9]{4} ": ("info", "end"),
    r" (?:51[0-9]{3}) .*Administrator-Login:": ("admin", "info"),
    r" (?:60[0-9]{3}) .*Administrator-Login: A CLI user": ("user", "info"),
    r"Configuration-Changes: (?i:added|created)": ("creation", "info"),
    r"Configuration-Changes: (?i:deleted|removed)": ("deletion", "info"),
    r"Configuration-Changes:": ("change", "info"),
    r"FeedService:.*(?i:int?itiated|start)": ("info", "start"),
    r"Audit\b.* EAP-TLS: Open": ("connection", "info", "start"),
    r"Audit\b.* EAP-TLS: (?:Clos|Shut)": ("connection", "info", "end"),
    r" Local-user-DB: .*\b(?i:user)\b": ("info", "user"),
    r"^CISE_(?:RADIUS_Diagnostics|AD_Connector|Identity_Stores_Diagnostics)\b.*(?i:fail)": ("info", "end"),
    r"^CISE_": ("info",),
}
OUTCOME: Final = {
    r"^CISE_Passed_Authentications\b": "success",
    r"^CISE_Failed_Attempts\b": "failure",
    r"Administrator-Login:.*(?i:fail|wrong|denied|locked|disabled|not )": "failure",
    r"Administrator-Login:.*(?i:succeeded|success|logged)": "success",
    r"(?i:authentication|query|discovery|join|leave|connection) (?i:failed)": "failure",
    r"(?i:authentication|query|discovery|join|leave|connection) (?i:succeeded|passed)": "success",
}


def meaning() -> list[pl.Expr]:
    """`event.action`, `.category`, `.type` and `.outcome`."""
    dash = pl.lit("-")
    whole = pl.concat_str(
        pl.col("topic"),
        pl.coalesce("event.code", dash),
        pl.coalesce(pl.col("class") + ":", dash),
        pl.coalesce("told", dash),
        pl.coalesce("status", pl.lit("")),
        separator=" ",
    )
    return [
        pl.coalesce("alarm", pl.col("class").str.to_lowercase()).alias("event.action"),
        first_rule(whole, CATEGORY).alias("event.category"),
        first_rule(whole, TYPE).alias("event.type"),
        first_rule(whole, OUTCOME).alias("event.outcome"),
    ]
