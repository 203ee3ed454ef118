"""How ASA messages are worded: message numbers and the regular expressions that take their parts.

Wording after "Cisco Secure Firewall ASA Series Syslog Messages" (Cisco, versions 9.x). Groups carry the names of
columns: `one.*` is the end of a connection that is named first (the remote person's in VPN messages), `two.*` the
second; names with a known ECS root are that field; the others are read by `columns.py`.

A number stands for one message; three digits for a whole class. The first form of a kind that matches counts. The
leading forms of the commonest messages are written so that Rust's one-pass matcher takes them (at every byte there
is at most one way on); the looser ones after them see only the lines that those did not match.
"""

from __future__ import annotations

from typing import Final


# What stands in parentheses after an address: a user, unless it begins with "type " (of ICMP).
_USER = r"(?:[^t)]|t[^y)]|ty[^p)]|typ[^e)]|type[^ )])[^)]*"


def _end(side: str, port: str = "/", *, mapped: bool = False, user: str = "") -> str:
    """`interface:address/port`, with `(mapped/port)` and `(user)` as asked; one-pass."""
    text = rf"(?P<{side}.interface>[^:]+):(?P<{side}.address>[^/ (]+)"
    if port:
        text += rf"{port}(?P<{side}.port>[0-9]+)"
    if mapped:
        text += rf" \((?P<{side}.mapped>[^/)]+)/(?P<{side}.mapped_port>[0-9]+)\)"
    return text + (user and rf"(?:\((?P<{side}.user>[^)]*)\))?")


def _loose(side: str, *, interface: bool = True) -> str:
    """The same with everything optional that Cisco ever left out; not one-pass."""
    named = rf"(?:(?P<{side}.interface>[^:]+?):)?" if interface else ""
    return (
        rf"{named} ?(?P<{side}.address>[^/\s(),]+)(?:/(?P<{side}.port>[0-9]+))?"
        rf"(?: ?\((?P<{side}.mapped>[^/)\s]+)/(?P<{side}.mapped_port>[0-9]+)\))?(?:\s?\((?P<{side}.user>{_USER})\))?"
    )


_PROTOCOL = r"(?P<network.transport>[A-Za-z0-9-]+)"
_NUMBERED = r"(?:protocol (?P<network.iana_number>[0-9]+)|(?P<network.transport>[^\s]+))"
_ID = r"(?P<cisco.asa.connection_id>[0-9]+)"
_DURATION = r"(?P<duration>(?:[0-9]+d )?[0-9]+h?:[0-9]+m?:[0-9]+s?)"
_ONE, _TWO = _loose("one"), _loose("two")
_BARE_ONE, _BARE_TWO = _loose("one", interface=False), _loose("two", interface=False)
_FROM_TO = rf"from {_ONE} to {_TWO}"
_ON = r"on interface (?P<one.interface>[^\s,]+?)"
_ICMP = r"(?: ?\(?type[ =](?P<cisco.asa.icmp_type>[0-9]+), ?code[ =](?P<cisco.asa.icmp_code>[0-9]+)\)?)?"
_ACL = r'"?(?P<cisco.asa.rule_name>[^\s"]+)"?'
# "Group <group> User <user> IP <address>", with the brackets or, as older versions have it, without.
_WHO = (
    r"(?:TunnelGroup <(?P<cisco.asa.tunnel_group>[^>]*)> )?Group(?:Policy)? <(?P<group>[^>]*)> "
    r"User(?: <(?P<person>[^>]*)>)? IP <(?P<one.address>[^>]*)>,? ?"
)
_WHO_BARE = (
    r"Group (?P<group>\S+) User(?: (?P<person>\S+))? IP (?P<one.address>[0-9A-Fa-f][0-9A-Fa-f.:]+) ?"
)
_LOCAL_REMOTE = (
    r"^Local: ?(?P<two.address>\S+):(?P<two.port>[0-9]+) Remote: ?(?P<one.address>\S+):(?P<one.port>[0-9]+)"
    r"(?: Username: ?(?P<person>\S+))? "
)
_CONNECTED_USER = r"(?: ?\((?P<login>[^)]*)\))?"
_STOPPED = r"(?P<stop>.*)$"


def _who(rest: str) -> tuple[str, ...]:
    return (f"^{_WHO}{rest}", f"^{_WHO_BARE}{rest}")


FORMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    # Connections: built and torn down.
    (
        "302013 302015 302017",
        (
            rf"^Built (?P<direction>[a-z]+) (?P<network.transport>[A-Z]+) connection {_ID} for "
            rf"{_end('one', mapped=True, user='?')} to {_end('two', mapped=True, user='?')}(?: \((?P<login>[^)]*)\))?",
            rf"^Built (?P<direction>\w+) (?:Probe )?{_PROTOCOL} connection (?P<cisco.asa.connection_id>\S+) "
            rf"(?:for|from) {_ONE} ?to {_TWO}{_CONNECTED_USER}",
        ),
    ),
    (
        "302014 302016 302018",
        (
            rf"^Teardown (?P<network.transport>[A-Z]+) connection {_ID} for {_end('one', user='?')} to "
            rf"{_end('two', user='?')} duration (?P<duration>[0-9]+:[0-9]+:[0-9]+) bytes (?P<network.bytes>[0-9]+)"
            r"(?P<stop> .*)?$",
            rf"^Teardown (?:Probe |stub )?{_PROTOCOL} (?:state-bypass )?connection (?P<cisco.asa.connection_id>\S+) "
            r"(?:for|from) (?P<one.interface>[^:]+):(?P<one.address>[^/\s(]+)/(?P<one.port>[0-9]+)"
            r"(?:\s?\((?P<one.user>[^)]*)\)| (?P<one.named>.+?))? to "
            r"(?P<two.interface>[^:]+):(?P<two.address>[^/\s(]+)/(?P<two.port>[0-9]+)"
            r"(?:\s?\((?P<two.user>[^)]*)\)| (?P<two.named>.+?))? "
            rf"duration {_DURATION} bytes (?P<network.bytes>[0-9]+){_STOPPED}",
        ),
    ),
    (
        "302036 302304 302306",
        (
            rf"^Teardown {_PROTOCOL} (?:state-bypass )?connection (?P<cisco.asa.connection_id>\S+) (?:for|from) "
            rf"{_ONE} to {_TWO} duration {_DURATION} bytes (?P<network.bytes>[0-9]+){_STOPPED}",
        ),
    ),
    (
        "302035 302303 302305",
        (
            rf"^Built (?:(?P<direction>inbound|outbound) )?{_PROTOCOL} (?:state-bypass )?connection "
            rf"(?P<cisco.asa.connection_id>\S+) (?:for|from) {_ONE} to {_TWO}{_CONNECTED_USER}",
        ),
    ),
    (
        "302020 302021",
        (
            rf"^(?:Built|Teardown) (?:(?P<direction>inbound|outbound) )?{_PROTOCOL} connection for "
            r"faddr (?:(?P<two.interface>[^\s:]+):)?(?P<two.address>[^/\s]+)/[0-9]+\s?(?:\((?P<two.user>[^)]*)\) ?)?"
            r"gaddr (?:[^\s:]+:)?(?P<one.mapped>[^/\s]+)/[0-9]+ ?"
            r"laddr (?:(?P<one.interface>[^\s:]+):)?(?P<one.address>[^/\s]+)/[0-9]+\s?(?:\((?P<one.user>[^)]*)\))?"
            r"(?: ?\((?P<login>[^)]*)\))?(?: ?type (?P<cisco.asa.icmp_type>[0-9]+) code (?P<cisco.asa.icmp_code>[0-9]+))?",
        ),
    ),
    (
        "302022 302024 302026",
        (
            rf"^Built (?:director|backup|forwarder|owner)\s+stub {_PROTOCOL} connection for {_ONE} to {_TWO}",
            rf"^Built \S+ stub {_PROTOCOL} connection for {_ONE} to {_TWO}",
        ),
    ),
    (
        "302023 302025 302027",
        (
            rf"^Teardown stub {_PROTOCOL} connection for {_ONE} to {_TWO} duration {_DURATION} "
            r"forwarded bytes (?P<network.bytes>[0-9]+) ?(?P<event.reason>.*)$",
        ),
    ),
    ("302010", (r"^(?P<cisco.asa.connections_in_use>[0-9]+) in use, (?P<cisco.asa.connections_most_used>[0-9]+) most used",)),
    # Address translation.
    (
        "305011",
        (
            rf"^Built [a-z]+ (?P<network.transport>[A-Za-z]+) translation from {_end('one', user='?')} to {_end('two')}",
            rf"^Built (?:\S+ )?(?P<network.transport>\S+) translation from {_ONE} to {_TWO}",
        ),
    ),
    (
        "305012",
        (
            rf"^Teardown [a-z]+ (?P<network.transport>[A-Za-z]+) translation from {_end('one', user='?')} to "
            rf"{_end('two')} duration (?P<duration>[0-9]+:[0-9]+:[0-9]+)",
            rf"^Teardown (?:\S+ )?(?P<network.transport>\S+) translation {_FROM_TO} duration {_DURATION}",
        ),
    ),
    ("305009", (rf"^Built (?:dynamic|static) translation {_FROM_TO}",)),
    ("305010", (rf"^Teardown (?:dynamic|static) translation {_FROM_TO} duration {_DURATION}",)),
    (
        "305005 305006 305013",
        (
            rf"^(?P<event.reason>.*?)(?:; Connection)? for {_NUMBERED} src {_ONE} dst {_TWO}{_ICMP}",
        ),
    ),
    # Refused by rule or inspection.
    (
        "106001",
        (
            rf"^(?P<direction>\w+) {_PROTOCOL} connection denied from {_BARE_ONE} to {_BARE_TWO} "
            rf"flags (?P<cisco.asa.tcp_flags>.*?) +{_ON}\.?$",
        ),
    ),
    (
        "106002 106018",
        (
            rf"^{_PROTOCOL} (?:Connection|packet type (?P<cisco.asa.icmp_type>\S+)) denied by (?P<direction>\w+) list "
            rf"{_ACL} src {_BARE_ONE} dest {_BARE_TWO}",
        ),
    ),
    ("106006", (rf"^Deny (?P<direction>\w+) {_PROTOCOL} from {_BARE_ONE} to {_BARE_TWO} {_ON}\.?$",)),
    (
        "106007",
        (
            rf"^Deny (?P<direction>\w+) {_PROTOCOL} from {_BARE_ONE} to {_BARE_TWO} due to "
            r"(?P<network.protocol>\w+) (?P<event.reason>.*)$",
        ),
    ),
    ("106010 106014", (rf"^Deny (?P<direction>\w+) {_NUMBERED} src {_ONE} dst {_TWO}{_ICMP}",)),
    ("106012", (rf"^Deny IP from {_BARE_ONE} to {_BARE_TWO}, (?P<event.reason>.*)$",)),
    ("106013", (rf"^Dropping echo request from {_BARE_ONE} to PAT address {_BARE_TWO}",)),
    (
        "106015",
        (
            rf"^Deny {_PROTOCOL} \(no connection\) from {_BARE_ONE} to {_BARE_TWO} "
            rf"flags (?P<cisco.asa.tcp_flags>.*?) +{_ON}\.?$",
        ),
    ),
    (
        "106016 106017 106020 106021 106022",
        (
            rf"^Deny (?P<network.transport>\S+) (?P<event.reason>[^(]*?)(?: \([^)]*\))? from \(?(?P<one.address>[^\s()]+)\)? to "
            rf"(?P<two.address>\S+?)(?: {_ON})?\.?$",
        ),
    ),
    (
        "106023",
        (
            rf"^Deny (?P<network.transport>[a-z]+) src {_end('one')} dst {_end('two')} by access-group "
            r'"(?P<cisco.asa.rule_name>[^"]*)"',
            rf"^Deny {_NUMBERED} src {_ONE} dst {_TWO}{_ICMP}.*?by access-group {_ACL}",
        ),
    ),
    ("106027", (rf"^(?:\S+ )?Deny src {_BARE_ONE} dst {_BARE_TWO} by access-group {_ACL}",)),
    (
        "106100",
        (
            r"^access-list (?P<cisco.asa.rule_name>[^ ]+) (?P<verdict>[a-z-]+) (?P<network.transport>[^ ]+) "
            r"(?P<one.interface>[^/]+)/(?P<one.address>[^(]+)\((?P<one.port>[0-9]+)\)(?:\((?P<one.user>[^)]*)\))? -> "
            r"(?P<two.interface>[^/]+)/(?P<two.address>[^(]+)\((?P<two.port>[0-9]+)\)(?:\((?P<two.user>[^)]*)\))? "
            r"hit-cnt (?P<cisco.asa.hit_count>[0-9]+)",
        ),
    ),
    (
        "106100 106102 106103",
        (
            r"^access-list (?P<cisco.asa.rule_name>\S+) (?P<verdict>[a-z-]+) (?P<network.transport>\S+) "
            r"(?:for user '?(?P<person>[^']*?)'? )?(?P<one.interface>[^/]+?)/(?P<one.address>[^(\s]+)"
            r"(?:\((?P<one.port>[0-9]+)\)| (?P<one.plain_port>[0-9]+))?(?:\s?\((?P<one.user>[^)]*)\))? (?:-> ?)?"
            r"(?P<two.interface>[^/]+?)/(?P<two.address>[^(\s]+)"
            r"(?:\((?P<two.port>[0-9]+)\)| (?P<two.plain_port>[0-9]+))?(?:\s?\((?P<two.user>[^)]*)\))?"
            r"(?: hit-cnt (?P<cisco.asa.hit_count>[0-9]+))?",
        ),
    ),
    ("110002 110003", (rf"^(?P<event.reason>.*?) for {_PROTOCOL} {_FROM_TO}",)),
    (
        "313001 313008",
        (
            rf"^Denied {_PROTOCOL} type=(?P<cisco.asa.icmp_type>[^,]+), code=(?P<cisco.asa.icmp_code>\S+) "
            rf"from {_BARE_ONE} {_ON}$",
        ),
    ),
    (
        "313004",
        (
            rf"^Denied {_PROTOCOL} type=(?P<cisco.asa.icmp_type>[^,]+), from (?:[lf]addr )?{_BARE_ONE} {_ON} "
            r"to (?P<two.address>[^\s:]+)(?:: (?P<event.reason>.*))?$",
        ),
    ),
    (
        "313005",
        (
            rf"^No matching connection for (?P<network.transport>\S+) error message: icmp src "
            r"(?P<one.interface>[^:]+):[^\s(]+(?:\s?\((?P<one.user>[^)]*)\))? dst (?P<two.interface>[^:]+):[^\s(]+"
            rf"(?:\s?\((?P<two.user>{_USER})\))?{_ICMP} on \S+ interface\.\s+"
            r"Original IP payload: (?:protocol )?(?P<cisco.asa.original_protocol>\S+) "
            r"src (?P<one.address>[^/\s]+)(?:/(?P<one.port>[0-9]+))? "
            r"dst (?P<two.address>[^/\s]+?)(?:/(?P<two.port>[0-9]+))?(?: \(.*\))?\.?$",
            rf"^No matching connection for (?P<network.transport>\S+) error message: icmp src {_ONE} dst {_TWO}{_ICMP}",
        ),
    ),
    ("313009", (rf"^Denied invalid {_PROTOCOL} code (?P<cisco.asa.icmp_code>[^,]+), for {_ONE} to {_TWO}",)),
    ("322001", (r"^Deny MAC address (?P<source.mac>[^,\s]+), .* on interface (?P<one.interface>\S+)",)),
    (
        "338",
        (
            rf"^Dynamic [Ff]ilter (?P<cisco.asa.filter_action>\w+) \w+ ?listed {_PROTOCOL} traffic {_FROM_TO},? "
            r"(?:\S+ )*?(?P<listed_side>source|destination) \S+ resolved from (?P<cisco.asa.list_id>\S+) list: "
            r"(?P<listed>[^,\s]+)(?:, threat-level: (?P<cisco.asa.threat_level>[^,]+))?"
            r"(?:, category: (?P<cisco.asa.threat_category>.+))?$",
            r"^Intercepted DNS reply for domain (?P<dns.question.name>\S+) "
            rf"{_FROM_TO}, matched (?P<cisco.asa.list_id>\S+)",
        ),
    ),
    ("400", (r"^IPS:(?P<rule.id>[0-9]+) (?P<rule.name>.*?) from (?P<one.address>\S+) to (?P<two.address>\S+) " + _ON + "$",)),
    ("401004", (r"^Shunned packet: (?P<one.address>\S+) (?:=|==>) (?P<two.address>\S+) " + _ON + "$",)),
    ("402117", (rf"^(?P<event.reason>.*?) \(protocol= ?{_PROTOCOL}\) from {_BARE_ONE} to {_BARE_TWO}\.?$",)),
    ("409023 418001 424001 424002", (rf"^(?P<event.reason>.*?:|Packet denied) {_PROTOCOL} (?:from )?{_ONE} (?:to )?{_TWO}",)),
    ("419002", (rf"^(?P<event.reason>Duplicate TCP SYN) {_FROM_TO}",)),
    ("420002 420003 434002 434004 434007", (rf"^(?P<event.reason>(?:IPS|SFR) requested .*?) {_PROTOCOL} (?:packet|flow|connection) {_FROM_TO}",)),
    ("500003 500004", (rf"^(?P<event.reason>[^,(]*).*?from {_BARE_ONE} to {_BARE_TWO}",)),
    (
        "507003",
        (rf"^(?P<network.transport>\S+) flow {_FROM_TO} terminated by inspection engine, reason -? ?(?P<event.reason>.*)$",),
    ),
    (
        "710001 710002 710003 710004 710005 710006 710007",
        (
            rf"^{_PROTOCOL} (?:access|request|connection).*? from {_BARE_ONE} to (?P<two.interface>[^:\s]+):"
            r"(?P<two.address>[^/\s]+)(?:/(?P<two.port>[0-9]+)|/(?P<network.protocol>[a-z][\w-]*))?",
        ),
    ),
    # What was fetched.
    (
        "303002",
        (
            rf"^(?P<network.protocol>\S+) connection {_FROM_TO}, user (?P<client.user.name>\S+) "
            r"(?P<cisco.asa.file_action>\S+) file (?P<file.path>.*)$",
        ),
    ),
    (
        "304001",
        (
            r"^(?:(?P<person>[^\s@]+(?:@[^\s@]+)??)@)?(?P<one.address>[^\s@(]+)(?:\s?\((?P<one.user>[^)]*)\))? "
            r"Accessed (?:JAVA )?URL (?:[^\s@]+@)?(?P<two.address>[^:\s]+):(?P<url.original>.*)$",
        ),
    ),
    (
        "304002",
        (rf"^Access denied URL (?P<url.original>\S+) SRC {_BARE_ONE} DE?ST {_BARE_TWO}(?: {_ON})?$",),
    ),
    # Who logged in where (AAA): `key = value` in an order that depends on the version.
    (
        "113004 113005 113012 113015 113016 113017",
        (
            r"^AAA (?:user (?P<cisco.asa.aaa_type>\S+)|credentials) \w+ ?:? ?(?:reason = (?P<event.reason>.*?) ?: )?"
            r"(?:server = (?P<two.address>\S+?) ?[:,] |local database ?: )?[Uu]ser = ?(?P<person>.*?)"
            r"(?: ?: [Uu]ser IP = (?P<caller>\S*))?$",
        ),
    ),
    (
        "113003 113008 113009 113010 113011 113013 113014",
        (
            r"^AAA .*?server = (?P<two.address>\S+?) ?: user = ?(?P<person>.*)$",
            r"^AAA challenge received for user (?P<person>\S+) from server (?P<two.address>\S+?)\.?$",
            r"^AAA .*?policy (?P<cisco.asa.group_policy>\S+) for user (?:= )?(?P<person>.*)$",
            r"^AAA group policy for user (?P<person>\S+) is being set to (?P<cisco.asa.group_policy>\S+?)\.?$",
            r"^AAA .*?(?:reason = (?P<event.reason>.*?) ?: )?user = ?(?P<person>.*)$",
        ),
    ),
    ("113006 113007", (r"^User '?(?P<person>\S+?)'? (?P<event.reason>.*)$",)),
    (
        "113019",
        (
            r"^Group = (?P<group>.*?), Username = (?P<person>.*?), IP = (?P<one.address>[^,\s]+), Session disconnected\. "
            rf"Session Type: (?P<cisco.asa.session_type>[^,]+), Duration: {_DURATION}, "
            r"Bytes xmt: (?P<sent>[0-9]+), Bytes rcv: (?P<received>[0-9]+), Reason: (?P<event.reason>.*?)\.?$",
        ),
    ),
    ("113021", (r"^Attempted console login failed\.? User '?(?P<person>\S+?)'? did NOT have",)),
    (
        "113022 113023",
        (
            r"^AAA Marking (?P<network.protocol>\S+) server (?P<two.address>\S+) in aaa-server group "
            r"(?P<cisco.asa.aaa_group>\S+) as",
        ),
    ),
    ("113024", (r"^Group (?P<group>\S+?): Authenticating (?P<cisco.asa.session_type>\S+) connection from (?P<one.address>\S+) with username, (?P<person>\S+?), from",)),
    (
        "113029 113030 113031 113032 113033 113034 113035 113036 113038 113039 113040",
        (
            *_who(r"(?P<said>.*)$"),
            r"^Terminating the VPN connection attempt from (?P<group>.*?)\. Reason: (?P<event.reason>.*?)\.?$",
        ),
    ),
    ("113042", (rf"^Non-HTTP connection {_FROM_TO} denied",)),
    ("109001 109005 109006 109007 109008", (r"^\w+ \w+ for user '?(?P<person>.*?)'? " + _FROM_TO.replace("[^:]+?", r"[^:\s]+?") + rf"(?: {_ON})?\.?$",)),
    ("109011 109012", (r"^Authen Session \w+: user '?(?P<person>[^',]+)'?, ?[Ss]id",)),
    ("109201 109202 109203 109204 109205 109206 109207 109208 109209 109210 109211 109212 109213",
     (r"^UAUTH:? Session[ =](?P<cisco.asa.session_id>[^,]+), User[ =](?P<person>[^,]+), Assigned IP[ =](?P<assigned>[^,]+), (?P<said>.*)$",)),
    ("111001 111007", (r"^Begin configuration: (?P<one.address>\S+) (?P<said>.*)$",)),
    ("111004 111005", (r"^(?P<one.address>\S+) end configuration: (?P<verdict>\w+)",)),
    ("111008 111009", (r"^User '?(?P<admin>[^']*?)'? executed (?:the |cmd: ?)?'?(?P<process.command_line>.*?)'?(?: command\.?)?$",)),
    (
        "111010",
        (
            r"^User '?(?P<admin>[^']*?)'?, running '?(?P<process.name>[^']*?)'? from IP (?P<one.address>[^,\s]+), "
            r"executed '?(?P<process.command_line>.*?)'?$",
        ),
    ),
    ("308001", (r"(?:console|Console) enable password incorrect.*\(from (?P<one.address>[^)]+)\)",)),
    (
        "315011",
        (
            r"^SSH session from (?P<one.address>\S+) on interface (?P<one.interface>\S+) for user "
            r'"?(?P<person>[^"\s]*)"? disconnected by SSH server, reason: (?P<event.reason>.*?)$',
        ),
    ),
    (
        "502101 502102 502103",
        (
            r"^(?:New user|User).*?Uname: (?P<target>\S+?) (?:Priv: (?P<cisco.asa.privilege.new>[0-9]+)|"
            r"From: (?P<cisco.asa.privilege.old>[0-9]+) To: (?P<cisco.asa.privilege.new_level>[0-9]+))",
        ),
    ),
    (
        "605004 605005",
        (
            r'^Login (?:denied|permitted) from (?P<one.address>[^/\s]+)(?:/(?P<one.port>[0-9]+))? to '
            r'(?:(?P<two.interface>[^:\s]+):(?P<two.address>[^/\s]+)/(?P<network.protocol>\S+)|\S+) '
            r'for user "?(?P<person>[^"]*)"?',
        ),
    ),
    ("606", (r"^ASDM (?:logging )?session number (?P<cisco.asa.session_id>[0-9]+) from (?P<one.address>\S+) (?P<said>.*)$",)),
    (
        "611101 611102",
        (r"^User authentication \w+: (?:IP, )?IP address: (?P<one.address>[^,\s]+), Uname: ?(?P<admin>.*)$",
         r"^User authentication \w+: Uname: ?(?P<admin>.*)$"),
    ),
    ("611103", (r"^User logged out: Uname: ?(?P<person>.*)$",)),
    # Remote access: IPsec.
    (
        "602303 602304",
        (
            r"^(?P<network.type>\w+): An (?P<direction>\w+) (?P<cisco.asa.tunnel_type>.*?) SA \(SPI= ?\S+\) between "
            r"(?P<one.address>\S+) and (?P<two.address>\S+) \(user= ?(?P<person>.*?)\) has been",
        ),
    ),
    (
        "713 715",
        (
            r"^Group = (?P<group>[^,]*), Username = (?P<person>[^,]*), IP = (?P<one.address>[^,]*), "
            r"Assigned private IP address (?P<assigned>\S+) to remote user",
            r"^(?:Group = (?P<group>[^,]*), )?(?:Username = (?P<person>[^,]*), )?IP = (?P<one.address>[^,\s]+), "
            r"(?P<event.reason>.*)$",
            r"^Group = (?P<group>[^,]*), (?:Username = (?P<person>[^,]*), )?(?P<event.reason>.*)$",
        ),
    ),
    (
        "750 751 752",
        (
            _LOCAL_REMOTE + r"(?:IKEv2 )?Group: ?(?P<group>\S+) IPv4 Address= ?(?P<assigned>\S*) IPv6 address= ?(?P<assigned_v6>\S*) assigned to session",
            _LOCAL_REMOTE + r"(?:(?:IKEv2 )?Group: ?(?P<group>\S+) )?(?P<event.reason>.*)$",
        ),
    ),
    # Remote access: AnyConnect and WebVPN.
    (
        "716002",
        _who(r"WebVPN session terminated:? (?P<event.reason>.*?)\.?$"),
    ),
    ("716003 716004", _who(r"WebVPN access \w+: \"?(?P<url.original>[^\"]*)\"?")),
    (
        "716023 716038 716039",
        (
            *_who(r"Authentication: \w+, Session Type: (?P<cisco.asa.session_type>.*?)\.?$"),
            r"^Authentication: \w+, group = (?P<group>\S+) user = (?P<person>\S+) ?, Session Type: (?P<cisco.asa.session_type>.*?)\.?$",
        ),
    ),
    (
        "716059",
        (
            rf"^{_WHO.replace('one.address', 'former')}AnyConnect session resumed.*? from (?:IP )?<?(?P<one.address>[0-9A-Fa-f.:]+?)>?\.?$",
            rf"^{_WHO_BARE.replace('one.address', 'former')}AnyConnect session resumed.*? from (?:IP )?<?(?P<one.address>[0-9A-Fa-f.:]+?)>?\.?$",
        ),
    ),
    ("721016 721018", (r"^\((?P<cisco.asa.device_type>[^)]*)\) WebVPN session for client user (?P<person>.*?), IP,? (?P<one.address>\S+) has been",)),
    (
        "722051",
        _who(
            r"(?P<event.reason>(?:IPv4 )?Address <(?P<assigned>[^>]*)>(?: IPv6 address <(?P<assigned_v6>[^>]*)>)? assigned to session)"
        ),
    ),
    ("722055", _who(r"Client Type: (?P<user_agent.original>.*)$")),
    ("722022 722023 722032 722033 722034", _who(r"(?P<event.reason>(?:First |New )?(?:(?P<network.transport>TCP|UDP|DTLS) )?.*)$")),
    ("716 722 723", _who(r"(?P<event.reason>.*)$")),
    # Remote access: the client's posture, and its addresses.
    (
        "734",
        (
            r"^DAP: User (?P<person>[^,]*), Addr (?P<one.address>[^,\s]+), Connection (?P<cisco.asa.connection_type>[^:]+): "
            r"The following DAP records were selected for this connection: (?P<cisco.asa.dap_records>.*)$",
            r"^DAP: User (?P<person>[^,]*), Addr (?P<one.address>[^,\s:]+): Session Attribute:? "
            r"(?P<cisco.asa.dap_attribute>[^\s=]+) ?= ?\"?(?P<cisco.asa.dap_value>.*?)\"?$",
            r"^DAP: User (?P<person>[^,]*), Addr (?P<one.address>[^,\s:]+)[,:] (?P<event.reason>.*)$",
        ),
    ),
    (
        "737",
        (
            r"^IPAA: (?:Session=(?P<cisco.asa.session_id>[^,]+), )?Client assigned (?P<assigned>\S+) from (?:local )?pool (?P<cisco.asa.pool_name>\S+)",
            r"^IPAA: (?:Session=(?P<cisco.asa.session_id>[^,]+), )?Freeing local pool (?P<cisco.asa.pool_name>\S+) address (?P<assigned>\S+)",
            r"^IPAA: (?:Session=(?P<cisco.asa.session_id>[^,]+), )?Freeing (?:DHCP|AAA|IPv4|IPv6)(?: assigned)? address (?P<assigned>\S+)",
            r"^IPAA: (?:Session=(?P<cisco.asa.session_id>[^,]+), )?.* for tunnel-group '?(?P<cisco.asa.tunnel_group>[^\s']+)",
            r"^IPAA: (?:Session=(?P<cisco.asa.session_id>[^,]+), )?(?P<event.reason>.*)$",
        ),
    ),
    (
        "746012 746013",
        (
            r"^user-identity: (?:Add|Delete) IP-User mapping (?P<one.address>\S+) ?- ?(?P<person>\S+) (?P<event.reason>.*)$",
        ),
    ),
    ("604103", (r"^DHCP daemon interface (?P<one.interface>\S+): +address granted (?P<source.mac>\S+) \((?P<one.address>[^)]+)\)",)),
    # The rest.
    ("607001", (r"^Pre-allocate SIP (?:\S+ )??(?:(?P<network.transport>UDP|TCP)|(?P<network.protocol>RTCP|RTP)|\S+) secondary channel for (?P<two.interface>[^:]+):(?P<two.address>[^/\s]+)/(?P<two.port>[0-9]+) to (?P<one.interface>[^:]+):(?P<one.address>[^/\s]+)",)),
    ("609001", (r"^Built local-host (?P<one.interface>[^:]+):(?P<one.address>\S+)",)),
    ("609002", (rf"^Teardown local-host (?P<one.interface>[^:]+):(?P<one.address>\S+) duration {_DURATION}",)),
    (
        "725001 725002 725003 725006 725007 725016",
        (
            r"(?:with|for) (?P<cisco.asa.peer_type>\S+) (?P<one.interface>[^:]+):(?P<one.address>[^/\s]+)/(?P<one.port>[0-9]+)"
            r"(?: to (?P<two.address>[^/\s]+)/(?P<two.port>[0-9]+))?(?: for (?P<tls_protocol>\S+))?",
        ),
    ),
    (
        "733100",
        (
            r"^\[\s*(?P<cisco.asa.burst.object>[^\]]*?)\] drop (?P<cisco.asa.burst.id>\S+) exceeded\. "
            r"Current burst rate is (?P<cisco.asa.burst.current_rate>[0-9]+) per second, max configured rate is "
            r"(?P<cisco.asa.burst.configured_rate>[0-9]+); Current average rate is (?P<cisco.asa.burst.avg_rate>[0-9]+) "
            r"per second, max configured rate is (?P<cisco.asa.burst.configured_avg_rate>[0-9]+); "
            r"Cumulative total count is (?P<cisco.asa.burst.cumulative_count>[0-9]+)",
        ),
    ),
    ("805001 805002", (rf"^(?:Offloaded )?{_PROTOCOL} [Ff]low (?:is no longer offloaded )?for connection {_ID} {_FROM_TO}",)),
)  # fmt: skip
