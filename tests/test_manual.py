"""The manual pages say what the programs take, no less and no more, and are well formed."""

import re
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from autosyncd.control.cli import VERBS, parser
from autosyncd.service.event import Event
from tests.testbed import CHECKOUT, execute, require

MANUAL = CHECKOUT / "docs/man"
PAGES = sorted(MANUAL.iterdir())
PROGRAMS = {"autosyncd.8": "autosyncd", "autosync-reflector.8": "autosyncd.transport.reflector"}


def source(page: str) -> str:
    """What the page holds, its hyphens written plainly."""
    return (MANUAL / page).read_text(encoding="utf-8").replace("\\-", "-")


def section(page: str, title: str) -> str:
    return source(page).split(f"\n.SH {title}\n")[1].split("\n.SH ")[0]


def bold_options(text: str) -> set[str]:
    """The options that stand alone in bold; those of other programs stand within their commands."""
    lines = re.findall(r"^\.(?:B|BI|BR|RB) (?:\[ )?((?:-h \", \" )?--[a-z].*)$", text, re.MULTILINE)
    return {option for line in lines for option in re.findall(r"--[a-z-]+", line)}


def below() -> dict[str, ArgumentParser]:
    found: dict[str, ArgumentParser] = {}
    for action in parser()._actions:
        if action.dest == "verb" and isinstance(action.choices, dict):
            found |= action.choices
    return found


def options(one: ArgumentParser) -> set[str]:
    return {word for word in one._option_string_actions if word.startswith("--")}


@pytest.mark.parametrize("page", PROGRAMS)
def test_every_option_is_in_the_page_and_every_option_of_the_page_is_there(page: str) -> None:
    said = execute(
        [sys.executable, "-P", "-m", PROGRAMS[page], "--help"], env={"PYTHONPATH": str(CHECKOUT)}
    ).stdout
    taken = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", said, re.MULTILINE))
    assert "--version" in taken
    assert bold_options(section(page, "OPTIONS")) == taken
    assert bold_options(section(page, "SYNOPSIS")) <= taken
    assert taken - bold_options(section(page, "SYNOPSIS")) <= {"--help", "--version"}


def verbs_described() -> dict[str, str]:
    """What the page says of each verb."""
    text = section("autosyncctl.1", "VERBS THAT ASK THE DAEMON")
    text += "\n" + section("autosyncctl.1", "VERBS THAT NEED NO DAEMON")
    _, *parts = re.split(r"^\.TP\n\.B ([a-z-]+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_verb_is_described_and_no_other() -> None:
    assert set(verbs_described()) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_is_described_with_its_options(verb: str) -> None:
    taken = options(below()[verb])
    general = bold_options(section("autosyncctl.1", "OPTIONS"))
    assert general == options(parser()) | {"--json"}
    # what add says of its options holds for clone, which does what add does
    described = bold_options(verbs_described()[verb])
    if verb == "clone":
        described |= bold_options(verbs_described()["add"]) & taken
    assert described | general == taken | general


@pytest.mark.parametrize("verb", VERBS)
def test_the_synopsis_shows_each_verb_with_its_options(verb: str) -> None:
    lines = section("autosyncctl.1", "SYNOPSIS").split(".br\n")
    shown = [line for line in lines if line.startswith(f".B autosyncctl {verb}\n")]
    assert len(shown) == 1
    assert bold_options(shown[0]) == options(below()[verb]) - {"--json", "--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_man_has_no_warning(page: Path) -> None:
    require(programs={"man": "man-db", "groff": "groff-base"})
    words = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page]
    env = {"MANROFFSEQ": "", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
    assert execute(words, env=env).stderr == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_no_complaint(page: Path) -> None:
    require(programs={"mandoc": "mandoc"})
    done = execute(["mandoc", "-T", "lint", "-W", "warning", page], check=False)
    assert done.stdout == ""


def test_every_event_is_in_the_page_and_no_other() -> None:
    said = section("autosyncd.8", "JOURNAL").partition("The values of AUTOSYNC_EVENT:")[2]
    lines = said.split("\n.TP\n")[1:]
    words = [line.partition("\n")[2] for line in lines]
    listed = re.findall(r"[a-z_]+", re.sub(r"\([^)]*\)", "", " ".join(words)))
    assert sorted(listed) == sorted(event.name.lower() for event in Event)
