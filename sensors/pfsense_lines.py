"""How lines that pfSense and OPNsense send are told from those of other hosts that run the same programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAMS: Final = (
    "filterlog", "php-fpm", "openvpn", "charon", "dhcpd", "dhcp6c", "dhclient", "unbound", "haproxy", "nginx",
    "squid-1", "squid", "lighttpd", "configd.py", "check_reload_status", "dpinger", "logportalauth", "radvd",
    "miniupnpd", "audit", "kea-dhcp4", "kea-dhcp6", "dnsmasq", "ntpd", "syslogd", "sshguard",
    "php", "php_cgi", "radiusd", "googleauth",
    "dhcp6relay", "snort", "suricata", "hostapd", "l2tps", "pptps", "poes", "rc.gateway_alarm",
)  # fmt: skip
_NAMES = "|".join(map(re.escape, PROGRAMS))
# A priority and no host is how pfSense sends its log in the BSD form.
_BARE = rf"^<\d{{1,3}}>[A-Z][a-z]{{2}} +\d{{1,2}} \d\d:\d\d:\d\d \(?(?:{_NAMES})\)?(?:\[\d+\])?: "
_HOSTED = r"^.{0,60}?(?i:[\w.-]*(?:pf|opn)sense[\w.-]*) \(?[A-Za-z]"
_OWN = r"^.{0,120}?\bfilterlog(?:\[\d+\]:| \d+ - )"
_SENT = re.compile(f"{_BARE}|{_HOSTED}|{_OWN}")


def sent(lines: Sequence[str]) -> bool:
    """Whether at least half of the lines come from pfSense or OPNsense."""
    return bool(lines) and 2 * sum(bool(_SENT.search(line)) for line in lines) >= len(lines)
