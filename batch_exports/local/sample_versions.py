"""How rows that change over time are told: a version for each growth, some late, some twice."""

import polars as pl

from batch_exports.local import chance
from batch_exports.local.sample_events import END


def known_at_each_growth(facts: pl.DataFrame, key: str, every: str) -> pl.DataFrame:
    """The facts that each version of a key is made of, with its `version`, counted from 0.

    A key has a version for each stretch of time, `every` long, in which facts of it arrived, made
    of all that had arrived by its end. `cut` is the arrival of the latest of these.
    """
    stretch = pl.col("inserted_at").dt.truncate(every)
    cuts = facts.group_by(key, stretch.alias("stretch")).agg(
        pl.col("inserted_at").max().alias("cut")
    )
    cuts = cuts.select(
        key, "cut", (pl.col("cut").rank("dense").over(key) - 1).cast(pl.Int64).alias("version")
    )
    return cuts.join(facts, on=key).filter(pl.col("inserted_at") <= pl.col("cut"))


def delivered(versions: pl.DataFrame, label: str, *order: str) -> pl.DataFrame:
    """The versions as they reach the lake, each at its own inserted_at unless chance has it else.

    About 3 % come hours later, and may be overtaken by newer versions; about 1 % come a second
    time, a day later. None comes so late that it would be after END.
    """
    ordered = versions.sort(*order)
    rows = ordered.height
    luck = chance.fractions(f"{label} luck", rows)
    hours = 1 + chance.below(f"{label} delay", rows, 12)
    delayed = pl.col("inserted_at") + pl.duration(hours=pl.lit(hours))
    first = ordered.with_columns(
        pl.when((luck < 0.03) & (delayed < END))
        .then(delayed)
        .otherwise("inserted_at")
        .alias("inserted_at")
    )
    second = first.filter(luck >= 0.99).with_columns(pl.col("inserted_at") + pl.duration(days=1))
    return pl.concat([first, second.filter(pl.col("inserted_at") < END)]).sort(
        "inserted_at", *order
    )
