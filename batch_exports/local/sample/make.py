"""Makes the Parquet files of this folder from the files of the two packages they come from.

    python -m batch_exports.local.sample.make <ecom.csv.gz> <CDNOW_sample.txt>

Types are given to the columns; nothing is added, left out or put in another order.
"""

import sys
from pathlib import Path

import polars as pl

FOLDER = Path(__file__).parent


def clickstream(csv: Path) -> pl.DataFrame:
    """retentioneering's `ecom.csv.gz`."""
    return pl.read_csv(csv, schema_overrides={"timestamp": pl.Datetime("us")})


def purchases(text: Path) -> pl.DataFrame:
    """Lifetimes' `CDNOW_sample.txt`: columns of fixed width, divided by spaces."""
    fields = pl.col("line").str.strip_chars().str.replace_all(" +", " ").str.split_exact(" ", 4)
    names = ["customer_id", "sample_id", "date", "quantity", "amount"]
    return (
        pl.DataFrame({"line": text.read_text().splitlines()})
        .select(fields.struct.rename_fields(names))
        .unnest("line")
        .with_columns(
            pl.col("date").str.to_date("%Y%m%d"),
            pl.col("quantity").cast(pl.Int32),
            pl.col("amount").cast(pl.Decimal(10, 2)),
        )
    )


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit((__doc__ or "").strip())
    tables = {
        "clickstream": clickstream(Path(sys.argv[1])),
        "purchases": purchases(Path(sys.argv[2])),
    }
    for name, table in tables.items():
        path = FOLDER / f"{name}.parquet"
        table.write_parquet(path, compression="zstd", compression_level=19)
        print(f"{path}: {table.height:,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
