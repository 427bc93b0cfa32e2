"""Amplitude's events, with the columns of the table that its export to Redshift keeps.

https://amplitude.com/docs/data/destination-catalog/redshift describes the table. It had 46 columns
when the export came out. Of these, `user_creation_time` went in October 2024; `event_type` came in
March 2023, and is the 47th here.
"""

import pyarrow as pa

from batch_exports.models.amplitude_event_time import EVENT_TIME
from batch_exports.models.model import JSON, TIMESTAMP, Column, Model

# Amplitude takes up to 1,024 characters in a value (https://amplitude.com/docs/apis/analytics/
# http-v2), and Redshift counts bytes, of which UTF-8 has up to four a character.
_TEXT_TYPE = {"redshift": "VARCHAR(4096)"}


def _text(name: str, description: str) -> Column:
    return Column(name, pa.string(), description, types=_TEXT_TYPE)


def _integer(name: str, description: str) -> Column:
    return Column(name, pa.int64(), description, types={"redshift": "BIGINT"})


def _truth(name: str, description: str) -> Column:
    return Column(name, pa.bool_(), description, types={"redshift": "BOOLEAN"})


def _number(name: str, description: str) -> Column:
    return Column(name, pa.float64(), description, types={"redshift": "DOUBLE PRECISION"})


def _time(name: str, description: str, *, optional: bool = False) -> Column:
    types = {"redshift": "TIMESTAMP"}
    return Column(name, TIMESTAMP, description, optional=optional, types=types)


_COLUMNS = (
    # The document writes `Adid`, which Redshift knows as adid, and archives as well.
    Column(
        "adid",
        pa.string(),
        "The advertising ID of Google Play Services (Android), such as "
        "AEBE52E7-03EE-455A-B3C4-E57283966239.",
        types=_TEXT_TYPE,
    ),
    # The document says VARCHAR(1677721), which no database that it names takes.
    Column(
        "amplitude_event_type",
        pa.string(),
        "Amplitude's own name of events that it makes itself. A legacy: `event_type` suffices.",
        types={"redshift": "VARCHAR(65535)"},
    ),
    _integer(
        "amplitude_id",
        "The user's original Amplitude ID, by which merged users are told as one, such as "
        "2234540891.",
    ),
    _integer("app", "The ID of the project, as its settings show it, such as 123456."),
    _text("city", "The city, such as San Francisco."),
    _time(
        "client_event_time",
        "When the device logged the event, by the device's clock, in UTC.",
    ),
    _time(
        "client_upload_time",
        "When the device uploaded the event, by the device's clock, in UTC.",
    ),
    _text("country", "The country, such as United States."),
    Column("data", JSON, "An object of fields such as `first_event` and `merged_amplitude_id`."),
    _text("device_brand", "The brand of the device, such as Apple."),
    _text("device_carrier", "The carrier of the device, such as Verizon."),
    _text("device_family", "The family of the device, such as Apple iPhone."),
    _text(
        "device_id",
        "What the device is told apart by, such as C8F9E604-F01A-4BD9-95C6-8E5357DF265D.",
    ),
    _text("device_manufacturer", "The maker of the device, such as Apple."),
    _text("device_model", "The model of the device, such as iPad Mini."),
    _text("device_type", "The type of the device, such as Apple iPhone 5s."),
    _text(
        "dma",
        "The designated marketing area, such as San Francisco-Oakland-San Jose, CA.",
    ),
    _integer("event_id", "A counter that tells events apart, such as 1."),
    Column("event_properties", JSON, "An object with the properties of the event."),
    _time(
        "event_time",
        "When the event happened, in UTC, as Amplitude's charts place it: `client_event_time`, "
        "set right by the distance from `client_upload_time` to `server_received_time` unless "
        "that is under 60 seconds.",
    ),
    _truth(
        "followed_an_identify",
        "Whether an identify event lies between this event of the SDK and the one before.",
    ),
    Column("group_properties", JSON, "An object with the properties of the groups."),
    Column("groups", JSON, "An object with the types of groups, and the groups, of the event."),
    _text(
        "idfa",
        "The identifier for advertisers (iOS), such as AEBE52E7-03EE-455A-B3C4-E57283966239.",
    ),
    _text("ip_address", "The IP address, such as 123.11.111.11."),
    _truth("is_attribution_event", "Whether the event is one of attribution."),
    _text("language", "The language."),
    _text("library", "The library that sent the event."),
    _number("location_lat", "The latitude, such as 12.3456789."),
    _number("location_lng", "The longitude, such as -123.4567890."),
    _text("os_name", "The name of the operating system, such as ios."),
    _text("os_version", "The version of the operating system, such as 1.0."),
    _text(
        "paying",
        "`true` if the user ever logged revenue, else `(none)`; the Identify API can change it.",
    ),
    _text("platform", "The platform."),
    _time("processed_time", "When Amplitude processed the event, in UTC."),
    _text("region", "The region, such as California."),
    Column(
        "sample_rate",
        pa.decimal128(38, 9),
        "The rate of sampling.",
        types={"redshift": "NUMERIC(38,9)"},
    ),
    _time("server_received_time", "When Amplitude's servers were sent the event, in UTC."),
    _time(
        "server_upload_time",
        "When Amplitude's servers took the event in, in UTC; it places the event in a data "
        "interval.",
    ),
    _integer(
        "session_id",
        "The start of the session in milliseconds since 1970, such as 1396381378123; -1 outside "
        "any session.",
    ),
    _text("start_version", "The version of the app at the user's first event, such as 1.0.0."),
    _time(
        "user_creation_time",
        "The `event_time` of the user's first event. Amplitude dropped it in October 2024.",
        optional=True,
    ),
    _text(
        "user_id",
        "A readable ID of the user that you gave. It should be one that does not change.",
    ),
    Column("user_properties", JSON, "An object with the properties of the user."),
    Column(
        "uuid",
        pa.string(),
        "The unique ID of the row, that is of the event sent, such as "
        "bf0b9b2a-304d-11e6-934f-22000b56058f.",
        nullable=False,
        types={"redshift": "VARCHAR(36)"},
    ),
    _text("version_name", "The version of the app, such as 1.0.0."),
)

_DOCUMENTED = tuple(column.name for column in _COLUMNS)

AMPLITUDE_EVENTS = Model(
    name="amplitude_events",
    description="Events as Amplitude exports them.",
    key=("uuid",),
    # Amplitude hands rows out by this time, in its API and in the names of its files: by any other
    # one, an interval would have to look through everything there is.
    membership=("server_upload_time",),
    order=("event_time",),
    columns=(
        *_COLUMNS,
        _text("event_type", "The name of the event. Amplitude added it in March 2023."),
    ),
    default_columns={"s3": _DOCUMENTED, "postgres": _DOCUMENTED, "redshift": _DOCUMENTED},
    rules=(EVENT_TIME,),
)
