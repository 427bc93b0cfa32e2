"""What a delivery looks like when it is compared with its record long after."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verified:
    """`compared` says by what, and `problems` name each difference, in words. `rows` were counted;
    None where they were not."""

    compared: str
    problems: tuple[str, ...]
    rows: int | None
