"""Errors that only a real cluster makes, injected."""

import re
import threading
from dataclasses import dataclass

from batch_exports.local.redshift.refusal import Refusal

# https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting.html
ISOLATION_VIOLATION = Refusal(
    "XX000",
    "1023",
    "Serializable isolation violation on table - 100123, transactions forming the cycle are: "
    "2001, 2002 (pid:1001)",
)


@dataclass
class _Fault:
    pattern: re.Pattern[str]
    times: int | None
    refusal: Refusal


class Faults:
    """The errors still to come."""

    def __init__(self) -> None:
        self._faults: list[_Fault] = []
        self._lock = threading.Lock()

    def inject(self, pattern: str, refusal: Refusal, times: int | None) -> None:
        """Fail the next `times` statements in which `pattern` is found; None is all of them."""
        with self._lock:
            self._faults.append(_Fault(re.compile(pattern, re.I | re.S), times, refusal))

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def strike(self, statement: str) -> None:
        """Raises Refusal when this is one of the statements that shall fail."""
        with self._lock:
            for fault in self._faults:
                if fault.times != 0 and fault.pattern.search(statement):
                    if fault.times:
                        fault.times -= 1
                    raise fault.refusal
