"""An XMPP account in the configuration: what is taken, what is refused, and that no password shows."""

import logging
import os
from pathlib import Path

import pytest

from autosyncd.config import accounts, schema
from autosyncd.config.describe import describe
from autosyncd.config.load import Configuration, load
from autosyncd.config.parse import parse
from autosyncd.config.values import Mistake
from autosyncd.model import OutsideConfig, Secret, XmppConfig
from autosyncd.supervisor.main import Options, run

WORD = "hunter2hunter2"
"""The password that nobody may see."""
FORMS = [
    f"password: {WORD}",
    f"password: [{WORD}]",
    f"password: {{{WORD}: x}}",
    f"password: !{WORD} x",
    f"password: *{WORD}",
    f"password: &{WORD} &{WORD} x",
    f"password: '{WORD}",
    f'password: "{WORD}\\q"',
    f"password: x, {WORD}: 1, {WORD}: 2",
    f"password: x, {WORD}",
    f"password: x, {WORD}, y",
    f"password: x, 5{WORD}: 1",
    f"password: x, password: {WORD}",
    f'password: "{WORD}\\n"',
    f"passwort: {WORD}",
    f"password_file: {WORD}",
    f"password_file: ~{WORD}",
    f"password_file: ${WORD}",
    f"password_file: /x, password: {WORD}",
    f"password_command: [echo, {WORD}], password: {WORD}",
    f"password_command: echo {WORD}",
    f"server: 'alice:{WORD}@h', password: {WORD}",
    f"jid: '{WORD} {WORD}'",
    f"jid: {WORD}@x/{WORD}",
    f"{WORD}",
]


class Home:
    """A home with one configuration file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"HOME": str(root)}
        self.folder = root / ".config/autosync"
        self.folder.mkdir(parents=True)
        self.main = self.folder / "autosync.yaml"

    def write(self, text: str, mode: int = 0o600) -> Path:
        self.main.write_text(text)
        self.main.chmod(mode)
        return self.main

    def load(self, previous: Configuration | None = None) -> Configuration:
        etc = str(self.root / "etc")
        return load(None, previous=previous, environment=self.environment, etc=etc)

    def outside(self, text: str, mode: int = 0o600) -> OutsideConfig:
        """What these words come to, which are without a problem."""
        self.write(text, mode)
        found = self.load()
        assert found.problems == ()
        return found.outside

    def secret(self, given: str) -> Secret:
        xmpp = self.outside(f"transports: {{xmpp: {{jid: a@b, {given}}}}}").xmpp
        assert xmpp is not None
        return xmpp.secret

    def problem(self, text: str, mode: int = 0o600) -> str:
        """The one problem of these words, which nothing comes of."""
        self.write(text, mode)
        found = self.load()
        assert found.outside == OutsideConfig()
        (one,) = found.problems
        return str(one)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(Path(os.path.realpath(tmp_path)))


def test_an_account_with_all_its_keys(home: Home) -> None:
    text = (
        "transports:\n  xmpp:\n    jid: Alice@Example.ORG\n    server: '[::1]:5223'\n"
        "    password_command: [secret-tool, lookup, service, xmpp]\n"
        "    ca_file: ~/ca.pem\n    allow_plain: true\nalerts: {xmpp: Bob@example.org}"
    )
    secret = Secret(command=("secret-tool", "lookup", "service", "xmpp"))
    server, ca_file = ("::1", 5223), f"{home.root}/ca.pem"
    wanted = XmppConfig("alice@example.org", secret, server, ca_file, allow_plain=True)
    assert home.outside(text) == OutsideConfig(xmpp=wanted, alerts_to="bob@example.org")


def test_the_least_that_is_needed(home: Home) -> None:
    secret = Secret(credential="xmpp-password")
    found = home.outside("transports: {xmpp: {jid: a@b}}", mode=0o644)
    assert found == OutsideConfig(xmpp=XmppConfig("a@b", secret))


def test_a_password_comes_from_one_of_four_places(home: Home) -> None:
    assert home.secret("password_file: ~/pw") == Secret(file=f"{home.root}/pw")
    assert home.secret("password: 'x y'") == Secret(literal="x y")
    assert home.secret("password_command: pw") == Secret(command=("pw",))
    given = "password_command: [~/bin/pw, '$x', ~/.pw, ~bob, a~/b]"
    there = str(home.root)
    words = (f"{there}/bin/pw", "$x", f"{there}/.pw", "~bob", "a~/b")
    assert home.secret(given) == Secret(command=words)


@pytest.mark.parametrize(
    "text",
    ["alice@example.org", "ALICE@b", "jürgen@exämple.org", "o\\.a+b@b-c.d_e", "a@127.0.0.1"],
)
def test_addresses_are_taken_in_lower_case(text: str) -> None:
    assert accounts.jid(text) == text.lower()


@pytest.mark.parametrize(
    "text",
    ["", "bob", "@b", "a@", "a b@c", "a@b c", "a@b@c", "a/b@c", "a@b/x", "a@.b", "a@b.", "<a@b",
     "a@b\u202e", "a\u0000@b", "é" * 74 + "@bb", "x" * 149 + "@b"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_shown(text: str) -> None:
    found = accounts.jid(text)
    assert isinstance(found, Mistake)
    assert not text or text not in found.text


def test_a_repository_trusts_people_each_once(home: Home) -> None:
    home.write(
        "defaults: {trust: [Carol@x.org]}\n"
        "repositories:\n- {path: ~/a, trust: [bob@x.org, BOB@x.org, dan@x.org]}\n- path: ~/b\n"
        "- {path: ~/c, trust: []}\n- {path: ~/d, trust: e@x.org}"
    )
    found = home.load()
    assert [one.trust for one in found.repositories] == [
        ("bob@x.org", "dan@x.org"), ("carol@x.org",), (), ("e@x.org",),
    ]  # fmt: skip
    assert "  trust: [bob@x.org, dan@x.org]" in describe(found)


def test_trust_that_is_none_is_a_problem_in_a_sentence(home: Home) -> None:
    entry = "repositories: [{path: ~/a, trust: [%s]}]"
    assert "trust[1]: is no address of a person" in home.problem(entry % "a@b, bob")
    assert "has a resource" in home.problem(entry % "a@b/phone")
    crowd = ", ".join(f"p{number}@b" for number in range(21))
    assert "trust: names more than 20 people" in home.problem(entry % crowd)
    assert "longer than 150 bytes" in home.problem(entry % ("x" * 149 + "@b"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("transports: {xmpp: {password_file: ~/pw}}", "transports.xmpp: has no jid"),
        ("transports: {xmpp: {jid: a@b, password: x, password_file: ~/p}}",
         "password: is given beside password_file; keep one"),
        ("transports: {xmpp: {jid: a@b, password_command: []}}", "password_command: is empty"),
        ("transports: {xmpp: {jid: a@b, password_command: pass show x}}", "no shell reads it"),
        ("transports: {xmpp: {jid: a@b, server: 'h:0'}}", "xmpp.server: is no server"),
        ("transports: {xmpp: {jid: a@b, password_file: pw}}", "begin with / or ~/"),
        ("transports: {xmpp: {jid: a@b, allow_plian: true}}", "did you mean allow_plain?"),
        ("transports: {xmpp: {jid: a@b, resource: x}}", "has an unknown key (known here: jid,"),
        ("alerts: {xmpp: bob@x.org}", "alerts.xmpp: needs an account to write from"),
        ("alerts: {xmpp: bob}\ntransports: {xmpp: {jid: a@b}}", "alerts.xmpp: is no address"),
        ("transports: {fanout: {server: h, jid: a@b}}", "it belongs under transports: xmpp:"),
    ],
)  # fmt: skip
def test_a_mistake_is_told(home: Home, text: str, said: str) -> None:
    assert said in home.problem(text)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_password_stands_only_in_a_file_that_others_can_not_read(home: Home, mode: int) -> None:
    text = f"transports:\n  xmpp: {{jid: a@b,\n    password: {WORD}}}"
    said = home.problem(text, mode)
    assert f"{home.main}:3: transports.xmpp.password: others may read this file" in said
    assert WORD not in said
    home.main.chmod(0o600)
    assert home.load().problems == ()


@pytest.mark.root
def test_a_password_stands_only_in_a_file_of_ones_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write(f"transports: {{xmpp: {{jid: a@b, password: {WORD}}}}}", 0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)  # root's files are read, too
    (one,) = home.load().problems
    assert "others may read this file" in str(one)


def test_what_was_said_before_stays_in_force(home: Home) -> None:
    text = f"transports: {{xmpp: {{jid: a@b, password: {WORD}}}}}"
    home.write(text)
    before = home.load()
    home.write(text, 0o644)
    after = home.load(before)
    assert len(after.problems) == 1
    assert after.outside == before.outside


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("password_file: ~/notes/pw", "the password_file ("),
        ("password_command: [cat, ~/notes/pw]", "a file that password_command names lies inside"),
        ("password_command: [~/notes/bin/pw]", "a file that password_command names lies inside"),
        ("ca_file: ~/notes/ca.pem", "the ca_file ("),
        ("password_file: ~/link", "the password_file ("),
    ],
)
def test_nothing_of_an_account_lies_in_a_repository(home: Home, given: str, said: str) -> None:
    (home.root / "notes").mkdir()
    (home.root / "link").symlink_to(home.root / "notes/pw")
    text = f"repositories: [path: ~/notes]\ntransports: {{xmpp: {{jid: a@b, {given}}}}}"
    found = home.problem(text)
    assert said in found
    assert "so a pull could change it" in found


def test_a_configuration_with_a_password_lies_in_no_repository(home: Home) -> None:
    text = f"repositories: [path: ~/.config]\ntransports: {{xmpp: {{jid: a@b, password: {WORD}}}}}"
    assert "the configuration" in home.problem(text)


def test_the_messenger_goes_on_while_its_part_is_the_same(home: Home) -> None:
    text = f"transports: {{xmpp: {{jid: a@b, password: {WORD}}}}}\nrepositories:\n- path: ~/a\n"
    home.write(text)
    before = home.load()
    home.write(text + "- path: ~/b\n# and a remark")
    after = home.load(before)
    assert len(after.repositories) == len(before.repositories) + 1
    assert after.outside == before.outside
    home.write(text.replace(WORD, "another"))
    assert home.load(after).outside != after.outside


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("frame", ["transports: {xmpp: {%s}}", "transports: {xmpp: %s}"])
def test_no_password_shows(home: Home, form: str, frame: str) -> None:
    """Neither one in its place nor one beside it."""
    home.write(frame % form, 0o644)
    found = home.load()
    told = [*map(str, found.problems), repr(found.problems), *describe(found), *found.notes]
    assert WORD not in "\n".join(told)
    assert found.problems


def test_no_password_shows_where_all_is_well(
    home: Home,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for given in (f"password: {WORD}", f"password_command: [echo, {WORD}]"):
        home.write(f"transports: {{xmpp: {{jid: a@b, {given}}}}}")
        monkeypatch.setenv("HOME", str(home.root))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        with caplog.at_level(logging.DEBUG):
            assert run(Options(check=True, etc=str(home.root / "etc"))) == 0
        shown = capsys.readouterr()
        assert "transport xmpp: a@b, password from " in shown.out
        outside = repr(home.load().outside)
        assert WORD not in shown.out + shown.err + caplog.text + outside


@pytest.mark.parametrize(
    ("given", "source"),
    [
        ("server: h", "a@b at h:5222, password from the systemd credential xmpp-password"),
        ("server: '[::1]:5'", "a@b at [::1]:5, password from the systemd credential"),
        ("password: x", "password from the configuration"),
        ("password_command: pw", "password from a command"),
        ("password_file: /pw, allow_plain: yes", "from the file /pw, SASL PLAIN allowed"),
    ],
)
def test_a_check_tells_where_the_password_comes_from(home: Home, given: str, source: str) -> None:
    home.write(f"transports: {{xmpp: {{jid: a@b, {given}}}}}\nalerts: {{xmpp: bob@x}}")
    lines = describe(home.load())
    assert any(source in line for line in lines)
    assert "alerts by XMPP: to bob@x" in lines
    assert not any("polled" in line for line in lines)


def test_transports_belong_to_the_main_file() -> None:
    found = parse(b"transports: {xmpp: {jid: a@b}}", "f", schema.DROP_IN)
    assert "at the top of the main file" in str(found.problems[0])
