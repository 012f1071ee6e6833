import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosyncd.config import values
from autosyncd.config.values import Mistake
from autosyncd.model import AlertKind


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("2s", 2.0), ("5m", 300.0), ("1h", 3600.0), ("1.5h", 5400.0), ("0", 0.0)],
)
def test_a_duration_is_seconds(text, seconds):
    assert values.duration()(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "2 days", "-2s", "1m30s", "2S", "nan", "1e3s", "٣s"])
def test_what_is_no_duration_is_told_the_form(text):
    assert "write 500ms, 2s, 5m or 1h" in values.duration()(text).text


def test_a_duration_without_unit_is_told_the_likely_one():
    assert values.duration()("15") == Mistake("15 has no unit (did you mean 15s?)")


def test_a_duration_below_its_least_or_above_a_year_is_refused():
    assert "at least 5s" in values.duration(5.0)("4s").text
    assert "at most a year" in values.duration()("999999h").text


@given(st.integers(0, 366 * 24 * 3600 * 1000))
def test_a_duration_comes_back_from_its_text(milliseconds):
    seconds = milliseconds / 1000
    assert values.duration()(values.duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("512B", 512), ("10MB", 10**7), ("1GiB", 2**30), ("1.5kB", 1500), ("10 mb", 10**7)],
)
def test_a_size_is_bytes(text, number):
    assert values.size(text) == number


@pytest.mark.parametrize("text", ["", "MB", "10 apples", "-1MB", "inf", "0x10B", "10MBB"])
def test_what_is_no_size_is_told_the_form(text):
    assert "write 10MB, 1GiB or 0" in values.size(text).text


def test_a_size_without_unit_is_told_the_likely_one():
    assert "did you mean 100MB?" in values.size("100").text


@given(st.integers(0, 10**15))
def test_a_size_comes_back_from_its_text(number):
    assert values.size(values.size_text(number)) == number


@given(st.integers(0, 10_000))
def test_a_percentage_comes_back_from_its_text(hundredths):
    share = hundredths / 10_000
    assert values.percentage(values.percentage_text(share)) == pytest.approx(share)


def test_a_percentage_is_a_fraction_of_one_and_wants_its_sign():
    assert values.percentage("50%") == 0.5
    assert "did you mean 50%?" in values.percentage("50").text
    assert "more than all" in values.percentage("101%").text
    assert "write 0% to 100%" in values.percentage("half").text


READERS = {
    values.duration(5.0): float,
    values.size: int,
    values.percentage: float,
    values.count: int,
    values.boolean: bool,
    values.text: str,
    values.line: str,
    values.name: str,
    values.ref: str,
    values.message: str,
    values.server(1986): tuple,
    values.one_of("a", "b"): str,
}


NEARLY = st.from_regex(r"[0-9]{1,4}(s|h|KiB|GB|%)?|[a-z]{1,4}(:[0-9]{1,5})?", fullmatch=True)


@given(st.text() | NEARLY)
def test_every_reader_makes_its_kind_of_value_or_a_mistake_of_any_text(text):
    for read, kind in READERS.items():
        value = read(text)
        assert type(value) is kind or (isinstance(value, Mistake) and value.text), (read, value)


def test_booleans_are_those_of_yaml_and_a_near_word_is_suggested():
    assert [values.boolean(word) for word in ("true", "Yes", "on")] == [True] * 3
    assert [values.boolean(word) for word in ("false", "NO", "off")] == [False] * 3
    assert "did you mean true?" in values.boolean("ture").text


@pytest.mark.parametrize("text", ["notes", "my notes", ".config", "笔记"])
def test_a_name_is_what_people_call_it(text):
    assert values.name(text) == text


@pytest.mark.parametrize("text", ["", "a/b", "-x", "..", "a\nb", "x" * 300])
def test_a_name_must_do_on_a_command_line_and_as_a_file(text):
    assert isinstance(values.name(text), Mistake)


@pytest.mark.parametrize("text", ["main", "feature/x", "user@host", "ünï"])
def test_a_ref_is_what_git_allows(text):
    assert values.ref(text) == text


@pytest.mark.parametrize(
    "text", ["", "-f", "a..b", "a b", "x.lock", "/a", "a/", "@", "a@{1}", "a:b", "--upload-pack=x"]
)
def test_a_ref_that_git_refuses_or_that_is_an_option_is_refused(text):
    assert isinstance(values.ref(text), Mistake)


def test_a_message_knows_its_placeholders():
    for text in ("{repo}: {summary}", "{ {x y} }", "{", "{}"):
        assert values.message(text) == text
    assert "did you mean summary?" in values.message("{sumary}").text
    assert "{who} is no placeholder" in values.message("{who}").text
    assert "is empty" in values.message(" ").text


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("example.org", ("example.org", 1986)),
        ("example.org:99", ("example.org", 99)),
        ("[::1]:99", ("::1", 99)),
        ("[::1]", ("::1", 1986)),
        ("127.0.0.1", ("127.0.0.1", 1986)),
    ],
)
def test_a_server_is_host_and_port(text, where):
    assert values.server(1986)(text) == where


@pytest.mark.parametrize("text", ["", "a:0", "a:65536", "alice:secret@a:1", "tcp://a", "a b"])
def test_what_is_no_server_is_refused_and_never_shown(text):
    mistake = values.server(1986)(text)
    assert "example.org:1986" in mistake.text
    assert "secret" not in mistake.text


def test_alert_kinds_add_up():
    assert values.alert_kinds(("conflict", "pulled")) == {AlertKind.CONFLICT, AlertKind.PULLED}
    assert values.alert_kinds(("everything",)) == frozenset(AlertKind)
    assert values.alert_kinds(("none",)) == frozenset()
    assert "stand alone" in values.alert_kinds(("none", "pulled")).text
