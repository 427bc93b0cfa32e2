"""pgpq, which makes PostgreSQL's binary COPY of Arrow: https://github.com/adriangb/pgpq"""

from collections.abc import Callable, Mapping

from benchmarks.peers.documented_table import connected, make_table
from benchmarks.stopwatch import Lap, stopwatch
from benchmarks.task import EVENT_TABLE_COLUMNS, SCHEMA, Task

PACKAGES = ("pgpq",)
_JSON = ("properties", "set", "set_once")


def copy(task: Task) -> Lap:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pgpq import ArrowToPostgresBinaryEncoder
    from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder
    from pgpq.schema import Jsonb

    schema = pq.read_schema(task.files("events")[0])
    chosen = pa.schema([schema.field(name) for name in EVENT_TABLE_COLUMNS])
    chosen = chosen.set(chosen.get_field_index("team_id"), pa.field("team_id", pa.int32()))
    builders = {
        name: (
            LargeStringEncoderBuilder
            if pa.types.is_large_string(chosen.field(name).type)
            else StringEncoderBuilder
        ).new_with_output(chosen.field(name), Jsonb())
        for name in _JSON
    }
    encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(
        chosen,
        builders
        | {
            field.name: ArrowToPostgresBinaryEncoder.infer_encoder(field)
            for field in chosen
            if field.name not in _JSON
        },
    )
    names = ", ".join(f'"{name}"' for name in EVENT_TABLE_COLUMNS)
    with connected(task) as connection:
        make_table(connection)
        statement = f"COPY {SCHEMA}.events ({names}) FROM STDIN WITH (FORMAT BINARY)"
        with (
            stopwatch() as lap,
            connection.transaction(),
            connection.cursor().copy(statement.encode()) as target,
        ):
            target.write(encoder.write_header())
            for path in task.files("events"):
                for batch in pq.ParquetFile(path).iter_batches(columns=list(EVENT_TABLE_COLUMNS)):
                    target.write(
                        encoder.write_batch(batch.select(list(EVENT_TABLE_COLUMNS)).cast(chosen))
                    )
            target.write(encoder.finish())
    lap.table = "events"
    return lap


CAN: Mapping[str, Mapping[str, Callable[[Task], Lap]]] = {"postgres": {"pgpq": copy}}
