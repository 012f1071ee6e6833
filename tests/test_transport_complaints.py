"""Trouble that others make at will does not fill the journal."""

from autosyncd.transport.complaints import COMPLAIN_EVERY, Complaints


def test_trouble_gets_one_line_a_minute_with_a_count() -> None:
    complaints = Complaints()
    assert complaints.deadline() is None
    assert [complaints.note("full", now=float(now)) for now in range(5)] == [True] + [False] * 4
    assert complaints.note("slow", now=5.0), "another kind has its own line"
    assert complaints.deadline() == COMPLAIN_EVERY
    assert complaints.due(now=COMPLAIN_EVERY) == ["full: 4 more in the last minute"]
    assert complaints.due(now=COMPLAIN_EVERY + 5) == []
    assert complaints.deadline() == 2 * COMPLAIN_EVERY
    assert complaints.due(now=2 * COMPLAIN_EVERY) == []
    assert complaints.deadline() is None
    assert complaints.note("full", now=3 * COMPLAIN_EVERY)
