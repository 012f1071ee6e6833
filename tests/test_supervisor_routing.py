"""Who gets which news."""

from itertools import pairwise
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosyncd.link.channel import PAYLOAD_LIMIT, encode
from autosyncd.link.messages import (
    Announce,
    Identity,
    PullOrder,
)
from autosyncd.link.outside import (
    Subscribe,
    Tell,
)
from autosyncd.model import Channel, Head, PushNotice, RepoConfig, TreeId
from autosyncd.supervisor import allowance, routing
from autosyncd.supervisor.routing import Fate, Table, announce, heard, join, merged, pull_all
from autosyncd.vcs.channel import ROOTS

NOTES, ROOT, OTHER = Channel("a" * 64), Channel("b" * 64), Channel("c" * 64)


def identity(tree: str, *channels: Channel, branch: str = "main", head: str | None = None):
    return Identity(TreeId(tree), channels, "origin", branch, head)


def household() -> Table:
    table = join(Table(), "/notes", identity("t1", NOTES, ROOT, head="h1"))
    table = join(table, "/copy", identity("t2", NOTES, head="h0"))
    table = join(table, "/old", identity("t3", ROOT, branch="legacy", head="h0"))
    return join(table, "/dots", identity("t4", OTHER, head="d1"))


def notice(*channels: Channel, tree: str = "far", branch: str = "main", head: str = "h9"):
    return PushNotice(channels, branch, head, TreeId(tree), "desktop")


def orders(routed: routing.Routed) -> dict[str, Head | None]:
    return {key: order.head for key, order in routed.orders}


def test_own_trees_of_a_channel_hear_each_other_and_the_others_are_told():
    table, routed = announce(household(), "/notes", Announce(Head("main", "h2")), "laptop")
    assert orders(routed) == {"/copy": Head("main", "h2")}
    sent = PushNotice((NOTES, ROOT), "main", "h2", TreeId("t1"), "laptop")
    assert routed.tell == Tell(sent)
    assert routed.fate is Fate.ROUTED
    # its echo, and the same news told by the other own tree, move nobody
    assert heard(table, sent, "x", 0.0)[1].fate is Fate.OWN_TREE
    table = merged(table, "/copy", Head("main", "h2"))
    assert announce(table, "/copy", Announce(Head("main", "h2")), "laptop")[1].orders == ()


def test_who_has_not_said_who_it_is_announces_nothing():
    _, routed = announce(Table(), "/new", Announce(Head("main", "h2")), "laptop")
    assert (routed.fate, routed.orders, routed.tell) == (Fate.NO_IDENTITY, (), None)


def test_a_tree_without_channels_tells_nobody():
    table = join(Table(), "/empty", identity("t"))
    _, routed = announce(table, "/empty", Announce(Head("main", "h")), "laptop")
    assert routed.tell is None


def test_news_go_to_every_tree_of_the_channel_and_branch_that_lacks_the_head():
    _, routed = heard(household(), notice(NOTES), "alice/1", 0.0)
    assert orders(routed) == {"/notes": Head("main", "h9"), "/copy": Head("main", "h9")}
    _, routed = heard(household(), notice(NOTES, head="h1"), "alice/1", 0.0)
    assert orders(routed) == {"/copy": Head("main", "h1")}


def test_a_notice_without_a_branch_is_for_any_branch():
    _, routed = heard(household(), notice(ROOT, branch="", head="x"), "fanout", 0.0)
    assert orders(routed) == {"/notes": Head("main", "x"), "/old": Head("legacy", "x")}


def test_a_notice_without_a_head_makes_everybody_look():
    _, routed = heard(household(), notice(NOTES, branch="", head=""), "fanout", 0.0)
    assert orders(routed) == {"/notes": None, "/copy": None}


@pytest.mark.parametrize(
    ("news", "fate"),
    [
        (notice(Channel("e" * 64)), Fate.UNKNOWN_CHANNEL),
        (notice(NOTES, tree="t4"), Fate.OWN_TREE),
        (notice(NOTES, branch="elsewhere"), Fate.OTHER_BRANCH),
        (notice(OTHER, head="d1"), Fate.KNOWN_HEAD),
        (notice(), Fate.UNKNOWN_CHANNEL),
    ],
)
def test_what_is_dropped_has_a_named_reason(news: PushNotice, fate: Fate):
    table, routed = heard(household(), news, "x", 0.0)
    assert routed == routing.Routed(fate)
    assert table.allowances == {}  # what costs no fetch costs no token


def test_a_late_notice_of_an_older_merged_head_moves_nobody():
    table = household()
    for head in ("h2", "h3"):
        table = merged(table, "/notes", Head("main", head))
    assert "/notes" not in orders(heard(table, notice(ROOT, head="h1"), "x", 0.0)[1])
    for number in range(routing.REMEMBERED):
        table = merged(table, "/notes", Head("main", f"n{number}"))
    assert "/notes" in orders(heard(table, notice(ROOT, head="h1"), "x", 0.0)[1])


def test_another_branch_or_tree_forgets_what_was_merged():
    table = join(household(), "/notes", identity("t1", NOTES, branch="topic", head="k1"))
    assert table.members["/notes"].merged == ("k1",)
    table = merged(table, "/notes", Head("main", "h2"))
    assert table.members["/notes"].merged == ("k1",)


def test_a_friend_gets_no_more_by_another_resource():
    table, fates = household(), []
    for number in range(30):
        sender = f"bob@example.org/autosyncd-{number}"
        table, routed = heard(table, notice(NOTES, head=f"x{number}"), sender, 10.0)
        fates.append(routed.fate)
    assert fates == [Fate.ROUTED] * 20 + [Fate.TOO_MANY] * 10
    assert len(table.allowances) == 1


def test_a_flood_is_cut_to_a_burst_and_replaced_by_one_later_pull():
    table, fates = household(), []
    for number in range(100):
        table, routed = heard(table, notice(NOTES, head=f"x{number}"), "mallory", 10.0)
        fates.append(routed.fate)
        assert bool(routed.orders) == (routed.fate is Fate.ROUTED)
    assert fates == [Fate.ROUTED] * 20 + [Fate.TOO_MANY] * 80
    assert routing.deadline(table) == 12.0
    table, later = routing.due(table, 12.0)
    assert later == (("/copy", PullOrder(None)), ("/notes", PullOrder(None)))
    assert heard(table, notice(NOTES, head="y"), "alice", 12.0)[1].orders
    assert heard(table, notice(NOTES, head="y"), "mallory", 12.0)[1].orders  # one token in 2 s
    assert not heard(table, notice(NOTES, head="y"), "mallory", 11.0)[1].orders


def test_senders_that_are_counted_are_bounded():
    table = household()
    for number in range(allowance.COUNTED + 5):
        table, _ = heard(table, notice(NOTES), f"s{number}", 0.0)
    assert len(table.allowances) == allowance.COUNTED
    assert (NOTES, "s0") not in table.allowances


def test_pull_all_is_spread_and_given_once_a_minute():
    table = pull_all(household(), 100.0, 8.0, [0.0, 0.25, 0.5, 1.0])
    assert table.pulls == {"/copy": 100.0, "/dots": 102.0, "/notes": 104.0, "/old": 108.0}
    assert pull_all(table, 101.0, 8.0, [0.9]).pulls == table.pulls
    table, first = routing.due(table, 102.0)
    assert [key for key, _ in first] == ["/copy", "/dots"]
    table = pull_all(table, 103.0, 8.0, [0.5])
    assert table.pulls == {"/notes": 104.0, "/old": 108.0, "/copy": 166.0, "/dots": 166.0}


def test_who_says_late_who_it_is_pulls_once_more():
    """A notice that came before was of a channel nobody here had."""
    known = identity("t1", NOTES, head="h1")
    table = routing.may_have_missed(household(), "/notes", known, 5.0)
    assert table.pulls == {}
    more = identity("t1", NOTES, OTHER)
    table = routing.may_have_missed(table, "/notes", more, 5.0)
    table = routing.may_have_missed(table, "/new", known, 5.0)
    table = routing.may_have_missed(table, "/new", known, 6.0)
    assert table.pulls == {"/notes": 5.0 + routing.LATER, "/new": 5.0 + routing.LATER}


def test_a_repository_that_is_gone_gets_nothing_more():
    table = routing.leave(pull_all(household(), 0.0, 1.0, [0.5]), "/notes")
    assert "/notes" not in orders(heard(table, notice(NOTES), "x", 0.0)[1])
    assert "/notes" not in table.pulls
    empty = Table()
    assert routing.deadline(pull_all(empty, 0.0, 1.0, [])) == inf


@given(
    st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=40),
    st.lists(st.floats(0, 1), max_size=5),
)
def test_pulls_are_never_closer_than_a_minute_and_never_lost(calls, jitter):
    table, now = household(), 0.0
    given_at: dict[str, list[float]] = {}
    for seconds, ask in calls:
        now += seconds
        if ask:
            table = pull_all(table, now, 5.0, jitter)
            assert set(table.pulls) == set(table.members)
            assert max(table.pulls.values()) <= now + 65
        table, ready = routing.due(table, now)
        assert routing.deadline(table) > now
        for key, _ in ready:
            given_at.setdefault(key, []).append(now)
    for times in given_at.values():
        assert all(b - a >= 60 for a, b in pairwise(times))


def test_the_messenger_hears_who_is_trusted_and_where_old_peers_look():
    config = RepoConfig("/notes", "notes", trust=("bob@example.org",))
    known = Identity(TreeId("t1"), (NOTES, ROOT), "origin", "main", "h1", "ssh://hub/notes")
    wanted = Subscribe("notes", (NOTES, ROOT), ("bob@example.org",), "ssh://hub/notes")
    assert routing.subscription(config, known) == wanted


def test_whoever_is_trusted_it_fits_into_one_write_of_a_link():
    people = tuple(
        f"{number:02}" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * 148 for number in range(20)
    )
    channels = tuple(Channel(f"{number:064x}") for number in range(ROOTS + 2))
    config = RepoConfig("/notes", "n" * 100, trust=people)
    known = Identity(TreeId("t" * 32), channels, "origin", "main", "h1", "\N{GRINNING FACE}" * 900)
    wish = routing.subscription(config, known)
    assert len(encode(wish)) < PAYLOAD_LIMIT
    assert wish.trust == people[: len(wish.trust)]
    ordinary = tuple(f"somebody.with.a.name.{number}@chat.example.org" for number in range(20))
    config = RepoConfig("/notes", "notes", trust=ordinary)
    assert routing.subscription(config, known).trust == ordinary
