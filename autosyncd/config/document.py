"""Pure: bytes become one tree of YAML nodes that know their lines, or one problem.

Only the grammar of YAML is used: no tag becomes an object, nothing is constructed. Before the tree
is built its events are counted, so that no file can make it deep or large (alias bombs).
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

BYTES_LIMIT = 1_000_000
_DEPTH_LIMIT = 20
_ALIAS_LIMIT = 50
_EVENTS_LIMIT = 60_000
"""Some 3,000 repositories with all their keys; more would keep everything else waiting."""
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: some ten times faster, the same grammar."""

_TAB_INDENT = re.compile(r"^ *\t[ \t]*[^\s#]", re.MULTILINE)
_HINTS = (
    ("an alias", "write quotes around what begins with *"),
    ("cannot start any token", "write quotes around what begins with %, @ or `, and no tabs"),
    ("a quoted scalar", "close the quotes that were opened"),
    ("did not find expected key", "give keys of one entry the same indent"),
    ("expected <block end>", "give keys of one entry the same indent"),
)
"""What a person most often did, by a part of libyaml's words."""

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the file can't be read as YAML; `line` counts from 1, 0 is the file as a whole."""

    line: int
    text: str


def compose(content: bytes) -> yaml.Node | Refused | None:
    """The root node, None of an empty document, or what is wrong first."""
    if len(content) > BYTES_LIMIT:
        return Refused(0, f"is larger than {BYTES_LIMIT} bytes; no configuration is so large")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Refused(line, "is not UTF-8 text; save the file as UTF-8")
    try:
        return _bad_text(text) or _bad_events(text) or yaml.compose(text, Loader=LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Refused(mark.line + 1 if mark else 0, _grammar(error))
    except (yaml.YAMLError, ValueError, OverflowError):  # the two: PyYAML's scanner on \U00110000
        return Refused(0, "is not YAML: a character or number in it is not allowed")


def _bad_text(text: str) -> Refused | None:
    if found := _TAB_INDENT.search(text):
        return Refused(_line(text, found.start()), "is indented with a tab; use blanks instead")
    if found := _UNPRINTABLE.search(text):
        code = f"U+{ord(found[0]):04X}"
        line = _line(text, found.start())
        return Refused(line, f"holds the control character {code}; take it out, or write an escape")
    return None


def _bad_events(text: str) -> Refused | None:
    depth = aliases = 0
    for number, event in enumerate(yaml.parse(text, Loader=LOADER)):
        line = event.start_mark.line + 1 if event.start_mark else 0
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        if number > _EVENTS_LIMIT:
            return Refused(line, "goes on with more keys and values than any configuration has")
        if depth > _DEPTH_LIMIT:
            return Refused(line, f"nests more than {_DEPTH_LIMIT} levels deep; take some out")
        if aliases > _ALIAS_LIMIT:
            return Refused(line, f"has more than {_ALIAS_LIMIT} aliases; use defaults: instead")
        if getattr(event, "tag", None):  # not shown: it may be the beginning of a password
            return Refused(line, "has a YAML tag (`!`); take it out, or write quotes around it all")
    return None


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _hidden(quoted: re.Match[str]) -> str:
    """What PyYAML repeats of the text may be a password; single characters and its own terms stay."""
    return quoted[0] if len(quoted[0]) < 6 or quoted[0].startswith("'<") else "…"


def _grammar(error: yaml.MarkedYAMLError) -> str:
    said = " ".join(part for part in (error.context, error.problem) if part)
    said = _QUOTED.sub(_hidden, said)
    hint = next((hint for part, hint in _HINTS if part in said), "check blanks, colons and quotes")
    return f"is not YAML: {said or 'it can not be read'}; {hint} near here"
