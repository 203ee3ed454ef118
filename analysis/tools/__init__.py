"""Remote-access tools, network KVM switches, VPNs and tunnels, named by what they leave in events.

table = load()
events.hstack(named(events, table))
"""

from __future__ import annotations

from analysis.tools.named import COLUMNS, named
from analysis.tools.table import Fact, Table, load

__all__ = ["COLUMNS", "Fact", "Table", "load", "named"]
