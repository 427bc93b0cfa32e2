"""Asset checks of an export: each reads the destination anew, a partition at a time."""

from batch_exports.checks.definitions import build_checks, deliveries_of
from batch_exports.checks.examination import Check, Examination, Outcome
from batch_exports.checks.freshness import build_freshness_check
from batch_exports.checks.registry import (
    CHECKS,
    CHECKS_OF_MERGES,
    CHECKS_OF_RESOLVED,
    CHECKS_OF_SYNCS,
    CHECKS_OF_VOLUME,
    ON_DEMAND,
    checks_of,
)

__all__ = [
    "CHECKS",
    "CHECKS_OF_MERGES",
    "CHECKS_OF_RESOLVED",
    "CHECKS_OF_SYNCS",
    "CHECKS_OF_VOLUME",
    "ON_DEMAND",
    "Check",
    "Examination",
    "Outcome",
    "build_checks",
    "build_freshness_check",
    "checks_of",
    "deliveries_of",
]
