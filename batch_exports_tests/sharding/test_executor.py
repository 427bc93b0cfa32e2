"""Which executor runs with shards have."""

import pytest

from batch_exports.sharding.executor import VARIABLE, build_executor


def test_another_executor_of_dagster_may_run_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_executor().name == "shards_by_multiprocess"
    monkeypatch.setenv(VARIABLE, "dagster.in_process_executor")
    assert build_executor().name == "shards_by_in_process"
    for wrong in ("dagster_nowhere.executor", "dagster.nothing", "dagster.asset", "executor"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(ValueError, match=f"{VARIABLE}: '{wrong}' is no"):
            build_executor()
