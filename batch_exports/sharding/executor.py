"""How the steps of a run are executed: one after the other in its process, shards side by side."""

import os
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import dagster as dg

from batch_exports.sharding.asset import SHARD_TAG

VARIABLE = "BATCH_EXPORTS_SHARD_EXECUTOR"
"""Names the executor of runs that have shards, such as `dagster_k8s.k8s_job_executor`."""


class ShardExecutor(dg.Executor):
    """Leaves a run to `beside` where any of its steps is a shard, else to `in_process`: a process
    for each step costs seconds, and plain exports have one step that delivers."""

    def __init__(self, beside: dg.Executor, in_process: dg.Executor) -> None:
        self._beside = beside
        self._in_process = in_process

    @property
    def retries(self) -> Any:
        return self._in_process.retries

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        steps = map(execution_plan.get_step_by_key, execution_plan.step_keys_to_execute)
        sharded = any(SHARD_TAG in step.tags for step in steps)
        chosen = self._beside if sharded else self._in_process
        yield from chosen.execute(plan_context, execution_plan)


def build_executor() -> dg.ExecutorDefinition:
    """Shards have processes of this machine, unless the variable names another executor of
    Dagster's. It takes that one's configuration."""
    beside = _named(os.environ.get(VARIABLE, ""))

    def create(context: dg.InitExecutorContext) -> ShardExecutor:
        config = context.executor_config
        alone = {"retries": config.get("retries", {"enabled": {}})}
        return ShardExecutor(
            _made(beside, context, config), _made(dg.in_process_executor, context, alone)
        )

    schema: Any = beside.config_schema
    return dg.ExecutorDefinition(
        f"shards_by_{beside.name}", config_schema=schema, executor_creation_fn=create
    )


def _made(
    definition: dg.ExecutorDefinition, context: dg.InitExecutorContext, config: Any
) -> dg.Executor:
    create = definition.executor_creation_fn
    assert create
    return create(context._replace(executor_def=definition, executor_config=config))


def _named(path: str) -> dg.ExecutorDefinition:
    if not path:
        return dg.multiprocess_executor
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{VARIABLE}: {path!r} is not to be found ({error}). Name an executor, such as "
            "dagster_k8s.k8s_job_executor, and install its package."
        ) from error
    if not isinstance(found, dg.ExecutorDefinition):
        raise ValueError(f"{VARIABLE}: {path!r} is no executor, such as k8s_job_executor is.")
    return found
