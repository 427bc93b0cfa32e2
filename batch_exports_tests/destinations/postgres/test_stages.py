"""Stages of several connections, of runs that follow each other closely."""

from concurrent.futures import ThreadPoolExecutor

from batch_exports.destinations.postgres.stages import Stages
from batch_exports.destinations.postgres.table import TableName
from batch_exports_tests.destinations.postgres.adapter import PostgresAdapter
from batch_exports_tests.destinations.suite import wait_until


def test_a_run_may_begin_while_the_last_one_clears_up(postgres: PostgresAdapter) -> None:
    """Both drop what the last one made, and each may find that the other was faster."""
    postgres.execute("CREATE TABLE {table} (id integer)")

    def stages() -> Stages:
        table = TableName(postgres.schema, "events")
        return Stages(postgres.connect, table, ["id"], label="hour", count=2)

    def await_waiting(sessions: int) -> None:
        query = (
            "SELECT pid FROM pg_stat_activity "
            "WHERE cardinality(pg_blocking_pids(pid)) > 0 AND application_name = 'test'"
        )
        wait_until(lambda: len(postgres.execute(query)) == sessions)

    with postgres.connect() as one, postgres.connect() as other, stages() as last:
        last.open(one)
        with ThreadPoolExecutor(2) as threads, postgres.connect() as reader:
            with reader.transaction():
                for name in postgres.leftovers():
                    reader.execute(f'TABLE "{postgres.schema}"."{name}"')
                ended = threads.submit(last.__exit__, None, None, None)
                await_waiting(1)
                begun = threads.submit(lambda: stages().open(other))
                await_waiting(2)
            ended.result()
            targets = begun.result()
    for target in targets:
        target.connection.close()
    assert len(postgres.leftovers()) == 2
