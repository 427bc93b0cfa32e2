"""ClickHouse on this machine: its own engine, chDB, behind ClickHouse's HTTP interface, with
PostHog's tables. For tests; `server.start` starts it."""
