"""Tests of destinations: one suite that all of them pass, and each one's own."""

import pytest

# Its assertions explain themselves only if pytest knows of it before it is imported.
pytest.register_assert_rewrite("batch_exports_tests.destinations.suite")
