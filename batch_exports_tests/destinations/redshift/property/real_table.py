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
        columns = sql.SQL(
            "interval_start, number, part, action, column_name, "
            "encode(original::text::bytea, 'escape')"
        )
        originals: dict[tuple[int, int, str, str], bytes] = {}
        nulls: set[tuple[int, int, str, str]] = set()
        found = self.select(columns, f"{NAME}_rejects")
        for start, number, _, action, name, digits in sorted(found, key=lambda row: row[:3]):
            finding = (STARTS[start], number, action, name)
            if digits is None:
                nulls.add(finding)
            originals[finding] = originals.get(finding, b"") + bytes.fromhex(digits or "")
        return Counter(
            (interval, action, name, original)
            for (interval, _, action, name), original in (
                (key, value if key[3] in texts and key not in nulls else None)
                for key, value in originals.items()
            )
        )
