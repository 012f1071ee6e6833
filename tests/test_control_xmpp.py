"""The doctor's look at an XMPP account: one sentence for each thing that may be wrong."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autosyncd.control import xmpp
from autosyncd.control.finding import Finding, Level
from autosyncd.control.xmpp import check_account
from autosyncd.model import Secret, XmppConfig
from autosyncd.transport.xmpp.servers import SrvRecord
from tests.chat_client import ChatClient
from tests.lying_server import HOST, PASSWORD, USER, Lie, LyingServer
from tests.testbed import XmppServer

JID = f"{USER}@{HOST}"


def config(port: int, ca: str | None = None, host: str = "127.0.0.1") -> XmppConfig:
    return XmppConfig(JID, Secret(literal=PASSWORD), (host, port), ca)


def found(config: XmppConfig, environment: dict[str, str] | None = None) -> Finding:
    (finding,) = check_account(config, environment or {})
    assert finding.what == "xmpp"
    assert PASSWORD not in finding.text
    return finding


def problem(config: XmppConfig) -> str:
    finding = found(config)
    assert finding.level is Level.PROBLEM
    return finding.text


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_name_that_dns_does_not_know() -> None:
    said = problem(config(5222, host="nowhere.invalid"))
    assert "nowhere.invalid is not found in DNS (" in said
    assert "check jid:, or give server: HOST:PORT" in said


def test_a_domain_that_says_it_has_no_server() -> None:
    async def nothing_there(_name: str) -> list[SrvRecord]:
        return [SrvRecord(0, 0, ".", 0)]

    (finding,) = check_account(replace(config(1), server=None), {}, nothing_there)
    assert finding.text == f"{HOST} says in DNS that it has no XMPP server; check jid:"


def test_a_port_where_nobody_listens(closed_port: int) -> None:
    said = problem(config(closed_port))
    assert said.startswith(f"127.0.0.1:{closed_port}: the connection is refused, so no server")


LIES = {
    Lie.OTHER_NAME: "its certificate is not accepted, Hostname mismatch, certificate is not valid",
    Lie.EXPIRED: "its certificate is not accepted, certificate has expired; a CA of your own",
    Lie.UNKNOWN_CA: "its certificate is not accepted, unable to get local issuer certificate",
    Lie.PLAIN_ONLY: "it offers no SCRAM, only PLAIN, which hands it the password itself; `allow_p",
    Lie.ANONYMOUS_ONLY: "it offers no login by password that proves the server too (SCRAM)",
    Lie.WRONG_PASSWORD: "the password is wrong, or there is no such account; correct it",
    Lie.NO_TLS_NO_LOGIN: "it offers no TLS",
    Lie.CHEAP_LOGIN: "its login hashes the password 4095 times only, which makes that easy to guess",
    Lie.UNPROVED_LOGIN: "it can't prove that it knows the password",
    Lie.LOGIN_LATER: "it refused the login: temporary-auth-failure; it is tried again by itself",
}


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_is_not_as_it_should_be(lie: Lie, tmp_path: Path) -> None:
    with LyingServer(lie, tmp_path) as server:
        said = problem(config(server.port, server.ca))
    assert said.startswith(f"{JID} at 127.0.0.1:{server.port}: {LIES[lie]}")
    assert server.record.passwords == []


@pytest.mark.parametrize("lie", [Lie.OTHER_NAME, Lie.EXPIRED, Lie.UNKNOWN_CA])
def test_a_bad_certificate_is_seen_behind_a_port_that_begins_with_tls(
    lie: Lie, tmp_path: Path
) -> None:
    """Which of both ways a port of one's own speaks is found out by trying."""
    with LyingServer(lie, tmp_path, direct=True) as server:
        said = problem(config(server.port, server.ca))
    assert said.startswith(f"{JID} at 127.0.0.1:{server.port}: {LIES[lie]}")


@pytest.mark.parametrize("lie", [Lie.SILENCE, Lie.GARBAGE, Lie.CLOSED])
def test_what_is_no_xmpp_server(lie: Lie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmpp, "LOGIN_WITHIN", 0.5)
    with LyingServer(lie, tmp_path) as server:
        assert f"{JID} at 127.0.0.1:{server.port}: " in problem(config(server.port, server.ca))


def test_a_ca_file_that_can_not_be_read(tmp_path: Path) -> None:
    with LyingServer(Lie.NONE, tmp_path) as server:
        said = problem(config(server.port, str(tmp_path / "none")))
    assert said.endswith("can't be used, No such file or directory; correct ca_file:")
    assert server.record.connections == 1  # it was only looked whether it is there


def test_no_password_is_to_be_had(tmp_path: Path) -> None:
    with LyingServer(Lie.NONE, tmp_path) as server:
        there = config(server.port, server.ca)
        missing = replace(there, secret=Secret(file=str(tmp_path / "none")))
        assert f"{JID}: The password_file {tmp_path}/none can't be read" in problem(missing)
        failing = replace(there, secret=Secret(command=("false",)))
        assert f"{JID}: The password_command exited with status 1" in problem(failing)
        unseen = found(replace(there, secret=Secret(credential="xmpp-password")))
        assert unseen.level is Level.HINT
        assert "the login was not tried" in unseen.text
        assert server.record.logins == 0


def test_the_credential_of_the_running_service_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "credentials/autosyncd.service"
    folder.mkdir(parents=True)
    (folder / "xmpp-password").write_text(PASSWORD)
    secret = Secret(credential="xmpp-password")
    with LyingServer(Lie.NONE, tmp_path) as server:
        told = replace(config(server.port, server.ca), secret=secret)
        assert found(told, {"XDG_RUNTIME_DIR": str(tmp_path)}).level is not Level.PROBLEM
        assert server.record.logins == 1


def test_a_server_without_carbons_is_a_hint(tmp_path: Path) -> None:
    with LyingServer(Lie.NONE, tmp_path) as server:
        finding = found(config(server.port, server.ca))
    assert finding.level is Level.HINT
    assert "logs in at" in finding.text
    assert (
        "no message carbons, so machines with the old dvcs-autosync are not heard" in finding.text
    )
    assert not any("<presence" in stanza for stanza in server.record.stanzas)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_an_account_that_is_well_notices_nothing_of_the_look(kind: str, tmp_path: Path) -> None:
    with XmppServer(tmp_path / "server", kind) as server:  # type: ignore[arg-type]
        jid = server.add_user(USER, PASSWORD)
        there = XmppConfig(jid, Secret(literal=PASSWORD), (server.ip, server.port), server.ca)

        async def look() -> None:
            async with ChatClient(server, f"{jid}/phone", PASSWORD, priority=5) as phone:
                finding = await asyncio.to_thread(found, there)
                assert finding.level is Level.OK, finding.text
                assert finding.text == f"{jid} logs in at {server.ip}:{server.port}"
                phone.say(f"{jid}/phone", "still here")
                await phone.sees("still here")
                ours = [stanza for stanza in phone.seen if "autosyncctl" in stanza]
                assert all('type="unavailable"' in stanza for stanza in ours)  # ejabberd's own
                assert "disconnected" not in phone.events

        asyncio.run(look())
