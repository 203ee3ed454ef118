"""Mail: SMTP, LMTP, IMAP, POP3 in clear, up to STARTTLS."""

from __future__ import annotations

from typing import Final

from sensors.capture.conversations import OverTcp
from sensors.capture.protocols.mail import smtp

PROTOCOLS: Final = (OverTcp("smtp", smtp.fits, smtp.events),)
