"""What became of the queries: a small stand-in for ClickHouse's system.query_log."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

State = Literal["running", "finished", "failed", "cancelled"]


@dataclass
class Entry:
    """`rows` are those that were sent. `cancelled` is a query whose client went away."""

    query_id: str
    query: str
    settings: Mapping[str, str]
    state: State = "running"
    rows: int = 0

    @property
    def log_comment(self) -> str:
        return self.settings.get("log_comment", "")


@dataclass
class QueryLog:
    _entries: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, query_id: str, query: str, settings: Mapping[str, str]) -> Entry:
        entry = Entry(query_id, query, settings)
        with self._lock:
            self._entries.append(entry)
        return entry

    def dumps(self) -> bytes:
        """All entries as JSON, oldest first."""
        with self._lock:
            return json.dumps([asdict(entry) for entry in self._entries]).encode()


def loads(text: bytes) -> list[Entry]:
    return [Entry(**entry) for entry in json.loads(text)]
