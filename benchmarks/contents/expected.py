"""What every hop has to deliver, by column."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "json", "integer", "time"]
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("properties", "person_properties", "set", "set_once"), "json"),
    **dict.fromkeys(("timestamp", "created_at", "inserted_at"), "time"),
    **dict.fromkeys(("team_id", "person_distinct_id_version", "person_version"), "integer"),
}
SAMPLE = 500
"""How many rows are looked at where a column differs."""


@dataclass(frozen=True)
class Column:
    """A column of the lake. `kind` is what its values mean, whatever type they have."""

    name: str

    @property
    def kind(self) -> Kind:
        return _KINDS.get(self.name, "text")

    @property
    def aliases(self) -> tuple[str, ...]:
        """Names under which it may have been delivered."""
        return (self.name, f"_{self.name}")
