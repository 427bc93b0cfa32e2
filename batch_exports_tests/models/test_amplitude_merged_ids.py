"""The columns of Amplitude's table of merges, and what tells its rows apart."""

import pytest

from batch_exports.models import AMPLITUDE_MERGED_IDS, Projection


@pytest.mark.parametrize("destination", ["s3", "postgres", "redshift"])
def test_columns_are_those_of_the_document(destination: str) -> None:
    """https://amplitude.com/docs/data/destination-catalog/redshift"""
    columns = AMPLITUDE_MERGED_IDS.select((), destination)
    assert [(c.name, c.types["redshift"]) for c in columns] == [
        ("amplitude_id", "BIGINT"),
        ("merge_event_time", "TIMESTAMP"),
        ("merge_server_time", "TIMESTAMP"),
        ("merged_amplitude_id", "BIGINT"),
    ]


def test_a_second_merge_of_the_same_ids_is_a_row_of_its_own() -> None:
    selection = Projection(
        AMPLITUDE_MERGED_IDS, AMPLITUDE_MERGED_IDS.columns, AMPLITUDE_MERGED_IDS.membership[0]
    )
    assert selection.identity == ("amplitude_id", "merged_amplitude_id", "merge_server_time")
