"""What a cluster is set to, and what its sessions see of it."""

from dataclasses import dataclass
from typing import Literal

from batch_exports.local.redshift.objects import Storage

# Each transaction reads one snapshot, taken by its first statement that reads or writes: LOCK comes
# before it. https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
_ISOLATION = {"snapshot": "repeatable read", "serializable": "serializable"}


@dataclass(frozen=True)
class Settings:
    """A cluster's settings.

    `isolation` is that of the database; `storage` is where COPY and UNLOAD find S3.
    """

    storage: Storage
    isolation: Literal["snapshot", "serializable"] = "snapshot"

    def session(self) -> dict[str, str]:
        """What the PostgreSQL session of each client begins with."""
        return {
            "client_encoding": "UTF8",
            "standard_conforming_strings": "off",
            "escape_string_warning": "off",
            "backslash_quote": "on",
            "default_transaction_isolation": _ISOLATION[self.isolation],
            "emulator.isolation": self.isolation,
            "emulator.large_strings": "on" if self.storage.large_strings else "off",
        }
