"""Logins to databases: Microsoft SQL Server (MS-TDS), PostgreSQL, MySQL and MariaDB.

Who logs in to what, with what program. Passwords, and what proves them, are never read.
"""

from __future__ import annotations

from typing import Final

from sensors.capture.protocols.databases import mysql, postgresql, tds

PROTOCOLS: Final = (mysql.PROTOCOL, postgresql.PROTOCOL, tds.PROTOCOL)
