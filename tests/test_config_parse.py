import os
import re
import shutil
import subprocess
import time
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autosyncd.config import document, schema
from autosyncd.config.describe import describe
from autosyncd.config.given import Given
from autosyncd.config.parse import PROBLEMS_LIMIT, parse
from autosyncd.config.settings import Configuration as Settled
from autosyncd.config.settings import repository
from autosyncd.config.transports import transports
from autosyncd.model import AlertKind, FanoutConfig, OutsideConfig, RepoConfig, Safety, XmppConfig
from autosyncd.vcs.git import excludes

ROOT = Path(__file__).parent.parent
LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(autouse=True, params=LOADERS, ids=lambda loader: loader.__name__)
def loader(request, monkeypatch):
    monkeypatch.setattr(document, "LOADER", request.param)


def problems(text: str, table=schema.MAIN) -> list[str]:
    return [str(one) for one in parse(text.encode(), "notes.yaml", table).problems]


def read(text: str) -> RepoConfig:
    parsed = parse(text.encode(), "notes.yaml")
    assert parsed.problems == ()
    return repository(parsed.repositories[0], (parsed.defaults,), "/notes", "notes")


def test_the_example_of_the_design_reads_as_it_says():
    text = "repositories:\n- path: /a\n- path: /b\n  commit_affter: 5s\n"
    assert problems(text) == [
        "notes.yaml:4: repositories[1].commit_affter: unknown key (did you mean commit_after?)"
    ]


def test_every_problem_is_told_at_once():
    text = "defaults:\n  push: perhaps\nrepositories:\n- name: a\n- path: /b\n  safety: {min: 3}\n"
    found = problems(text)
    assert [re.match(r"notes.yaml:(\d+): ([^:]+)", one).groups() for one in found] == [
        ("2", "defaults.push"),
        ("4", "repositories[0]"),
        ("6", "repositories[1].safety.min"),
    ]


ENTRY = "repositories:\n- path: /a\n  "
BAD = [
    (ENTRY + "commit_after: soon", 3, "write 500ms, 2s, 5m or 1h"),
    (ENTRY + "commit_after: 15", 3, "did you mean 15s?"),
    (ENTRY + "commit_after: [2s]", 3, "must be one value, not a list"),
    (ENTRY + "commit_after: {a: b}", 3, "must be one value, not keys"),
    (ENTRY + "commit_after:", 3, "has no value; leave commit_after out"),
    (ENTRY + "commit_after: 5s\n  commit_within: 2s", 4, "shorter than commit_after (5s)"),
    (ENTRY + "poll_every: hourly", 3, "or one of auto, never"),
    (ENTRY + "poll_every: 1s", 3, "at least 5s"),
    (ENTRY + "large_file: huge", 3, "write 10MB, 1GiB or 0"),
    (ENTRY + "push: perhaps", 3, "neither true nor false"),
    (ENTRY + "vcs: gti", 3, "did you mean git?"),
    (ENTRY + "junk: drop", 3, "none of skip, keep"),
    (ENTRY + "branch: -f", 3, "git allows"),
    (ENTRY + "message: '{who}'", 3, "no placeholder"),
    (ENTRY + "exclude: {a: b}", 3, "must be a list such as"),
    (ENTRY + "exclude: [a, [b]]", 3, "exclude[1]: must be one value, not a list"),
    (ENTRY + "alerts:\n  - conflict\n  - pullled", 5, "did you mean pulled?"),
    (ENTRY + "alerts: [none, pulled]", 3, "stand alone"),
    (ENTRY + "safety: 50%", 3, "must hold keys (max_deleted"),
    (ENTRY + "safety: {max_deleted: 50}", 3, "did you mean 50%?"),
    (ENTRY + "max_deleted: 50%", 3, "belongs under safety:"),
    (ENTRY + "min_files: 5", 3, "belongs under safety:"),
    (ENTRY + "trusted: [bob@example.org]", 3, "unknown key (did you mean trust?)"),
    (ENTRY + "path: /b", 3, "given already in line 2"),
    (ENTRY + "5: x", 3, "'5' is no key"),
    (ENTRY + "[a]: x", 3, "a list is no key"),
    (ENTRY + "yes: x", 3, "'yes' is no key"),
    (ENTRY + "<<: {push: false}", 3, "<<: unknown key"),
    ("repositories:\n- path: ~", 2, 'write "~"'),
    ("repositories:\n- /a", 2, "must be `- path: …`, not the text '/a'"),
    ("repositories: {path: /a}", 1, "each begun with `- path:`"),
    ("repositories: []\nrepositories: []", 2, "given already in line 1"),
    ("repositories:\n- name: a", 2, "has no path"),
    ("defaults: {path: /a}", 1, "it is one repository's own"),
    ("defaults: {commit_after: 2m, commit_within: 1m}", 1, "write 2m"),
    ("commit_after: 2s", 1, "in an entry of repositories: or under defaults:"),
    ("- path: /a", 1, "holds a list, not keys"),
    ("just words", 1, "holds the text 'just words'"),
    ("transports: {irc: {jid: a@b}}", 1, "transports.irc: unknown key (known here: fanout, xmpp)"),
    ("transports: {fanout: {}}", 1, "transports.fanout: has no server"),
    ("transports: {fanout: {server: 'a:b@c'}}", 1, "write HOST or HOST:PORT"),
    ("alerts: {mail: a@b}", 1, "unknown key (known here: desktop, xmpp)"),
    ("a: b\n\tc: d", 2, "indented with a tab"),
    ("a: 'b", 0, "is not YAML"),
    ("a: b: c", 1, "is not YAML"),
    ("a: b\n---\nc: d", 2, "is not YAML"),
    ("repositories: [{path: ~/b}\n", 2, "expected ',' or ']'"),
    ("a: \x01", 1, "control character U+0001"),
    ("\n\na: !!python/object/apply:os.system [id]", 3, "has a YAML tag"),
    ("a: " + "[" * 50 + "]" * 50, 1, "nests more than 20 levels"),
    ("a: &a [x]\nb: [" + "*a, " * 60 + "]", 2, "more than 50 aliases"),
    ("a: *nobody", 1, "undefined alias"),
]


@pytest.mark.parametrize(("text", "line", "said"), BAD, ids=[one[0][-30:] for one in BAD])
def test_a_bad_input_is_told_with_its_line_and_what_would_be_right(text, line, said):
    found = problems(text)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith(f"notes.yaml:{line}: " if line else "notes.yaml:")


def test_what_belongs_to_the_main_file_is_refused_in_a_drop_in():
    found = problems("alerts: {desktop: false}\ntransports: {}", schema.DROP_IN)
    assert found[0].startswith("notes.yaml:1: alerts: unknown key (it belongs")
    assert found[1:] == [
        "notes.yaml:2: transports: unknown key (it belongs at the top of the main file)"
    ]


def test_a_file_that_is_not_utf_8_is_told_the_line():
    parsed = parse("a: b\nc: ä".encode("latin-1"), "notes.yaml")
    assert str(parsed.problems[0]).startswith("notes.yaml:2: is not UTF-8")
    assert not parsed.defaults_known


def test_a_byte_order_mark_is_no_problem():
    assert parse("\ufeffrepositories: [{path: /a}]".encode(), "notes.yaml").problems == ()


def test_a_huge_file_is_refused_without_being_read():
    begin = time.monotonic()
    (problem,) = parse(b"[" * 2_000_000, "notes.yaml").problems
    assert "larger than" in problem.text
    assert time.monotonic() - begin < 0.5


def test_nested_aliases_can_not_blow_up():
    bomb = "a: &a [x, x, x, x]\n" + "".join(
        f"{name}: &{name} [{', '.join(['*' + last] * 4)}]\n"
        for last, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    begin = time.monotonic()
    assert len(problems(bomb)) >= 1
    assert time.monotonic() - begin < 1


def test_an_alias_of_itself_ends():
    assert problems("defaults: &a\n  exclude: *a")[0].endswith("not keys")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(content):
    for problem in parse(content, "notes.yaml").problems:
        assert str(problem).startswith("notes.yaml")


TOKENS = ["repositories", "defaults", "path", "safety", "- ", ":", ": ", "{", "}", "[", "]", ","]
TOKENS += ["&a", "*a", "!", "|", ">", "'", '"', "#", "%", "~", "null", "<<", "? "]
TOKENS += [
    "\n",
    "\n  ",
    "\t",
    "\\ud800",
    "\\U00110000",
    "%YAML " + "9" * 5000,
    "a",
    "safety",
    "---",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=30), st.sampled_from(["", " "]))
def test_no_shuffled_yaml_makes_it_raise(tokens, between):
    for problem in parse(between.join(tokens).encode(), "notes.yaml").problems:
        assert problem.text


def test_no_keys_at_all_is_fine():
    for text in ("", "# nothing yet\n", "repositories:\n", "defaults:\nrepositories:\nalerts:\n"):
        assert problems(text) == []


def test_defaults_are_known_unless_something_near_them_is_wrong():
    assert parse(b"repositories: [{}]", "f").defaults_known
    for text in (
        "defaults: {push: x}",
        "defalts: {push: false}",
        "defaults: {safety: {x: 1}}",
        "x:y",
    ):
        assert not parse(text.encode(), "f").defaults_known


def test_a_quoted_scalar_is_the_same_as_a_plain_one():
    assert read("repositories: [{path: /a, push: 'no', commit_after: '1s', branch: 2024}]") == (
        RepoConfig("/notes", "notes", push=False, commit_after=1.0, branch="2024")
    )


def test_defaults_lie_below_the_entry_and_safety_mixes_key_by_key():
    text = """
defaults: {push: false, exclude: [a], safety: {max_deleted: 10%, min_files: 5}}
repositories: [{path: /a, exclude: [b], safety: {min_files: 7}}]
"""
    config = read(text)
    assert (config.push, config.exclude) == (False, ("b",))
    assert config.safety == Safety(max_deleted=0.1, min_files=7)


def test_a_longer_quiet_time_alone_lifts_the_longest_wait():
    assert read("repositories: [{path: /a, commit_after: 5m}]").commit_within == 300.0


def test_alerts_as_a_word_or_a_list():
    assert read("repositories: [{path: /a, alerts: everything}]").alerts == frozenset(AlertKind)
    assert read("repositories: [{path: /a, alerts: []}]").alerts == frozenset()
    assert read("repositories: [{path: /a, alerts: [pulled]}]").alerts == {AlertKind.PULLED}


def test_outside_is_read():
    text = b"transports: {fanout: {server: h, tls: off, ca_file: /c}}\nalerts: {desktop: no}"
    found = transports(parse(text, "f"), {})
    assert found.outside == OutsideConfig(FanoutConfig("h", 1986, False, "/c"), False)
    assert found.files == {"/c": "the ca_file (/c)"}
    assert transports(parse(b"", "f"), {}).outside == OutsideConfig()


def test_the_table_knows_exactly_the_fields_of_the_model():
    assert set(schema.REPOSITORY.keys) == {one.name for one in fields(RepoConfig)}
    assert set(schema.SAFETY.keys) == {one.name for one in fields(Safety)}
    assert set(schema.FANOUT.keys) == {"server", "tls", "ca_file"}
    sources = {"password_command", "password_file", "password"}
    held = {one.name for one in fields(XmppConfig)} - {"secret"}
    assert set(schema.XMPP.keys) == held | sources


def test_the_defaults_of_the_table_are_those_of_the_model():
    given_defaults = {k: one.default for k, one in schema.REPOSITORY.keys.items() if one.default}
    safety = {k: one.default for k, one in schema.SAFETY.keys.items()}
    lines = [f"  {key}: {value}" for key, value in given_defaults.items()]
    lines += ["  safety:", *(f"    {key}: {value}" for key, value in safety.items())]
    text = "repositories:\n- path: /a\n" + "\n".join(lines)
    assert read(text) == RepoConfig("/notes", "notes")


def test_every_setting_shown_reads_back_as_itself():
    config = read(
        "repositories: [{path: /a, exclude: ['*.iso', \"it's\"], poll_every: 90s, large_file: 1536B,"
        " alerts: none, branch: main, channel: c, safety: {max_deleted: 12.5%}}]"
    )
    lines = describe(Settled((config,), OutsideConfig(), (), (), origins=("f:1",)))
    shown = [line[2:] for line in lines if line.startswith("  ") and "safety." not in line]
    safety = [line.strip().removeprefix("safety.") for line in lines if "safety." in line]
    text = "repositories:\n-\n" + "".join(f"  {line}\n" for line in shown)
    text += "  safety:\n" + "".join(f"    {line}\n" for line in safety)
    assert read(text.replace("message: {summary}", "message: '{summary}'")) == config


def uncommented(text: str) -> str:
    return re.sub(r"^#(?!#)", "", text, flags=re.MULTILINE)


def test_the_sample_configures_nothing_and_shows_every_key_with_its_default():
    sample = (ROOT / "config/autosync.yaml").read_text(encoding="utf-8")
    assert parse(sample.encode(), "autosync.yaml").top.values == {"repositories": ()}
    parsed = parse(uncommented(sample).encode(), "autosync.yaml")
    assert parsed.problems == ()
    assert set(parsed.top.values) == set(schema.MAIN.keys)
    assert set(parsed.top.section("defaults").values) == {
        key for key, one in schema.DEFAULTS.keys.items() if one.default or key == "safety"
    }
    assert repository(Given(), (parsed.defaults,), "/notes", "notes") == RepoConfig(
        "/notes", "notes"
    )
    assert set().union(*(one.values for one in parsed.repositories)) | set(
        parsed.defaults.values
    ) == (set(schema.REPOSITORY.keys))
    assert set(parsed.top.section("transports").section("fanout").values) == set(schema.FANOUT.keys)
    xmpp = parsed.top.section("transports").section("xmpp")
    assert set(xmpp.values) == set(schema.XMPP.keys) - {"password_file", "password"}
    assert "## or password_file:" in sample
    assert "## or password:" in sample
    assert set(parsed.top.section("alerts").values) == set(schema.ALERTS.keys)


def manual() -> str:
    return (ROOT / "docs/man/autosync.yaml.5").read_text(encoding="utf-8")


def displays() -> list[str]:
    form = r"^\.Bd -literal -offset indent\n(.*?)\n\.Ed$"
    return re.findall(form, manual(), re.MULTILINE | re.DOTALL)


def test_the_manual_names_every_key_with_its_default():
    for table in (schema.REPOSITORY, schema.SAFETY, schema.FANOUT, schema.XMPP, schema.MAIN):
        for name, key in table.keys.items():
            default = f" Pq default: Ic {key.default}" if key.default else ""
            assert f"\n.It Ic {name}{default}\n".replace('"', r"\(dq") in manual()


def test_the_manual_lists_what_is_left_out():
    escapes = {r"\&": "", r"\-": "-", r"\(ti": "~", r"\e": "\\"}
    plain = [re.sub(r"\\(&|-|\(ti|e)", lambda found: escapes[found[0]], one) for one in displays()]
    assert "\n".join(excludes.JUNK) in plain
    assert "\n".join(excludes.SECRETS) in plain


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_the_manual_renders_without_a_warning():
    done = subprocess.run(
        ["man", "--warnings", "-l", str(ROOT / "docs/man/autosync.yaml.5")],
        capture_output=True, text=True, env=os.environ | {"MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "~/notes" in done.stdout


def test_the_examples_of_the_manual_are_read():
    texts = [
        one.replace(r"\-", "-").replace(r"\(ti", "~")
        for one in displays()
        if "repositories:" in one
    ]
    assert len(texts) == 2
    assert [problems(text) for text in texts] == [[], []]


def test_problems_without_end_are_cut_off_and_cost_little():
    content = b"defaults:\n" + b"".join(b"  commit_aftr%d: 1\n" % n for n in range(20_000))
    found = parse(content, "a.yaml")
    assert len(found.problems) == PROBLEMS_LIMIT + 1
    assert "there may be more" in found.problems[-1].text
    assert not found.defaults_known


def test_more_values_than_any_configuration_has_are_refused_early():
    (found,) = parse(b"k: 1\n" * 90_000, "a.yaml").problems
    assert "more keys and values" in found.text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("repositories:\n- path:/a", "a blank after the colon"),
        ("repositories:\n-path: /a", "a blank after the -"),
        ("repositories:\n- path: ~", 'a lone ~ is nothing in YAML: write "~")'),
        ("repositories:\n- path: /a\n  exclude: *.iso", "quotes around what begins with *"),
        ("repositories:\n- path: %h/a", "quotes around what begins with %"),
        ("repositories:\n- path: '/a", "close the quotes"),
        ("repositories:\n- path: /a\n remote: x", "the same indent"),
        ("repositories:\n- path: /a\n  message: {summary}", "write quotes around all"),
        ("repos:\n- path: /a", "did you mean repositories?"),
        ("repositories:\n- folder: /a", "did you mean path?"),
        ("repositories:\n- path: /a\n  ignore: x", "did you mean exclude?"),
        ("repositories:\n- path: /a\n  interval: 30", "did you mean poll_every?"),
        ("repositories:\n- path: /a\n  commit_after: 5 seconds", "did you mean 5s?"),
        ("repositories:\n- path: /a\n  commit_after: 5min", "did you mean 5m?"),
        ("repositories:\n- path: /a\n  commit_after: 1m30s", "did you mean 90s?"),
        ("repositories:\n- path: /a\n  safety: {max_deleted: 0.5}", "did you mean 50%?"),
        ("repositories:\n- path: /a\n  alerts: all", "did you mean everything?"),
        ("repositories:\n- path: /a\n  alerts: off", "did you mean none?"),
        ("repositories:\n- path: /a\n  remote: git@h.org:x.git", "is an address; write the name"),
    ],
)
def test_a_newcomers_mistake_is_answered_with_what_to_write(text, said):
    assert said in "\n".join(map(str, parse(text.encode(), "a.yaml").problems))


@pytest.mark.parametrize("url", ["https://me:secret@h.org/x", "me:secret@h.org:x", "ssh://secret"])
def test_an_address_in_the_place_of_a_remotes_name_is_never_shown(url):
    (found,) = parse(f"repositories: [{{path: /a, remote: '{url}'}}]".encode(), "a.yaml").problems
    assert "secret" not in str(found)
    assert "git remote add" in found.text
