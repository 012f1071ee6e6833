"""Many friends, or one who means ill: what goes out to them holds up nobody else, and has bounds."""

from dataclasses import replace
from math import inf

import pytest

from autosyncd.transport.base import Interest
from autosyncd.transport.xmpp.friends import AGAIN_AFTER
from autosyncd.transport.xmpp.hearing import Drop
from autosyncd.transport.xmpp.pace import EVERY
from autosyncd.transport.xmpp.peers import IN_ALL, PER_ACCOUNT, Interests
from autosyncd.transport.xmpp.sending import AT_ONCE, PER_SECOND
from autosyncd.transport.xmpp.stanzas import MANY_DIGITS, quoted
from autosyncd.transport.xmpp.turns import Turns
from tests.hostile_stanzas import BOBS, CHANNEL
from tests.test_transport_xmpp_session import (
    BOB,
    DESKTOP,
    NOTES,
    SHARED,
    Stage,
    addressees,
    gone,
    here,
    said,
)

LONGEST = 150
"""Bytes of an address, as the configuration has it (config/accounts.py)."""
CAROL = "carol@example.net/autosyncd-7"


def friends(count: int) -> list[str]:
    """As many accounts with addresses as long as they may be."""
    return [f"{number:04}{'f' * (LONGEST - 16)}@example.org" for number in range(count)]


def trusting(stage: Stage, accounts: list[str]) -> None:
    """One repository is shared with all of them; what that says is written."""
    stage.interests.replace({CHANNEL: Interest(), BOBS: Interest(frozenset(accounts))})
    stage.session.interests_changed()


def seconds_until(stage: Stage, told: str, channel: str, within: float) -> float:
    """How long it takes until this one is told of this channel, as servers let us."""
    began, sent = stage.now, 0
    while stage.now - began < within:
        for text in stage.later(0.1):
            sent += len(text.encode())
            if f"to='{told}'" in text and channel[:MANY_DIGITS] in text:
                assert sent <= AT_ONCE + 700 + PER_SECOND * (stage.now - began)
                return stage.now - began
    raise AssertionError(f"not within {within} s")


def machines(account: str, resource: str = "autosyncd-") -> list[str]:
    return [f"{account}/{resource}{number:04}" for number in range(PER_ACCOUNT)]


def test_a_thousand_friends_are_all_shown_that_we_are_there() -> None:
    stage = Stage()
    everybody = friends(1000)
    trusting(stage, everybody)
    written = stage.later(300)
    assert {one for one in addressees(written) if one in everybody} == {*everybody}
    assert sum(map(len, written)) <= AT_ONCE + 700 + PER_SECOND * 300


def test_a_thousand_friends_hold_up_no_machine_of_ones_own() -> None:
    stage = Stage()
    trusting(stage, friends(1000))
    stage.hears(here(DESKTOP))
    stage.announce(NOTES)
    assert seconds_until(stage, DESKTOP, CHANNEL, 5) < 1
    stage.later(10)
    stage.announce(replace(NOTES, head="34" * 20))
    assert seconds_until(stage, DESKTOP, CHANNEL, 5) < 2


@pytest.mark.parametrize("resource", ["autosyncd-", "r" * 100, "'" * 20])
def test_a_friend_with_many_machines_holds_up_nobody(resource: str) -> None:
    stage = Stage()
    (many,) = friends(1)
    trusting(stage, [many, "carol@example.net"])
    for jid in (*machines(many, resource), DESKTOP, CAROL):
        stage.hears(here(quoted(jid)))
    for number in range(20, 80):
        stage.announce(replace(SHARED, head=f"{number}" * 20))
        stage.later(1)
    stage.announce(NOTES)
    stage.announce(replace(SHARED, head="9a" * 20))
    assert seconds_until(stage, DESKTOP, CHANNEL, 15) < 3
    assert seconds_until(stage, CAROL, BOBS, 15) < 6


def test_who_has_an_endless_name_is_no_peer() -> None:
    stage = Stage()
    (many,) = friends(1)
    trusting(stage, [many])
    stage.later(60)
    for jid in (*machines(many, "r" * 1019), *machines(many, "'" * 40)):
        stage.hears(here(quoted(jid)))
    assert stage.dropped == {Drop.LONG_ADDRESS: 2 * PER_ACCOUNT}
    stage.announce(SHARED)
    assert stage.later(60) == []


def test_friends_do_not_take_the_places_of_ones_own_machines() -> None:
    stage = Stage()
    everybody = friends(20)
    trusting(stage, everybody)
    for account in everybody:
        for jid in machines(account):
            stage.hears(here(jid))
    assert stage.dropped == {Drop.TOO_MANY_PEERS: 20 * PER_ACCOUNT - IN_ALL}
    stage.later(300)
    stage.hears(here(DESKTOP))
    stage.announce(NOTES)
    assert seconds_until(stage, DESKTOP, CHANNEL, 5) < 1
    stage.hears(gone(machines(everybody[0])[0]))
    stage.hears(here(f"{everybody[-1]}/autosyncd-late"))
    assert stage.dropped[Drop.TOO_MANY_PEERS] == 20 * PER_ACCOUNT - IN_ALL


def test_who_is_trusted_no_longer_is_told_that_we_are_gone_even_before_he_was_told_that_we_are_there():
    stage = Stage()
    trusting(stage, friends(300))
    trusting(stage, [])
    written = stage.later(300)
    assert set(friends(300)) <= set(addressees(written))
    for account in friends(300):
        assert "unavailable" in [text for text in written if f"to='{account}'" in text][-1]


def test_who_is_trusted_again_at_once_is_shown_that_we_went_and_came() -> None:
    """His machines had said that they are there, and say it again only to somebody new."""
    stage = Stage()
    stage.later(60)
    stage.hears(here(BOB))
    stage.later(60)
    trusting(stage, [])
    trusting(stage, ["bob@example.org"])
    (text,) = stage.later(60)
    assert text.index("unavailable") < text.index("<priority>")
    stage.hears(here(BOB))
    stage.announce(SHARED)
    assert BOBS[:16] in stage.later()[-1]


def test_a_friends_machine_that_begins_anew_unnoticed_is_told_that_we_are_there() -> None:
    """Its server died without a word to ours; it knows nobody when it comes again."""
    stage = Stage()
    stage.later(60)
    for _ in range(3):
        stage.hears(here(BOB))
        (text,) = stage.later(60)
        assert text.startswith(f"<presence to='{BOB}'>")
        assert " answer='1'" in text
    stage.hears(here(BOB).replace("many='1'", "many='1' answer='1'"))
    assert stage.later(60) == []
    stage.hears(here(DESKTOP))
    stage.hears(here(DESKTOP))
    assert stage.later(60) == []


def test_two_machines_of_friends_come_to_rest() -> None:
    stage = Stage()
    (_, shown) = stage.later(60)
    said = [shown]
    for _ in range(4):
        for text in said:
            stage.hears(
                text.replace(f" to='{BOB}'", "").replace("<presence", f"<presence from='{BOB}'")
            )
        said = stage.later(60)
    assert said == []


def test_a_friend_whose_server_was_away_is_shown_later_that_we_are_there() -> None:
    stage = Stage()
    stage.later(60)
    for _ in range(3):
        for account in ("bob@example.org", "mallory@example.net"):
            stage.hears(
                f"<presence from='{account}' type='error'><error type='cancel'/></presence>"
            )
        assert stage.later(AGAIN_AFTER - 70) == []
        assert addressees(stage.later(70)) == ["bob@example.org"]
    stage.hears("<presence from='bob@example.org' type='error'/>")
    trusting(stage, [])
    assert len(stage.later(1000)) == 1
    assert stage.session.due(now=stage.now) == inf


def test_a_friends_machine_that_can_not_be_reached_is_found_again() -> None:
    stage = Stage()
    stage.hears(here(BOB))
    stage.later(60)
    stage.hears(f"<presence from='{BOB}' type='error'/>")
    stage.announce(SHARED)
    assert addressees(stage.later(AGAIN_AFTER + 60)) == ["bob@example.org"]
    stage.hears(here(BOB))
    assert addressees(stage.later()) == [BOB]


@pytest.mark.parametrize(
    ("written", "known"),
    [("jose\u0301@example.org", "jos\xe9@example.org"), ("STRASSE@x.org", "stra\xdfe@x.org"),
     ("BOB@x.org", "bob@X.org"), ("\uff42ob@x.org", "bob@x.org")],
)  # fmt: skip
def test_an_address_is_the_same_however_it_is_written(written: str, known: str) -> None:
    interests = Interests(written)
    interests.replace({BOBS: Interest(frozenset({f"friend{written}"}))})
    assert interests.is_friend(f"{known}/1")
    assert interests.told(f"friend{known}/1", [BOBS]) == (BOBS,)
    assert not interests.is_friend(f"other{known}/1")


def test_a_friend_who_never_stops_makes_us_fetch_now_and_then_and_the_newest_at_last() -> None:
    """Each notice names another head; for an own machine that is all right."""
    stage = Stage()
    stage.later(60)
    began = stage.now
    for number in range(1000):
        stage.hears(said(BOB, BOBS[:16], f"h='{number:040x}'"))
        stage.later(0.1)
    stage.later(60)
    heads = [int(notice.head, 16) for _, notice in stage.ear.notices]
    assert 30 <= len(heads) <= 2 + (stage.now - began) / EVERY
    assert heads == sorted(heads)
    assert (heads[0], heads[-1]) == (0, 999)
    for number in range(50):
        stage.hears(said(DESKTOP, BOBS[:16], f"h='{number:040x}'"))
    assert len(stage.ear.notices) == len(heads) + 50


def test_what_waits_of_a_friend_who_is_trusted_no_longer_is_not_heard() -> None:
    stage = Stage()
    stage.hears(said(BOB, BOBS[:16]))
    stage.hears(said(BOB, BOBS[:16]))
    trusting(stage, [])
    stage.later(60)
    assert len(stage.ear.notices) == 1
    assert stage.session.due(now=stage.now) == inf


# whose turn it is


def test_every_second_turn_is_an_own_machines() -> None:
    turns = Turns("a@x")
    for jid in ("b@x/1", "b@x/2", "b@x/3", "c@x/1", "a@x/1", "a@x/2"):
        turns.join(jid)
    found = []
    for _ in range(8):
        found.append(jid := turns.next())
        turns.taken(jid, more=True)
    assert found == ["a@x/1", "b@x/1", "a@x/2", "c@x/1", "a@x/1", "b@x/2", "a@x/2", "c@x/1"]


def test_who_leaves_has_no_turn() -> None:
    turns = Turns("a@x")
    for jid in ("b@x/1", "a@x/1", "c@x/1"):
        turns.join(jid)
    turns.leave("a@x/1")
    turns.leave("b@x/1")
    turns.leave("nobody@x/1")
    assert turns.next() == "c@x/1"
    turns.taken("c@x/1", more=False)
    turns.join("b@x/2")
    assert turns.next() == "b@x/2"
