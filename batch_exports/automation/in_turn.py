"""Whose turn it is, where a tick has no time for all."""

from collections.abc import Iterable


def in_turn(first: str, names: Iterable[str]) -> list[str]:
    """All names, from `first` on and round; as they come where it is none of them."""
    order = list(names)
    at = order.index(first) if first in order else 0
    return order[at:] + order[:at]
