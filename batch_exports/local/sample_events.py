"""The recorded data in `sample/`, told as PostHog events of three days.

What is real: who did what, at which time of day, in which order and at which distance within a
session; who bought how much for what sum. What is derived is said where it is derived, and every
derived value depends on the recorded rows alone, so that the events are the same wherever and
whenever they are made.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from batch_exports.local import chance
from batch_exports.local.event_schema import EVENTS
from batch_exports.local.hostile import HOSTILE

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 11, 4, tzinfo=UTC)
SAMPLE = Path(__file__).parent / "sample"

_DAYS = (END - START).days
_HOST = "shop.example.com"
_LOGINS = ["account_page", "shipping_details", "payment_details"]
_CLICKS = ["add_to_cart", "wishlist_add"]

# Where in the shop each recorded event happens. A pageview is told as PostHog tells it; anything
# else keeps its own name.
_PLACES = pl.DataFrame(
    [
        ("home", True, "/", "Home"),
        ("promo_page", True, "/promo", "Offers"),
        ("catalog", True, "/catalog", "Catalog"),
        ("filter_results", True, "/catalog?filter=price", "Catalog"),
        ("search", True, "/search", "Search"),
        ("compare", True, "/compare", "Compare"),
        ("product_view", True, "/product/{}", "Product"),
        ("review_page", True, "/product/{}/reviews", "Reviews"),
        ("cart", True, "/cart", "Cart"),
        ("shipping_details", True, "/checkout/shipping", "Shipping"),
        ("payment_details", True, "/checkout/payment", "Payment"),
        ("account_page", True, "/account", "Account"),
        ("error_page", True, "/error", "Something went wrong"),
        ("add_to_cart", False, "/product/{}", "Product"),
        ("wishlist_add", False, "/product/{}", "Product"),
        ("purchase", False, "/checkout/complete", "Thank you"),
        ("payment_error", False, "/checkout/payment", "Payment"),
        ("checkout_bug", False, "/checkout/shipping", "Shipping"),
        ("support_chat", False, "/support", "Support"),
    ],
    schema=["event", "is_page", "place", "title"],
    orient="row",
)
_DEVICES = pl.DataFrame(
    [
        ("desktop", "Desktop", "Chrome", 130, "Windows", 1920, 1080),
        ("mobile", "Mobile", "Mobile Safari", 18, "iOS", 393, 852),
        ("tablet", "Tablet", "Safari", 17, "iOS", 820, 1180),
    ],
    schema=[
        "platform",
        "$device_type",
        "$browser",
        "$browser_version",
        "$os",
        "$screen_width",
        "$screen_height",
    ],
    orient="row",
)
_CHANNELS = pl.DataFrame(
    [
        ("organic", "https://www.google.com/", "www.google.com", None, None),
        ("paid_search", "https://www.google.com/", "www.google.com", "google", "cpc"),
        ("email", "$direct", "$direct", "newsletter", "email"),
        ("social", "https://www.instagram.com/", "www.instagram.com", "instagram", "social"),
        ("direct", "$direct", "$direct", None, None),
    ],
    schema=["acquisition_channel", "$referrer", "$referring_domain", "utm_source", "utm_medium"],
    orient="row",
)
# The fields of every event that the browser sends.
_WEB = [
    "$session_id",
    "$device_id",
    "$is_identified",
    "$current_url",
    "$pathname",
    "$host",
    "title",
    "$referrer",
    "$referring_domain",
    "utm_source",
    "utm_medium",
    "$device_type",
    "$browser",
    "$browser_version",
    "$os",
    "$screen_width",
    "$screen_height",
    "$ip",
    "$lib",
    "$lib_version",
]


def sample_events() -> pl.DataFrame:
    """All events, columns as in `EVENTS`, ordered by inserted_at; START <= inserted_at < END."""
    steps = _steps(pl.read_parquet(SAMPLE / "clickstream.parquet"))
    told = [
        _pageviews(steps),
        _custom_events(steps),
        _clicks(steps),
        _identifications(steps),
        _purchases(pl.read_parquet(SAMPLE / "purchases.parquet")),
        _hostile_events(),
    ]
    events = pl.concat(told, how="diagonal").with_columns(
        chance.uuids("event", sum(part.height for part in told)).alias("uuid"),
        pl.lit(1, pl.Int64).alias("team_id"),
        pl.col("elements_chain").fill_null(""),
    )
    return _with_arrival(events).select(EVENTS.names).sort("inserted_at", "uuid")


def _steps(clicks: pl.DataFrame) -> pl.DataFrame:
    """The click-stream on its new days, each step with its person, device, place and channel."""
    products = chance.below("product", clicks.height, 120)
    return (
        clicks.with_columns(
            _on_new_day("timestamp").alias("timestamp"), product=products, price=products * 7 + 4.99
        )
        .join(_people(clicks), on="user_id", maintain_order="left")
        .join(_devices(clicks), on=["user_id", "platform"], maintain_order="left")
        .join(_PLACES, on="event", maintain_order="left")
        .join(_DEVICES, on="platform", maintain_order="left")
        .join(_CHANNELS, on="acquisition_channel", maintain_order="left")
        .with_columns(
            # Derived: who logs in on a device is known there from the first page that needs it.
            pl.col("timestamp")
            .filter(pl.col("event").is_in(_LOGINS))
            .min()
            .over("user_id", "platform")
            .alias("login_at"),
            pl.col("place").str.replace("{}", pl.col("product").cast(pl.String), literal=True),
        )
        .with_columns((pl.col("timestamp") >= pl.col("login_at")).fill_null(False).alias("known"))
        .with_columns(
            pl.when("known").then("user_id").otherwise("$device_id").alias("distinct_id"),
            pl.when("known")
            .then("known_person")
            .otherwise("new_person")
            .alias("person_properties"),
            pl.col("session_id").alias("$session_id"),
            pl.col("known").alias("$is_identified"),
            (pl.lit(f"https://{_HOST}") + pl.col("place")).alias("$current_url"),
            pl.col("place").str.split("?").list.first().alias("$pathname"),
            pl.lit(_HOST).alias("$host"),
            pl.col("ip").alias("$ip"),
            pl.lit("web").alias("$lib"),
            pl.lit("1.298.0").alias("$lib_version"),
        )
    )


def _on_new_day(column: str) -> pl.Expr:
    """The recorded moment shifted by whole days into the three days.

    No recorded session crosses midnight, so that every session stays in one piece.
    """
    moment = pl.col(column).cast(pl.Datetime("us"))
    midnight = moment.dt.truncate("1d")
    day = (midnight.dt.epoch("d") % _DAYS) * pl.duration(days=1)
    return (START + day + (moment - midnight)).dt.cast_time_unit("us")


def _people(clicks: pl.DataFrame) -> pl.DataFrame:
    """One row a user. Derived: person id, address (from the range for documentation), e-mail."""
    users = clicks.group_by("user_id").agg(
        pl.col("user_cohort").first(),
        pl.col("user_lifecycle").last().alias("lifecycle"),
        pl.col("acquisition_channel").first().alias("channel"),
    )
    return (
        users.sort("user_id")
        .with_columns(
            chance.uuids("person", users.height).alias("person_id"),
            pl.format("203.0.113.{}", chance.below("address", users.height, 254) + 1).alias("ip"),
            pl.format("{}@example.com", "user_id").alias("email"),
        )
        .with_columns(
            _json("email", "lifecycle", pl.col("user_cohort").alias("cohort")).alias("set"),
            _json(pl.col("channel").alias("$initial_channel")).alias("set_once"),
            _json("email", "lifecycle", pl.col("user_cohort").alias("cohort"),
                  pl.col("channel").alias("$initial_channel")).alias("known_person"),
            _json(pl.col("channel").alias("$initial_channel")).alias("new_person"),
        )
        .select("user_id", "person_id", "ip", "set", "set_once", "known_person", "new_person")
    )  # fmt: skip


def _devices(clicks: pl.DataFrame) -> pl.DataFrame:
    """Derived: each user has one device of each platform that they were recorded on."""
    devices = clicks.select("user_id", "platform").unique().sort("user_id", "platform")
    return devices.with_columns(chance.uuids("device", devices.height).alias("$device_id"))


def _pageviews(steps: pl.DataFrame) -> pl.DataFrame:
    pages = steps.filter("is_page").with_columns(page=pl.col("event"))
    return _told(pages, "$pageview", _json("page", *_WEB))


def _custom_events(steps: pl.DataFrame) -> pl.DataFrame:
    """Steps that are no page. Derived: which product, at what price."""
    bought = steps.filter(~pl.col("is_page"), pl.col("event").is_in([*_CLICKS, "purchase"]))
    others = steps.filter(~pl.col("is_page"), ~pl.col("event").is_in([*_CLICKS, "purchase"]))
    named = _json("product", "price", pl.lit("USD").alias("currency"), *_WEB)
    return pl.concat(
        [_told(bought, pl.col("event"), named), _told(others, pl.col("event"), _json(*_WEB))]
    )


def _clicks(steps: pl.DataFrame) -> pl.DataFrame:
    """Derived: the click on a button that each step into cart or wish list began with."""
    chain = pl.format(
        'button.{}:attr__class="{}"attr__data-product="{}"nth-child="2"nth-of-type="1"text="{}";'
        'div.product:attr__class="product"nth-child="1"nth-of-type="1";'
        'body:nth-child="2"nth-of-type="1"',
        "event",
        "event",
        "product",
        pl.col("event").replace_strict({"add_to_cart": "Add to cart", "wishlist_add": "Remember"}),
    )
    clicked = steps.filter(pl.col("event").is_in(_CLICKS)).with_columns(elements_chain=chain)
    kind = pl.lit("click").alias("$event_type")
    return _told(clicked, "$autocapture", _json(kind, *_WEB), "elements_chain")


def _identifications(steps: pl.DataFrame) -> pl.DataFrame:
    """Derived: the login itself, at the moment of the page that needed it."""
    logins = steps.filter(pl.col("timestamp") == pl.col("login_at")).unique(
        ["user_id", "platform"], keep="first", maintain_order=True
    )
    properties = _json(
        pl.col("user_id").alias("$user_id"),
        pl.col("$device_id").alias("$anon_distinct_id"),
        pl.col("set").str.json_decode(_struct("email", "lifecycle", "cohort")).alias("$set"),
        pl.col("set_once").str.json_decode(_struct("$initial_channel")).alias("$set_once"),
        *_WEB,
    )
    return _told(logins, "$identify", properties, "set", "set_once")


def _purchases(purchases: pl.DataFrame) -> pl.DataFrame:
    """Purchases that a shop's server reports. Derived: the time of day, since only dates are known.

    The day is shifted as the click-stream's days are.
    """
    rows = purchases.height
    # Nothing before five: the first day begins with hours in which nothing arrives.
    seconds = 5 * 3600 + chance.below("purchase time", rows, 19 * 3600 - 60)
    customers = purchases.select("customer_id").unique().sort("customer_id")
    customers = customers.with_columns(
        chance.uuids("customer", customers.height).alias("person_id")
    )
    since = pl.col("date").min().over("customer_id").cast(pl.String).alias("customer_since")
    bought = purchases.join(customers, on="customer_id", maintain_order="left").with_columns(
        (_on_new_day("date") + seconds * pl.duration(seconds=1)).alias("timestamp"),
        pl.format("cdnow_{}", "customer_id").alias("distinct_id"),
        _json(since).alias("person_properties"),
    )
    properties = _json(
        "quantity",
        pl.col("amount").cast(pl.Float64).alias("revenue"),
        pl.lit("USD").alias("currency"),
        pl.col("date").cast(pl.String).alias("purchased_on"),
        pl.lit("posthog-python").alias("$lib"),
        pl.lit("6.7.6").alias("$lib_version"),
    )
    return _told(bought, "purchase", properties)


def _hostile_events() -> pl.DataFrame:
    """Made up: valid events that exporters stumble over, three minutes apart on the second day."""
    first = START + timedelta(days=1, hours=9)
    return pl.DataFrame(
        {
            "event": "$feature_interaction",
            "distinct_id": "tester@example.com",
            "person_id": chance.uuids("tester", 1)[0],
            "timestamp": [first + timedelta(minutes=3 * place) for place in range(len(HOSTILE))],
            "properties": list(HOSTILE.values()),
            "person_properties": '{"email":"tester@example.com"}',
            "ip": "",
        },
        schema_overrides={"timestamp": pl.Datetime("us", "UTC")},
    )


def _with_arrival(events: pl.DataFrame) -> pl.DataFrame:
    """Adds created_at and inserted_at. Derived: most events arrive within seconds, about 3 % late.

    Late ones come by one hour to a day, as from a phone without a network, and with them the rest
    of their session; five purchases by more than a day. An event that would be that late after END
    is not late.
    """
    rows, luck = events.height, chance.fractions("late", events.height)
    hour = 3_600_000_000  # microseconds
    prompt = 1_000_000 + chance.below("prompt", rows, 8_000_000)
    late = hour + chance.below("lag", rows, 23 * hour)
    very_late = 24 * hour + chance.below("long lag", rows, 6 * hour)
    alone = pl.col("$session_id").is_null()
    in_time = alone & (pl.col("timestamp") < END - timedelta(hours=30))
    fits = pl.col("timestamp") + pl.duration(microseconds=pl.lit(late)) < END
    lag = (
        pl.when(in_time & (pl.when(in_time).then(luck).rank("ordinal") <= 5))
        .then(very_late)
        .when(fits & (luck < pl.when(alone).then(0.042).otherwise(0.005)))
        .then(late)
        .otherwise(prompt)
    )
    arrived = events.with_columns(
        (pl.col("timestamp") + pl.duration(microseconds=lag)).alias("inserted_at")
    )
    # A browser sends in order: nothing of a session arrives before what happened earlier in it.
    moment = pl.col("inserted_at").max().over("$session_id", "timestamp")
    in_order = moment.cum_max().over("$session_id", order_by="timestamp")
    return arrived.with_columns(
        pl.when(alone).then("inserted_at").otherwise(in_order).alias("inserted_at")
    ).with_columns(
        (pl.col("inserted_at") - pl.duration(milliseconds=200)).alias("created_at"),
    )


def _told(
    rows: pl.DataFrame, event: str | pl.Expr, properties: pl.Expr, *further: str
) -> pl.DataFrame:
    """Rows as events: those columns that the kinds of events have in common, and `further`."""
    name = pl.lit(event) if isinstance(event, str) else event
    common = ["distinct_id", "person_id", "timestamp", "person_properties"]
    return rows.select(
        name.alias("event"),
        *common,
        *(name for name in ("ip", "$session_id") if name in rows.columns),
        properties.alias("properties"),
        *further,
    )


def _json(*fields: str | pl.Expr) -> pl.Expr:
    """One JSON object a row."""
    return pl.struct(*fields).struct.json_encode()


def _struct(*names: str) -> pl.Struct:
    return pl.Struct(dict.fromkeys(names, pl.String))
