"""Faults on the way to a server: what networks and busy servers do, exactly when a test says so."""

from batch_exports_tests.faults.proxy import FaultProxy
from batch_exports_tests.faults.rules import SLOW_DOWN, HttpFault, Rule, TcpFault

__all__ = ["SLOW_DOWN", "FaultProxy", "HttpFault", "Rule", "TcpFault"]
