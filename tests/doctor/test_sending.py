"""`SEND=1`: one request of each kind goes the whole way, and nobody else loses a message by it."""

from __future__ import annotations

from patient import Patient

from doctor.finding import State


def test_one_request_of_each_kind_comes_back_with_its_times(direct: Patient) -> None:
    rows = direct.sent()
    print(rows)
    assert {row.subject: row.state for row in rows} == {
        "request inline": State.OK,
        "request through S3": State.OK,
        "request by HTTP": State.OK,
        "request to be rejected": State.OK,
    }
