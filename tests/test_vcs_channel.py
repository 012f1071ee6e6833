"""What two clones call the same thing on the wire, and what nobody may see of a URL."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosyncd.redaction import without_secrets
from autosyncd.vcs.channel import ROOTS, channels, normalise

MACHINE = "0123456789abcdef0123456789abcdef"
ROOT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def only(url: str) -> str:
    (channel,) = channels(url, [], machine_id=MACHINE)
    return channel


# Golden vectors: a change here means that old and new versions no longer hear each other.
GOLDEN = {
    "ssh://git@example.org/srv/notes.git": (
        "495b06f17f35514133a1f8d11d821e808e781077749853ee5d774a86f7e88210"
    ),
    "https://example.org:8443/Notes": (
        "f867be3e6df115c786f00f1cd11bc95e9ee1998d8f975c74f07df613372644a4"
    ),
    "/srv/git/notes.git": "3e3704caef377af0b67e3f5cc9e9342887e2b90338116547af6918aedc184ba2",
}


@pytest.mark.parametrize(("url", "expected"), GOLDEN.items())
def test_the_channel_of_a_url_never_changes(url: str, expected: str) -> None:
    assert only(url) == expected


def test_the_channel_of_a_root_commit_never_changes() -> None:
    assert channels(None, [ROOT], machine_id=MACHINE) == (
        "1a475b17ad5a3b17f0c0e12fb8438463a59a5abb94636c968a269023260865c3",
    )


def test_the_channel_of_a_chosen_name_never_changes() -> None:
    named = channels("ssh://h/x", [ROOT], machine_id=MACHINE, override="team notes")
    assert named == ("51411630fc281d2648c170cd4baf7d8ad2cc9f09d152ae63880e6291fa71b55c",)


def test_what_is_hashed_is_what_the_documentation_says() -> None:
    assert only("ssh://git@example.org/srv/notes.git") == (
        sha256(b"url:example.org/srv/notes").hexdigest()
    )


def test_a_tree_has_a_channel_for_its_url_and_each_of_its_roots() -> None:
    found = channels("host:x", [ROOT, "f" * 40], machine_id=MACHINE)
    assert len(found) == 3
    assert list(found) == sorted(found)


def test_clones_of_a_history_with_many_roots_keep_the_same_ten_and_the_url() -> None:
    roots = [f"{number:040x}" for number in range(100)]
    (of_url,) = channels("host:x", [], machine_id=MACHINE)
    one = channels("host:x", roots, machine_id=MACHINE)
    other = channels("host:x", [*reversed(roots), ROOT], machine_id=MACHINE)
    assert len(one) == len(other) == ROOTS + 1
    assert of_url in one
    assert len({*one} & {*other}) >= ROOTS


def test_a_tree_without_remote_and_commits_has_no_channel() -> None:
    assert channels(None, [], machine_id=MACHINE) == ()
    assert channels("", [], machine_id=MACHINE) == ()


SAME = [
    "ssh://git@example.org/srv/notes.git",
    "ssh://example.org/srv/notes",
    "ssh://other:secret@example.org/srv/notes/",
    "ssh://example.org:22/srv/notes.git/",
    "git+ssh://example.org/srv/notes",
    "SSH://Example.ORG/srv/notes",
    "ssh://example.org//srv//notes.git",
    "ssh://example.org/srv/notes/.git",
    "git@example.org:srv/notes.git",
    "example.org:/srv/notes",
    "EXAMPLE.org:srv/notes/",
    "git://example.org/srv/notes.git",
    "git://example.org:9418/srv/notes",
    "https://example.org/srv/notes.git",
    "https://user:p%40ss@example.org:443/srv/notes",
    "http://example.org:80/srv/notes/",
    "https://example.org/srv/n%6ftes",
    " https://example.org/srv/notes\n",
]


@pytest.mark.parametrize("url", SAME)
def test_spellings_of_one_address_agree(url: str) -> None:
    assert normalise(url, machine_id=MACHINE) == "example.org/srv/notes"


@pytest.mark.parametrize(
    "url",
    [
        "ssh://example.org:2222/srv/notes",
        "ssh://example.net/srv/notes",
        "ssh://example.org/srv/Notes",
        "ssh://example.org/srv/notes.gitty",
        "ssh://example.org/srv",
        "/srv/notes",
        "file:///srv/notes",
    ],
)
def test_other_addresses_differ(url: str) -> None:
    assert normalise(url, machine_id=MACHINE) != "example.org/srv/notes"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("host:notes", "ssh://host/~/notes"),
        ("host:~/notes", "ssh://host/~/notes"),
        ("/srv/x.git", "file:///srv/x"),
        ("/srv/x/.git", "/srv/x/"),
        ("file:///srv/my%20notes", "/srv/my notes"),
        ("[::1]:x", "ssh://[::1]/x"),
        ("user@[fe80::1]:srv/x.git", "ssh://[fe80::1]:22/srv/x"),
    ],
)
def test_more_spellings_that_agree(one: str, other: str) -> None:
    assert only(one) == only(other)


def test_a_path_is_something_else_on_every_machine() -> None:
    here, there = (channels("/srv/x", [], machine_id=machine) for machine in ("a" * 32, "b" * 32))
    assert here != there


def test_a_path_with_a_colon_is_a_path() -> None:
    assert normalise("./a:b", machine_id="M").startswith("M/")
    assert normalise("/a:b", machine_id="M") == "M/a:b"


@given(st.text())
def test_any_text_has_a_channel(url: str) -> None:
    for channel in channels(url, [], machine_id=MACHINE):
        assert len(channel) == 64
        assert int(channel, 16) >= 0


@given(
    host=st.from_regex(r"[a-z][a-z0-9]{0,9}(\.[a-z]{2,5})?", fullmatch=True),
    path=st.from_regex(r"[A-Za-z0-9_-]{1,9}(/[A-Za-z0-9_-]{1,9}){0,3}", fullmatch=True),
    user=st.from_regex(r"([a-z]{1,8}@)?", fullmatch=True),
)
def test_scp_and_url_forms_of_any_address_agree(host: str, path: str, user: str) -> None:
    assert only(f"{user}{host}:{path}.git") == only(f"ssh://{user}{host}/{path}/")


@pytest.mark.parametrize(
    "text",
    [
        "fatal: unable to access 'https://alice:geheim@example.org/x/': no",
        "https://geheim@example.org/x",
        "https://:geheim@example.org/x",
        "HTTPS://alice:geheim@example.org",
        "ssh://alice:geheim@example.org/x and http://bob:geheim@example.org/y",
        "https://alice:ge@heim@example.org/x geheim".removesuffix(" geheim"),
        "https://alice:gehe@im@example.org/x",
        'url="ftp+x://alice:geheim@example.org"',
        "https://alice:ge'hei\"m@example.org/x".replace("hei", "heim"),
        "unable to access 'https://example.org/x.git?private_token=geheim/': no",
        "https://example.org/x#geheim",
        "unable to look up alice:geheim@example.org (port 9418)",
        "fatal: (alice:geheim@example.org)",
    ],
)
def test_no_part_of_a_password_is_shown(text: str) -> None:
    shown = without_secrets(text)
    assert "example.org" in shown
    for part in ("geheim", "heim", "im@", "alice"):
        assert part not in shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "git@example.org:x",
        "mail bob@example.org",
        "mailto:bob@example.org",
        "https://example.org/a@b",
        "a://b c@d",
        "error: RPC failed; HTTP 403 curl 22 The requested URL returned error: 403",
        "Permission denied (publickey): a@b",
        "12:30:01@x"[:8],
    ],
)
def test_text_without_a_secret_stays(text: str) -> None:
    assert without_secrets(text) == text
