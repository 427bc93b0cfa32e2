"""Queries of declared models: what is refused, and what is the query's own."""

import pytest

from batch_exports.errors import ConfigurationError
from batch_exports.models.declared_query import declared_query

START, END = "{data_interval_start}", "{data_interval_end}"
BOTH = f"SELECT a FROM t WHERE a >= {START} AND a < {END}"


@pytest.mark.parametrize(
    "text",
    [
        BOTH,
        f"with x AS (SELECT 1)\nSELECT a FROM x, t WHERE a >= {START} AND a < {END}",
        f"(SELECT a FROM t WHERE a >= {START}) EXCEPT SELECT a FROM t WHERE a > {END}",
        BOTH + " AND b = '{\"n\": 1}' AND c = '{vip,other}' AND d = ''';{x}'",
        BOTH + " AND b = $q$;{id}$q$ AND \"{c};\" = `{d};` AND e = E'\\';'",
        BOTH + " AND m = {'a': 1} -- ; and {id}\n AND b /* ; */ = 1",
    ],
)
def test_queries_that_are_taken_as_they_are(text: str) -> None:
    assert declared_query(text).text == text


@pytest.mark.parametrize(
    "text",
    [f"{BOTH};", f"\n {BOTH} ;\n", f"-- all\n{BOTH} -- the end", f"{BOTH}; /* the end; */ --;"],
)
def test_what_stands_around_a_query_is_left_out(text: str) -> None:
    """So that it can stand within another."""
    assert declared_query(text).text == BOTH


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("", "it is empty", "SELECT or WITH"),
        ("-- nothing", "it is empty", "SELECT or WITH"),
        (f"DELETE FROM t WHERE a >= {START} AND a < {END}", "begins with 'DELETE'", "read alone"),
        (f"SELECTED {START} {END}", "begins with 'SELECTED'", "SELECT or WITH"),
        (f"SELECT 1; {BOTH}", "a semicolon stands within it", "a single statement"),
        (f"{BOTH};;", "a semicolon stands within it", "a single statement"),
        ("SELECT a FROM t", f"does not use {START}", "WHERE updated_at >= {data_interval_start}"),
        (f"SELECT a FROM t WHERE a >= {START}", f"does not use {END}", "rows of the interval"),
        (f"SELECT a FROM t WHERE a >= {START} -- {END}", f"does not use {END}", "interval alone"),
        (BOTH + " AND b = {team_id}", "{team_id} is not known", f"There is: {START}, {END}"),
        (BOTH + " AND b = {team:UInt64}", "{team:UInt64} is not known", "There is"),
        (BOTH + " AND b = {data_interval_strat}", "{data_interval_strat} is not", f"mean {START}?"),
        (BOTH + " AND b = { data_interval_end }", "{ data_interval_end } is not", f"mean {END}?"),
        (BOTH + " AND b = {DATA_INTERVAL_END}", "{DATA_INTERVAL_END} is not", f"mean {END}?"),
        (f"SELECT a FROM t WHERE a >= '{START}' AND a < '{END}'", "stands in quotes", "Leave out"),
        (BOTH + " AND b > '{data_interval_ends}'", "{data_interval_ends} is not", f"mean {END}?"),
    ],
)
def test_queries_that_are_refused(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared_query(text)
    assert caught.value.field == "query"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy
