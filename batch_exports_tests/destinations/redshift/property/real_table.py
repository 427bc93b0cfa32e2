"""The table of Redshift's, as PostgreSQL behind the emulator sees it."""

from collections import Counter
from dataclasses import dataclass
from typing import LiteralString

import pyarrow as pa
from psycopg import sql

from batch_exports.models import JSON
from batch_exports_tests.destinations.property.real_table import NAME, STARTS, RealTable
from batch_exports_tests.destinations.property.source import Finding


@dataclass(frozen=True)
class RedshiftTable(RealTable):
    """As its administrator sees it."""

    def shown(self, type_: pa.DataType) -> LiteralString:
        """Lists are SUPER, which shows as JSON."""
        return "{}::text" if pa.types.is_list(type_) else super().shown(type_)

    def findings(self) -> Counter[Finding]:
        """Each in as many parts as its texts take."""
        texts = {
            field.name
            for field in self.shape.projection.schema
            if field.type.equals(JSON) or pa.types.is_string(field.type)
        }
        columns = sql.SQL("interval_start, number, part, action, column_name, original::bytea")
        originals: dict[tuple[int, int, str, str], list[bytes | None]] = {}
        found = self.select(columns, f"{NAME}_rejects")
        for start, number, _, action, name, original in sorted(found, key=lambda row: row[:3]):
            parts = originals.setdefault((STARTS[start], number, action, name), [])
            parts.append(original if name in texts else None)
        return Counter(
            (interval, action, name, None if None in parts else b"".join(filter(None, parts)))
            for (interval, _, action, name), parts in originals.items()
        )
