"""The XML of a stream is read as by any parser, however it is cut, and its names are forgotten again."""

import asyncio
import itertools
import random
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError, XMLPullParser, tostring

import pytest

from autosyncd.transport.xmpp import stream
from autosyncd.transport.xmpp.stream import StreamParser
from tests.lying_server import HOST, PASSWORD, USER, Lie, LyingServer
from tests.xmpp_machines import CHANNEL, HEAD, Machine, until

OPENINGS = [
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' version='1.0' "
    "xmlns:stream='http://etherx.jabber.org/streams' from='a>b'>",
    '<?xml version="1.0"?>\n<s:stream xmlns:s="http://etherx.jabber.org/streams" '
    'xmlns="jabber:client" xmlns:more="urn:x">',
]
STANZAS = [
    "<message type='chat'><body>a &lt;/message&gt; b</body></message>",
    "<message a='>' b=\"/>\"><message>inside</message><iq/></message >",
    "<presence/>",
    "<presence from='a@b/c>' type=\"unavailable\" />",
    "<iq type='result' id='1'>\n<x><![CDATA[</message><presence/>]]></x></iq>",
    "<message><body>Grüße, 笔记</body><!-- </message> --></message>",
    " \n",
    "<stream:features><x/></stream:features>",
]


def stanzas_of(parser: object, pieces: Iterable[bytes]) -> Iterator[str]:
    """What ends directly below the root."""
    depth = 0
    for piece in pieces:
        parser.feed(piece)  # type: ignore[attr-defined]
        for event, element in parser.read_events():  # type: ignore[attr-defined]
            depth += 1 if event == "start" else -1
            if event == "end" and depth == 1:
                yield tostring(element, encoding="unicode").strip()


def cut(data: bytes, chance: random.Random) -> list[bytes]:
    places = sorted(chance.randrange(len(data)) for _ in range(chance.randrange(1, 60)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("seed", range(40))
def test_it_reads_what_any_parser_reads(
    opening: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RENEW_AFTER", 200)
    chance = random.Random(seed)
    usable = STANZAS if "stream:stream" in opening else STANZAS[:-1]
    data = (opening + "".join(chance.choices(usable, k=60))).encode()
    every = [bytes([byte]) for byte in data]
    whole = list(stanzas_of(XMLPullParser(("start", "end")), [data]))
    assert len(whole) > 40
    assert list(stanzas_of(StreamParser(), [data])) == whole
    assert list(stanzas_of(StreamParser(), every)) == whole
    assert list(stanzas_of(StreamParser(), cut(data, chance))) == whole


def test_prefixes_of_the_opening_hold_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RENEW_AFTER", 0)
    pieces = [OPENINGS[1].encode(), *[b"<message><more:x/></message>"] * 5]
    assert sum("urn:x" in one for one in stanzas_of(StreamParser(), pieces)) == 5


def test_what_ends_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "RENEW_WITHIN", 5000)
    monkeypatch.setattr(stream, "RENEW_AFTER", 500)
    with pytest.raises(ParseError):
        list(stanzas_of(StreamParser(), [OPENINGS[0].encode(), *[b"<what/>" * 20] * 100]))


def unheard_of(kind: str, number: int) -> str:
    """A message of 100 KiB with some thousands of names that nobody has used before."""
    names = [f"b{number:03}{each}" for each in range(7000)]
    forms = {"elements": "<{}/>", "attributes": "<a {}=''/>", "namespaces": "<a xmlns='{}'/>"}
    inside = "".join(forms[kind].format(name) for name in names)
    return f"<message from='mallory@example.net/x' type='headline'>{inside}</message>"


@pytest.mark.parametrize("kind", ["elements", "attributes", "namespaces"])
def test_names_that_strangers_send_are_forgotten(kind: str) -> None:
    pieces = itertools.chain(
        [OPENINGS[0].encode()], (unheard_of(kind, number).encode() for number in range(60))
    )
    read = stanzas_of(StreamParser(), pieces)
    tracemalloc.start()
    for _ in range(60):
        next(read)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 8 * 1024 * 1024


@pytest.mark.slow
def test_a_connection_forgets_them_and_goes_on(tmp_path: Path) -> None:
    async def play() -> int:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await machine.ready()
            tracemalloc.start()
            for number in range(60):
                server.send(unheard_of("elements", number))
                server.send(
                    f"<message from='{USER}@{HOST}/x' type='headline'><notices v='1' "
                    f"xmlns='urn:autosync:1'><n c='{CHANNEL}' h='{HEAD}'/></notices></message>"
                )
                await until(lambda: len(machine.notices) == number + 1)  # noqa: B023
            used, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert (machine.sessions, machine.reasons) == (1, [])
            return used

    with LyingServer(Lie.NONE, tmp_path) as server:
        assert asyncio.run(play()) < 12 * 1024 * 1024
