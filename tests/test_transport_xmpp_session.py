"""One session at an XMPP server, told as conversations: what comes in, what goes out, what is heard."""

import asyncio
import logging
import re
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from math import inf
from types import SimpleNamespace
from xml.etree.ElementTree import Element, fromstring

import pytest

from autosyncd import clock
from autosyncd.model import PushNotice, Secret, TreeId, XmppConfig
from autosyncd.transport.base import Interest
from autosyncd.transport.xmpp.hearing import CHANNELS_LIMIT, FORWARD, Drop
from autosyncd.transport.xmpp.oldpeers import EVERYTHING_EVERY, place
from autosyncd.transport.xmpp.peers import PER_ACCOUNT, Interests
from autosyncd.transport.xmpp.recent import KEPT_FOR, Recent
from autosyncd.transport.xmpp.sending import AT_ONCE, PER_SECOND
from autosyncd.transport.xmpp.session import Session
from autosyncd.transport.xmpp.stanzas import (
    CARBONS,
    HINTS,
    NOTICES_LIMIT,
    NS,
    headline,
    presence,
    quoted,
)
from autosyncd.transport.xmpp.transport import XmppTransport
from tests.hostile_stanzas import BOBS, CHANNEL, OWN, stanzas

DESKTOP, ATTIC = "alice@example.org/autosyncd-1", "alice@example.org/AutosyncJabberBot on attic"
BOB, MALLORY = "bob@example.org/autosyncd-2", "mallory@example.net/autosyncd-3"
HEAD = "12" * 20
APOSTROPHES = "'" * 1023
"""As long as a part of an address may be; six times that in XML."""
NOTES = PushNotice((CHANNEL,), "main", HEAD, TreeId("t" * 32), "laptop")
SHARED = replace(NOTES, channels=(BOBS,))
WANTED = {
    CHANNEL: Interest(frozenset(), frozenset({"ssh://hub/notes"})),
    BOBS: Interest(frozenset({"bob@example.org"}), frozenset({"ssh://hub/shared"})),
}


class Ear:
    """What the session tells its transport's owner."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, PushNotice]] = []
        self.pulls = 0

    def heard(self, notice: PushNotice, sender: str) -> None:
        self.notices.append((sender, notice))

    def connected(self) -> None:
        self.pulls += 1

    def changed(self, *, online: bool, reason: str) -> None: ...

    def alarm(self, text: str) -> None: ...


class Stage:
    """A session that has begun, a clock, and all that was written."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.written: list[str] = []
        self.ear = Ear()
        self.recent = Recent()
        self.interests = Interests("alice@example.org")
        self.interests.replace(WANTED)
        self.dropped: Counter[Drop] = Counter()
        self.renew()

    def renew(self) -> None:
        """Another session."""
        self.recent.lost(now=self.now)
        self.session = Session(
            OWN,
            daemon="d" * 32,
            interests=self.interests,
            recent=self.recent,
            say=self.written.append,
            listener=self.ear,
            dropped=self.dropped,
            now=self.now,
        )
        self.session.begin(now=self.now)

    def later(self, seconds: float = 0.1) -> list[str]:
        """What is written within this time, as a loop that sleeps until it is due would have it."""
        end = self.now + seconds
        while (due := self.session.due(now=self.now)) <= end:
            assert due >= self.now - 1e-6
            self.now = max(due, self.now)
            before = len(self.written), self.ear.pulls
            self.session.flush(now=self.now)
            if (len(self.written), self.ear.pulls) == before:
                self.now += 0.001  # rounding; a real clock moves on too
        self.now = max(self.now, end)
        written, self.written[:] = list(self.written), []
        return written

    def hears(self, text: str) -> None:
        self.session.received(client(text), now=self.now)

    def announce(self, notice: PushNotice) -> None:
        self.recent.put(notice, now=self.now)
        self.session.announce(notice, now=self.now)


def client(text: str) -> Element:
    """The element as a client's stream has it."""
    return fromstring(text.replace(" ", " xmlns='jabber:client' ", 1))  # noqa: S314


def here(jid: str) -> str:
    return presence("e" * 32).replace("<presence", f"<presence from='{jid}'")


def gone(jid: str) -> str:
    return f"<presence from='{jid}' type='unavailable'/>"


def said(sender: str, channels: str = CHANNEL[:16], rest: str = "b='main' h='" + HEAD + "'") -> str:
    text = headline(OWN, [f"<n c='{channels}' {rest}/>"])
    return text.replace("<message ", f"<message from='{sender}' ", 1)


def copy(
    body: str, *, outer: str = "alice@example.org", inner: str = ATTIC, kind: str = "sent"
) -> str:
    message = (
        f"<message xmlns='jabber:client' from='{inner}' type='chat'><body>{body}</body></message>"
    )
    inside = f"<forwarded xmlns='{FORWARD}'>{message}</forwarded>"
    copied = f"<{kind} xmlns='{CARBONS}'>{inside}</{kind}>"
    return f"<message from='{outer}' type='chat'>{copied}</message>"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.later()
    return stage


def addressees(written: list[str]) -> list[str]:
    return [found[1] for text in written if (found := re.search(r"to='([^']*)'", text))]


def test_it_begins_with_a_presence_of_low_priority_and_one_for_whoever_is_trusted():
    first, second = Stage().later()
    assert first.startswith(
        "<presence><priority>-1</priority><autosync xmlns='urn:autosync:1' v='1'"
    )
    assert second.startswith("<presence to='bob@example.org'><priority>-1</priority>")


def test_a_notice_goes_to_each_peer_as_a_headline_without_a_body(stage):
    stage.hears(here(DESKTOP))
    stage.announce(NOTES)
    (text,) = stage.later()
    assert text == (
        f"<message type='headline' to='{DESKTOP}'><notices xmlns='urn:autosync:1' v='1'>"
        f"<n c='{CHANNEL[:16]}' b='main' h='{HEAD}'/></notices></message>"
    )


def test_what_is_said_is_heard_with_the_whole_channel(stage):
    stage.hears(said(DESKTOP))
    assert stage.ear.notices == [(DESKTOP, PushNotice((CHANNEL,), "main", HEAD, TreeId(""), ""))]


def test_who_is_no_peer_hears_nothing(stage):
    stage.hears("<presence from='alice@example.org/phone'/>")
    stage.hears(here(OWN))
    stage.hears(here(MALLORY))
    stage.announce(NOTES)
    assert stage.later() == []
    assert stage.dropped[Drop.STRANGER] == 1


def test_who_is_gone_hears_nothing_even_of_what_waits(stage):
    stage.hears(here(DESKTOP))
    stage.announce(NOTES)
    stage.hears(gone(DESKTOP))
    stage.announce(NOTES)
    assert stage.later() == []


def test_bob_hears_of_what_names_him_and_of_nothing_else(stage):
    stage.hears(here(BOB))
    assert addressees(stage.later()) == [BOB]  # our presence: he may have come after us
    stage.announce(NOTES)
    stage.announce(SHARED)
    stage.announce(replace(NOTES, channels=(CHANNEL, BOBS), branch="both"))
    (text,) = stage.later()
    assert BOBS[:16] in text
    assert CHANNEL[:16] not in text


def test_bob_is_believed_about_what_names_him_and_about_nothing_else(stage):
    stage.hears(said(BOB, CHANNEL[:16]))
    assert stage.ear.notices == []
    assert stage.dropped[Drop.UNKNOWN_CHANNEL] == 1
    stage.hears(said(BOB, f"{CHANNEL[:16]} {BOBS[:16]}"))
    assert [notice.channels for _, notice in stage.ear.notices] == [(BOBS,)]


def test_bob_is_left_when_he_is_trusted_no_longer(stage):
    stage.hears(here(BOB))
    stage.later()
    stage.interests.replace({CHANNEL: Interest()})
    stage.session.interests_changed()
    stage.announce(SHARED)
    assert stage.later() == ["<presence to='bob@example.org' type='unavailable'/>"]
    stage.hears(said(BOB, BOBS[:16]))
    assert stage.ear.notices == []


def test_who_comes_late_hears_what_was_announced_a_moment_ago(stage):
    stage.announce(NOTES)
    assert stage.later(KEPT_FOR - 1) == []
    stage.hears(here(DESKTOP))
    assert addressees(stage.later()) == [DESKTOP]
    stage.later(2)
    stage.renew()
    stage.later()
    stage.hears(here(DESKTOP))
    assert stage.later() == []


def test_what_was_pushed_while_we_were_away_is_told_afterwards_and_once(stage):
    stage.recent.lost(now=stage.now)
    stage.recent.put(NOTES, now=stage.now)
    stage.later(3600)
    for told in ([DESKTOP], [DESKTOP], [], []):  # the first of them may have died at once
        stage.renew()
        stage.later()
        stage.hears(here(DESKTOP))
        assert addressees(stage.later()) == told
        stage.later(KEPT_FOR / 2)


def test_what_was_said_to_a_session_already_dead_is_told_however_late_the_next_begins(stage):
    stage.announce(NOTES)
    stage.later(40)
    stage.recent.lost(now=stage.now)
    stage.now += 600
    stage.session.begin(now=stage.now)
    stage.later()
    stage.hears(here(DESKTOP))
    assert addressees(stage.later()) == [DESKTOP]


def test_only_the_newest_head_of_a_channel_goes_out(stage):
    stage.hears(here(DESKTOP))
    for number in range(10, 60):
        stage.announce(replace(NOTES, head=f"{number}" * 20))
    (text,) = stage.later()
    assert text.count("<n ") == 1
    assert "59" * 20 in text


def two_hundred(pairs: int) -> list[tuple[str, ...]]:
    """The channels of as many repositories, this many of each."""
    hashes = [sha256(b"%d" % number).hexdigest() for number in range(400)]
    return [(hashes[number], hashes[200 + number])[:pairs] for number in range(200)]


class Neighbour:
    """What a peer makes of what is written to it."""

    def __init__(self, channels: list[tuple[str, ...]]) -> None:
        self.stage = Stage()
        every = [channel for pair in channels for channel in pair]
        self.stage.interests.replace({channel: Interest() for channel in every})

    def told(self) -> list[str]:
        assert not self.stage.dropped
        notices = [notice for _, notice in self.stage.ear.notices]
        assert all(len(notice.channels) <= 8 for notice in notices)
        return sorted(channel for notice in notices for channel in notice.channels)


@pytest.mark.parametrize("pairs", [1, 2])
@pytest.mark.parametrize(
    ("peers", "reading", "within"),
    [(1, "many", 1.0), (2, "many", 1.0), (9, "many", 15.0), (49, "many", 60.0), (5, "old", 15.0)],
)
def test_two_hundred_repositories_at_once_reach_all_within_what_servers_allow(
    stage, peers, reading, within, pairs
):
    """ejabberd's default, the strictest: 20 kB, then 3 kB/s; after that a ping waits."""
    channels = two_hundred(pairs)
    there = {
        f"alice@example.org/autosyncd-{n:032}": Neighbour(channels) for n in range(1, peers + 1)
    }
    for name in there:
        stage.hears(here(name).replace(" many='1'", "" if reading == "old" else " many='1'"))
    for pair in channels:
        stage.announce(replace(NOTES, channels=pair))
    began, sent = stage.now, 0
    while stage.now - began < within:
        for text in stage.later(0.1):
            sent += len(text)
            assert len(text) <= 8100
            (to,) = addressees([text])
            there[to].stage.hears(text.replace("<message ", f"<message from='{DESKTOP}' "))
            assert text.count("<n ") <= NOTICES_LIMIT
        assert sent <= min(AT_ONCE + 300, 20_000) + PER_SECOND * (stage.now - began)
    everything = sorted(channel for pair in channels for channel in pair)
    assert all(peer.told() == everything for peer in there.values())
    assert stage.later(60) == []


def test_what_is_little_keeps_its_heads(stage):
    stage.hears(here(DESKTOP))
    for pair in two_hundred(2)[:100]:
        stage.announce(replace(NOTES, channels=pair))
    assert "".join(stage.later()).count(f"h='{HEAD}'") == 100


def test_many_channels_are_read_as_far_as_they_concern_the_sender(stage):
    many = headline(OWN, [f"<many c='{CHANNEL[:6]}{BOBS[:6]}ffffff'/>"])
    stage.hears(many.replace("<message ", f"<message from='{BOB}' "))
    assert [notice.channels for _, notice in stage.ear.notices] == [(BOBS,)]
    stage.hears(many.replace("<message ", f"<message from='{DESKTOP}' "))
    assert stage.ear.notices[1:] == [(DESKTOP, PushNotice((CHANNEL, BOBS), "", "", TreeId(""), ""))]


@pytest.mark.parametrize("named", ["", "abcde", "abcdeg", "ABCDEF", "abcdef ", "abcdef" * 1001])
def test_many_channels_that_can_not_be_read(stage, named):
    many = headline(OWN, [f"<many c='{named}'/>"])
    stage.hears(many.replace("<message ", f"<message from='{DESKTOP}' "))
    assert stage.dropped == {Drop.STRANGE_CHANNEL: 1}
    assert stage.ear.notices == []


def test_a_letter_longer_than_what_goes_at_once_holds_nothing_up(stage):
    """Ten alerts that name files full of apostrophes: each is six bytes in XML."""
    stage.later(60)
    stage.session.write("bob@example.org", "'" * 3000)
    stage.hears(here(BOB))
    stage.announce(SHARED)
    assert len(stage.later(0.1)[0]) > AT_ONCE
    ping, greeting, notice = stage.later(3)
    assert "urn:xmpp:ping" in ping
    assert greeting.startswith(f"<presence to='{BOB}'")
    assert HEAD in notice
    assert stage.later(60) == []


@pytest.mark.parametrize(
    "friend", ["bob@example.org/" + "'" * 3000, f"{APOSTROPHES}@{APOSTROPHES}/{APOSTROPHES}"]
)
def test_a_friend_with_an_endless_address_holds_nothing_up(stage, friend):
    account = friend.partition("/")[0]
    stage.interests.replace({CHANNEL: Interest(), BOBS: Interest(frozenset({account}))})
    stage.session.interests_changed()
    stage.later(60)
    stage.hears(here(quoted(friend)))
    stage.hears(here(DESKTOP))
    stage.announce(NOTES)
    stage.announce(SHARED)
    written = stage.later(15)
    assert [text for text in written if HEAD in text and f"to='{DESKTOP}'" in text]
    assert stage.later(60) == []
    assert stage.session.due(now=stage.now) == inf


def test_who_comes_and_goes_for_ever_holds_up_no_notice(stage):
    names = [f"bob@example.org/autosyncd-{number:032}" for number in range(PER_ACCOUNT)]
    stage.hears(here(DESKTOP))
    stage.later(60)
    for _ in range(20):
        for name in names:
            stage.hears(here(name))
            stage.hears(gone(name))
            stage.hears(here(name))
    stage.announce(NOTES)
    written = stage.later(8)
    assert [one for one in written if HEAD in one and DESKTOP in one]
    assert len([one for one in written if f"to='{names[0]}'" in one]) == 1
    assert {one for one in addressees(written) if one.startswith("bob")} == set(names)


def test_a_ping_waits_for_nothing(stage):
    for number in range(40):
        stage.hears(here(f"alice@example.org/autosyncd-{number:032}"))
    for number in range(200):
        stage.announce(replace(NOTES, channels=(f"{number:04x}" * 16,)))
    stage.later(5)
    stage.session.ping(now=stage.now)
    assert "urn:xmpp:ping" in stage.written[-1]


def test_all_channels_that_a_tree_may_have_are_read_in_one_notice(stage):
    stage.hears(here(DESKTOP))
    channels = (*(f"{number:02x}" * 32 for number in range(CHANNELS_LIMIT - 1)), CHANNEL)
    stage.announce(replace(NOTES, channels=channels))
    (text,) = stage.later()
    stage.hears(text.replace("<message ", f"<message from='{DESKTOP}' "))
    assert [notice.channels for _, notice in stage.ear.notices] == [(CHANNEL,)]


@pytest.mark.parametrize(
    "branch", ["caf\udce9", "a\xa0b", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "x" * 256]
)
def test_a_branch_that_the_others_would_not_take_for_one_is_any_branch(stage, branch):
    stage.hears(here(DESKTOP))
    stage.announce(replace(NOTES, branch=branch))
    stage.announce(replace(NOTES, branch="a'<&>\"b"))
    (text,) = stage.later()
    stage.hears(text.replace("<message ", f"<message from='{DESKTOP}' "))
    assert [notice.branch for _, notice in stage.ear.notices] == ["", "a'<&>\"b"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (said("alice@example.org"), Drop.NO_SENDER),
        (said(OWN), Drop.OWN_ECHO),
        (said(MALLORY), Drop.STRANGER),
        (said(DESKTOP).replace("v='1'", "v='2'"), Drop.UNKNOWN_VERSION),
        (said(DESKTOP).replace("v='1'", ""), Drop.UNKNOWN_VERSION),
        (said(DESKTOP).replace("urn:autosync:1", "urn:autosync:2"), Drop.NOTHING_OF_OURS),
        (said(DESKTOP).replace("headline", "chat"), Drop.NOTHING_OF_OURS),
        (said(DESKTOP).replace("</m", "<delay xmlns='urn:xmpp:delay'/></m"), Drop.DELAYED),
        (said(DESKTOP).replace("</m", "<x xmlns='jabber:x:delay'/></m"), Drop.DELAYED),
        (said(DESKTOP, ""), Drop.STRANGE_CHANNEL),
        (said(DESKTOP, CHANNEL[:15]), Drop.STRANGE_CHANNEL),
        (said(DESKTOP, " ".join([CHANNEL] * 13)), Drop.STRANGE_CHANNEL),
        (said(DESKTOP, CHANNEL + "a"), Drop.STRANGE_CHANNEL),
        (said(DESKTOP, "f" * 16), Drop.UNKNOWN_CHANNEL),
        (said(DESKTOP, CHANNEL[:16] + "f" * 48), Drop.UNKNOWN_CHANNEL),
        (said(DESKTOP, rest="h='main'"), Drop.STRANGE_HEAD),
        (said(DESKTOP, rest="b='" + "x" * 256 + "'"), Drop.STRANGE_BRANCH),
        (said(DESKTOP, rest="b='a&#10;b'"), Drop.STRANGE_BRANCH),
        (copy("pushed x", outer=MALLORY), Drop.STRANGER),
        (copy("pushed x", outer=DESKTOP), Drop.FORGED_CARBON),
        (copy("pushed x", outer="bob@example.org"), Drop.FORGED_CARBON),
        (copy("pushed x", inner="bob@example.org/AutosyncJabberBot on x"), Drop.CHATTING),
        (copy("pushed x", inner="alice@example.org/phone"), Drop.NOTHING_OF_OURS),
        (copy("Unknown command: x"), Drop.NOTHING_OF_OURS),
        (f"<iq from='{MALLORY}' type='get' id='1'/>", Drop.STRANGER),
        (f"<presence from='{MALLORY}' type='subscribe'/>", Drop.NOTHING_OF_OURS),
    ],
)
def test_what_is_not_obeyed_has_a_name(stage, text, reason):
    stage.hears(text)
    assert stage.dropped == {reason: 1}
    assert stage.ear.notices == []
    assert not any(MALLORY in text for text in stage.later())


def test_many_notices_of_one_stanza_are_read_up_to_a_limit(stage):
    many = "".join(f"<n c='{CHANNEL[:16]}' b='b{number}'/>" for number in range(150))
    stage.hears(said(DESKTOP).replace("</notices>", many + "</notices>"))
    assert len(stage.ear.notices) == 100
    assert stage.dropped == {Drop.TOO_MANY_NOTICES: 1}


def test_thousands_of_presences_are_not_all_remembered(stage):
    tracemalloc.start()
    for number in range(5000):
        stage.hears(here(f"bob@example.org/autosyncd-{number}"))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert stage.dropped[Drop.TOO_MANY_PEERS] == 5000 - PER_ACCOUNT
    assert used < 1_000_000


def test_a_question_of_the_own_server_is_answered_and_a_strangers_is_not(stage):
    stage.hears("<iq from='example.org' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>")
    (text,) = stage.later()
    assert text.startswith("<iq type='error' to='example.org' id='p1'>")
    stage.hears(f"<iq from='{BOB}' type='get' id='p1'><ping xmlns='urn:xmpp:ping'/></iq>")
    assert stage.later() == []


# dvcs-autosync 0.5


def test_an_old_peer_is_shown_our_presence_and_hears_of_a_push_in_its_own_words(stage):
    stage.hears(f"<presence from='{ATTIC}'/>")
    assert stage.later() == [
        presence("d" * 32, to=ATTIC),
        f"<iq type='set' id='carbons-enable'><enable xmlns='{CARBONS}'/></iq>",
    ]
    stage.announce(NOTES)
    assert stage.later() == [
        f"<message type='chat' to='{ATTIC}'><body>pushed ssh://hub/notes</body>{HINTS}</message>"
    ]
    stage.announce(replace(NOTES, head="34" * 20))
    stage.announce(replace(NOTES, head="56" * 20))
    assert stage.later(2.7) == []
    assert len(stage.later(1)) == 1
    stage.announce(NOTES)
    stage.hears(gone(ATTIC))
    assert stage.later(9) == [
        f"<iq type='set' id='carbons-disable'><disable xmlns='{CARBONS}'/></iq>"
    ]


def test_an_old_peer_does_not_hear_what_is_written_to_the_person(stage):
    stage.hears(f"<presence from='{ATTIC}'/>")
    stage.later()
    stage.session.write("alice@example.org", "notes: a problem")
    unseen, letter, seen, _ = stage.later()
    assert unseen == f"<presence to='{ATTIC}' type='unavailable'/>"
    assert "notes: a problem" in letter
    assert seen == presence("d" * 32, to=ATTIC)
    stage.session.write("bob@example.org", "notes: a problem")
    letter, ping = stage.later()
    assert "notes: a problem" in letter
    assert "urn:xmpp:ping" in ping


def test_a_letter_is_kept_until_the_server_has_answered_what_came_behind_it(stage):
    for text in ("one", "two"):
        stage.session.write("bob@example.org", text)
    assert stage.session.unproved == [("bob@example.org", "one"), ("bob@example.org", "two")]
    first, second = (
        re.search("id='(ping[0-9]+)'", one)[1] for one in stage.later() if "ping" in one
    )
    stage.hears(f"<iq from='{MALLORY}' type='result' id='{first}'/>")
    assert len(stage.session.unproved) == 2
    stage.hears(f"<iq from='example.org' type='result' id='{first}'/>")
    assert stage.session.unproved == [("bob@example.org", "two")]
    stage.hears(f"<iq from='example.org' type='error' id='{second}'/>")
    assert stage.session.unproved == []


@pytest.mark.parametrize("kind", ["sent", "received"])
@pytest.mark.parametrize(
    "url", ["ssh://hub/notes", "hub:notes.git/", "pushed ssh://git@HUB:22/notes"]
)
def test_an_old_peers_push_is_heard_from_the_copy_of_its_message(stage, kind, url):
    stage.hears(copy(f"pushed {url.removeprefix('pushed ')}\n", kind=kind))
    assert stage.ear.notices == [(ATTIC, PushNotice((CHANNEL,), "", "", TreeId(""), ""))]


def test_an_endless_address_of_a_remote_costs_no_time(stage):
    began = time.perf_counter()
    place("a" * 30_000)
    place("a@" * 30_000)
    many = {
        f"{number:064x}": Interest(remotes=frozenset({f"ssh://hub/{number}"}))
        for number in range(200)
    }
    stage.interests.replace(many)
    stage.hears(copy("pushed " + "a" * 1000))
    assert time.perf_counter() - began < 0.5
    assert stage.ear.pulls == 1


def test_both_copies_of_one_message_are_one_push_and_the_next_is_another(stage):
    stage.hears(copy("pushed hub:notes", kind="sent"))
    stage.hears(copy("pushed hub:notes", kind="received"))
    assert len(stage.ear.notices) == 1
    stage.later(3)
    stage.hears(copy("pushed hub:notes", kind="sent"))
    assert len(stage.ear.notices) == 2


def test_a_push_to_a_place_that_nobody_knows_makes_all_pull_once(stage):
    stage.hears(copy("pushed https://mirror/x"))
    assert (stage.ear.notices, stage.ear.pulls) == ([], 1)


def test_a_storm_of_pushes_to_such_places_makes_all_pull_now_and_then(stage):
    """An old peer says so every three seconds while a thousand files come."""
    for number in range(100):
        stage.hears(copy(f"pushed https://mirror/{number}"))
        stage.later(3)
    assert stage.ear.pulls == 11
    stage.later(EVERYTHING_EVERY)
    assert stage.ear.pulls == 11
    stage.later(1000)
    assert stage.ear.pulls == 11


def test_an_old_peer_that_says_login_is_shown_our_presence_again(stage):
    for _ in range(2):
        stage.hears(copy("login AutosyncJabberBot on attic"))
        assert presence("d" * 32, to=ATTIC) in stage.later()


def test_a_stranger_with_an_old_peers_resource_is_a_stranger(stage):
    stage.hears("<presence from='mallory@example.net/AutosyncJabberBot on attic'/>")
    stage.announce(NOTES)
    assert stage.later() == []


# everything at once


def test_ten_thousand_fuzzed_stanzas_do_nothing_but_name_channels_we_have():
    stage = Stage()
    for xml in stanzas(seed=1, count=10_000):
        stage.session.received(xml, now=stage.now)
        stage.now += 0.01
    stage.later(60)
    assert stage.ear.notices
    for sender, notice in stage.ear.notices:
        assert set(notice.channels) <= ({BOBS} if sender.startswith("bob@") else {CHANNEL, BOBS})
        assert sender.startswith(("alice@example.org/", "bob@example.org/"))
        assert notice.branch.isprintable()
        assert re.fullmatch(r"|[0-9a-f]{40}|[0-9a-f]{64}", notice.head)
        assert (notice.tree, notice.host, notice.source) == ("", "", None)
    assert set(stage.dropped) >= {*Drop} - {Drop.TOO_MANY_PEERS}
    assert NS not in "".join(str(reason.value) for reason in stage.dropped)


# the transport around it


STAND_IN = SimpleNamespace(boundjid=SimpleNamespace(full=OWN), say=str, drop=lambda: None)
"""For a client whose login is good."""


def transport() -> XmppTransport:
    """With a session that writes nowhere; to be made while a loop runs."""
    config = XmppConfig("alice@example.org", Secret(literal="x"))
    made = XmppTransport(config, Ear(), daemon="d" * 32)
    made.greeted(STAND_IN)
    return made


def test_a_transport_keeps_what_a_lost_session_may_not_have_said(monkeypatch):
    moment = 1000.0
    monkeypatch.setattr(clock, "now", lambda: moment)

    async def play() -> list[PushNotice]:
        nonlocal moment
        machine = transport()
        machine._open_session()
        machine.announce(NOTES)
        moment += 40
        machine._let_go()
        machine.announce(SHARED)
        moment += 600
        machine.greeted(STAND_IN)
        machine._open_session()
        return machine._recent.fresh(now=moment)

    assert asyncio.run(play()) == [NOTES, SHARED]


def test_a_server_without_carbons_is_told_of_once(caplog):
    async def play() -> None:
        machine = transport()
        for _ in range(2):
            machine.received(client("<iq type='error' id='carbons-enable'/>"))
            machine.greeted(STAND_IN)

    asyncio.run(play())
    (line,) = caplog.messages
    assert line.startswith("XMPP: the server has no message carbons")


def test_a_flood_of_a_stranger_is_two_lines_in_the_log(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "autosyncd")
    moment = 1000.0
    monkeypatch.setattr(clock, "now", lambda: moment)

    async def play() -> None:
        nonlocal moment
        machine = transport()
        for _ in range(500):
            machine.received(client(said(MALLORY)))
            moment += 0.1
        assert len(caplog.records) == 1
        assert machine._due() == 1060.0, "nothing else has to come for the second one"
        moment = 1060.0
        machine._tick()

    asyncio.run(play())
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "XMPP: 1 stanzas or notices not obeyed: from somebody who is not trusted"
    assert (
        second == "XMPP: not obeyed: from somebody who is not trusted: 499 more in the last minute"
    )


def test_each_notice_of_a_stanza_is_counted(monkeypatch, caplog):
    caplog.set_level(logging.INFO, "autosyncd")
    monkeypatch.setattr(clock, "now", lambda: 1000.0)

    async def play() -> None:
        machine = transport()
        text = headline(OWN, ["<n c='?'/>"] * 30)
        for _ in range(2):
            machine.received(client(text.replace("<message ", f"<message from='{DESKTOP}' ", 1)))
        (line,) = machine._complaints.due(now=1060.0)
        assert line.endswith("can't be read: 30 more in the last minute")

    asyncio.run(play())
