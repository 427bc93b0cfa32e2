"""What the fields of a connection to a database may hold."""

import ipaddress
import re

from batch_exports.errors import ConfigurationError

LONGEST_SECONDS = 2**31 // 1000  # PostgreSQL and Redshift count milliseconds in 32 bits


def check_text(field: str, text: str | None) -> None:
    """Libpq would end at a NUL, and so forget all parameters after it, such as those of TLS."""
    if text is not None and (not text or not text.isprintable()):
        raise ConfigurationError(
            field,
            f"{text!r} is empty, or holds characters that cannot be seen.",
            remedy="Correct it.",
        )


def check_host(host: str) -> None:
    if not address(host) and re.search(r"[/:@,\s]", host):
        raise ConfigurationError(
            "host",
            f"{host!r} is not a host.",
            remedy="Give one name or address; port, database and user have their own fields.",
        )


def check_most(field: str, value: int, most: int) -> None:
    if value > most:
        raise ConfigurationError(field, f"{value} is too large.", remedy=f"Give {most} or less.")


def address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the host is; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
