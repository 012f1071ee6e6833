"""What is taken of a server before the login, where servers are found, and who this machine is."""

import asyncio
import socket
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from autosyncd.transport.events import Displaced, Lost, Refused, Unacceptable
from autosyncd.transport.xmpp import login
from autosyncd.transport.xmpp.identity import daemon_id
from autosyncd.transport.xmpp.servers import Server, SrvRecord, find, srv

GOOD = "r=abc,s=QSXCR+Q6sek8bf92,i=4096"
STARTTLS = f"<starttls xmlns='{login.TLS}'/>"


def features(*mechanisms: str, inside: str = "") -> str:
    names = "".join(f"<mechanism>{name}</mechanism>" for name in mechanisms)
    offer = f"<mechanisms xmlns='{login.SASL}'>{names}</mechanisms>" if mechanisms else ""
    return f"<features xmlns='{login.STREAM}'>{inside}{offer}</features>"


def judge(text: str, *, encrypted: bool = True, plain: bool = False) -> object:
    return login.judge(
        fromstring(text),  # noqa: S314
        encrypted=encrypted,
        authenticated=False,
        allow_plain=plain,
    )


@pytest.mark.parametrize("plain", [False, True])
def test_without_tls_nothing_but_tls_is_taken(plain):
    offer = features("SCRAM-SHA-1", "PLAIN", inside=STARTTLS)
    assert judge(offer, encrypted=False, plain=plain) == login.GoOn()
    offer = features("SCRAM-SHA-1", "PLAIN")
    assert isinstance(judge(offer, encrypted=False, plain=plain), Unacceptable)


@pytest.mark.parametrize(
    ("offered", "plain", "taken"),
    [
        (("SCRAM-SHA-1", "PLAIN", "EXTERNAL"), True, {"SCRAM-SHA-1"}),
        (("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1"), False, {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1"}),
        (("PLAIN", "DIGEST-MD5"), True, {"PLAIN"}),
        (("PLAIN",), False, None),
        (("DIGEST-MD5", "ANONYMOUS", "CRAM-MD5"), True, None),
    ],
)
def test_the_best_login_or_none(offered, plain, taken):
    verdict = judge(features(*offered), plain=plain)
    if taken is None:
        assert isinstance(verdict, Refused)
    else:
        assert verdict == login.GoOn(frozenset(taken))


def test_a_server_that_asks_for_no_login_is_nobody():
    assert isinstance(judge(features()), Unacceptable)


def challenge(encoded: str) -> str:
    """What is said of a challenge, as it stands in the XML; empty: the library may see it."""
    xml = fromstring(f"<challenge xmlns='{login.SASL}'>{encoded}</challenge>")  # noqa: S314
    found = login.objection(xml, "SCRAM-SHA-1", challenged=False)
    assert found is None or isinstance(found, Unacceptable)
    return found.reason if found else ""


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        (GOOD, ""),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=200000", ""),
        ("r=a=b/+,s=QSXCR+Q6sek8bQ==,i=4096,h=x+y=,d=", ""),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=4095", "its login hashes the password 4095 times only"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=1", "its login hashes the password 1 times only"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=200001", "its login asks for more work"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=9999999999", "its login asks for more work"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=99999999999", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=4096,i=400000", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=+400000", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i= 400000", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=4_0", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=0", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=-1", "its login can't be read"),
        ("r=abc,s=QSX,i=4096", "its login can't be read"),
        ("r=abc,i=4096,s=QSXCR+Q6sek8bf92", "its login can't be read"),
        ("m=x,r=abc,s=QSXCR+Q6sek8bf92,i=4096", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=4096,m=x", "its login can't be read"),
        ("r=abc,s=QSXCR+Q6sek8bf92,i=4096\n", "its login can't be read"),
        ("no such thing", "its login can't be read"),
        ("", "its login can't be read"),
    ],
)
def test_no_server_sets_more_work_than_an_honest_one(said, answer):
    encoded = b64encode(said.encode()).decode()
    for written in (encoded, f"{encoded[:9]}\n{encoded[9:]}", f"\u00e9{encoded}", f"{encoded}===="):
        assert challenge(written).startswith(answer)
        assert bool(challenge(written)) is bool(answer)
    assert challenge("QSX") == "its login can't be read"


def objection(word: str, said: str, mechanism: str, *, challenged: bool) -> object:
    text = b64encode(said.encode()).decode()
    xml = fromstring(f"<{word} xmlns='{login.SASL}'>{text}</{word}>")  # noqa: S314
    return login.objection(xml, mechanism, challenged=challenged)


@pytest.mark.parametrize(
    ("word", "said", "mechanism", "challenged"),
    [
        ("success", GOOD, "SCRAM-SHA-1", False),  # a challenge in the place of its proof
        ("success", "v=QSXC", "SCRAM-SHA-1", False),
        ("success", GOOD, "SCRAM-SHA-256-PLUS", True),
        ("success", "", "SCRAM-SHA-1", True),
        ("success", "e=other-error", "SCRAM-SHA-1", True),
        ("challenge", GOOD, "SCRAM-SHA-1", True),  # a second one
        ("challenge", "v=QSXC", "SCRAM-SHA-1", True),
        ("challenge", "", "PLAIN", False),
        ("success", "v=QSXC", "", False),  # nobody has begun
        ("challenge", GOOD, "", False),
    ],
)
def test_a_login_goes_by_the_rules_or_ends(word, said, mechanism, challenged):
    assert isinstance(objection(word, said, mechanism, challenged=challenged), Unacceptable)


def test_a_login_that_goes_by_the_rules_goes_on():
    assert objection("challenge", GOOD, "SCRAM-SHA-1", challenged=False) is None
    assert objection("success", "v=QSXC,x=more", "SCRAM-SHA-1", challenged=True) is None
    assert objection("success", "", "PLAIN", challenged=False) is None


@pytest.mark.parametrize(
    ("condition", "event"),
    [
        ("not-authorized", Refused),
        ("account-disabled", Refused),
        ("temporary-auth-failure", Lost),
        ("x" * 300, Lost),
    ],
)
def test_a_failed_login_is_final_where_only_a_person_can_mend_it(condition, event):
    text = f"<failure xmlns='{login.SASL}'><text>go away</text><{condition}/></failure>"
    found = login.failed(fromstring(text))  # noqa: S314
    assert isinstance(found, event)
    assert len(found.reason) < 100
    assert "go away" not in found.reason


@pytest.mark.parametrize(
    ("condition", "event"),
    [("conflict", Displaced), ("see-other-host", Lost), ("system-shutdown", Lost)],
)
def test_a_stream_error_ends_the_session_and_leads_nowhere(condition, event):
    inner = f"<{condition} xmlns='{login.STREAM_ERRORS}'>evil.example:9</{condition}>"
    error = fromstring(f"<error xmlns='{login.STREAM}'>{inner}</error>")  # noqa: S314
    found = login.ended(error, logged_in=True)
    assert isinstance(found, event)
    assert isinstance(login.ended(error, logged_in=False), Lost)
    assert "evil" not in found.reason


# servers


def places(records: dict[str, list[SrvRecord]], configured: tuple[str, int] | None = None):
    async def lookup(name: str) -> list[SrvRecord]:
        return records.get(name.partition(".")[0], [])

    return asyncio.run(find("example.org", configured, lookup))


def test_a_configured_server_is_tried_both_ways_in_the_order_of_its_port():
    assert places({}, ("h", 5222)) == [
        Server("h", 5222, direct=False),
        Server("h", 5222, direct=True),
    ]
    assert places({}, ("::1", 5223))[0] == Server("::1", 5223, direct=True)


def test_without_records_it_is_the_domain_itself():
    assert places({}) == [Server("example.org", 5222, direct=False)]


def test_records_of_both_kinds_are_tried_by_their_priority():
    records = {
        "_xmpps-client": [SrvRecord(10, 0, "b.", 443), SrvRecord(0, 1, "a", 5223)],
        "_xmpp-client": [SrvRecord(5, 0, "c", 5222), SrvRecord(20, 0, "d", 5222)],
    }
    assert [server.host for server in places(records)] == ["a", "c", "b", "d"]
    assert [server.direct for server in places(records)] == [True, False, True, False]


def test_a_domain_that_says_it_has_no_service_has_none():
    assert places({"_xmpp-client": [SrvRecord(0, 0, ".", 0)]}) == []


def test_endless_records_are_cut():
    records = {"_xmpp-client": [SrvRecord(0, 0, f"h{number}", 1) for number in range(100)]}
    assert len(places(records)) == 10


@contextmanager
def name_server(records: list[SrvRecord]) -> Iterator[int]:
    """A DNS server (RFC 1035) on loopback that answers every question with these SRV records."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    listening.settimeout(0.05)
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            try:
                question, client = listening.recvfrom(4096)
            except TimeoutError:
                continue
            end = question.index(b"\0", 12) + 5
            code = 0x8180 if records else 0x8183
            answer = question[:2] + struct.pack("!HHHHH", code, 1, len(records), 0, 0)
            answer += question[12:end]
            for record in records:
                name = b"".join(
                    bytes([len(part)]) + part for part in record.host.encode().split(b".")
                )
                data = struct.pack("!HHH", record.priority, record.weight, record.port)
                data += name + b"\0"
                answer += struct.pack("!HHHIH", 0xC00C, 33, 1, 60, len(data)) + data
            listening.sendto(answer, client)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        thread.join()
        listening.close()


@pytest.mark.parametrize("records", [[], [SrvRecord(10, 5, "xmpp.example.org", 5222)]])
def test_records_are_asked_of_a_name_server(records):
    with name_server(records) as port:
        options = {"nameservers": ["127.0.0.1"], "udp_port": port, "tries": 1}
        assert asyncio.run(srv("_xmpp-client._tcp.example.org", **options)) == records


def test_a_name_server_that_is_away_is_as_good_as_none():
    options = {"nameservers": ["127.0.0.1"], "udp_port": 9, "tries": 1, "timeout": 0.2}
    assert asyncio.run(srv("_xmpp-client._tcp.example.org", **options)) == []


# identity


def test_a_machine_keeps_its_id_and_a_copied_home_gets_another(tmp_path: Path, monkeypatch):
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    first = daemon_id(environment)
    assert len(first) == 32
    assert daemon_id(environment) == first
    monkeypatch.setattr("autosyncd.transport.xmpp.identity.machine_id", lambda: "another")
    assert daemon_id(environment) != first


def test_where_nothing_can_be_kept_there_is_an_id_all_the_same(tmp_path: Path):
    (tmp_path / "autosync").write_text("a file in the way")
    assert len(daemon_id({"XDG_STATE_HOME": str(tmp_path)})) == 32
