"""Tests of alerts, sent to real servers on this machine."""
