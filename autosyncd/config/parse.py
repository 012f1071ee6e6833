"""Pure: the bytes of one configuration file become what it says, and all its problems at once."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from autosyncd.config import schema
from autosyncd.config.document import Refused, compose
from autosyncd.config.given import ConfigProblem, Given, ParsedFile, unreadable
from autosyncd.config.meant import suggestion
from autosyncd.config.schema import Entries, Key, Many, One, Section
from autosyncd.config.values import Mistake, shown

PROBLEMS_LIMIT = 100
"""Problems of one file that are told; nobody reads more at once, and each costs time."""


def parse(content: bytes, file: str, table: Section = schema.MAIN) -> ParsedFile:
    """Read one file; `table` is schema.MAIN or schema.DROP_IN. Never raises on any content."""
    root = compose(content)
    if isinstance(root, Refused):
        return unreadable(file, root.line, root.text)
    reading = _Reading(file)
    if root is None or _is_null(root):
        return ParsedFile(file)
    if not isinstance(root, yaml.MappingNode):
        text = f"holds {_kind(root)}, not keys; write repositories: and what belongs below it"
        return unreadable(file, _line(root), text)
    top = reading.section(root, table, "")
    return ParsedFile(file, top, tuple(reading.problems), reading.defaults_known)


class _Reading:
    """The walk over one file's nodes, which goes on after a problem."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[ConfigProblem] = []
        self.defaults_known = True

    @property
    def full(self) -> bool:
        """Enough was found; what follows is not looked at."""
        return len(self.problems) >= PROBLEMS_LIMIT

    def problem(self, line: int, where: str, text: str) -> None:
        if self.full:
            return
        if where == "defaults" or where.startswith("defaults."):
            self.defaults_known = False
        self.problems.append(ConfigProblem(self.file, line, f"{where}: {text}" if where else text))
        if self.full:
            self.defaults_known = False
            text = "there may be more; correct those first that were found"
            self.problems.append(ConfigProblem(self.file, line, text))

    def section(self, node: yaml.MappingNode, table: Section, where: str) -> Given:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if self.full:
                break
            name = self._name(key_node, table, where, lines)
            if name is None:
                continue
            lines[name] = _line(key_node)
            without = "" if name in table.required else f"; leave {name} out for its default"
            value = self._value(
                value_node, table.keys[name], f"{where}.{name}".lstrip("."), without
            )
            if isinstance(value, Mistake):
                self._mistake(value, key_node, value_node, f"{where}.{name}".lstrip("."))
            else:
                found[name] = value
        for name in table.required:
            if name not in lines:
                self.problem(_line(node), where, f"has no {name}; write {name}: and its value")
        if contradiction := table.check(found):
            name, mistake = contradiction
            self.problem(lines[name], f"{where}.{name}", mistake.text)
        return Given(where, _line(node), found, lines, self.file)

    def _name(
        self, node: yaml.Node, table: Section, where: str, lines: Mapping[str, int]
    ) -> str | None:
        """The key, or None after its problem was noted."""
        if not isinstance(node, yaml.ScalarNode) or not node.tag.endswith((":str", ":merge")):
            told = isinstance(node, yaml.ScalarNode) and not table.secret
            what = shown(node.value) if told else _kind(node, secret=table.secret)
            self.problem(_line(node), where, f"{what} is no key; write a word such as path")
            return None
        name = str(node.value)
        if name not in table.keys or name in lines:  # at the top it may be defaults: misspelt
            self.defaults_known = self.defaults_known and bool(where)
        label = f"{where}.{name}".lstrip(".") if name.isprintable() else f"{where}.{name!r}"
        if name in table.keys and name in lines:
            first = lines[name]
            self.problem(_line(node), label, f"is given already in line {first}; keep one of them")
        elif name in table.keys:
            return name
        elif table.secret and not suggestion(name, table.keys):
            known = ", ".join(table.keys)
            self.problem(_line(node), where, f"has an unknown key (known here: {known})")
        else:
            self.problem(_line(node), label[:120], f"unknown key{schema.hint(name, table)}")
        return None

    def _value(self, node: yaml.Node, key: Key, where: str, without: str) -> Any:
        shape = key.shape
        if isinstance(shape, One):
            return self._one(node, shape, without)
        if isinstance(shape, Section):
            if _is_null(node):
                return Given(where, _line(node))
            if not isinstance(node, yaml.MappingNode):
                known = ", ".join(shape.keys)
                return Mistake(f"must hold keys ({known}), not {_kind(node, secret=shape.secret)}")
            return self.section(node, shape, where)
        if _is_null(node):
            return shape.gather(()) if isinstance(shape, Many) else ()
        if isinstance(shape, Many):
            return self._many(node, shape, where)
        return self._entries(node, shape, where)

    def _one(self, node: yaml.Node, shape: One | Many, without: str) -> Any:
        if _is_null(node):
            home = ' (a lone ~ is nothing in YAML: write "~")' if node.value == "~" else ""
            return Mistake(f"has no value{home}{without}")
        if not isinstance(node, yaml.ScalarNode):
            braces = isinstance(node, yaml.CollectionNode) and node.flow_style
            quotes = "; if the brackets belong to it, write quotes around all" if braces else ""
            return Mistake(f"must be one value, not {_kind(node)}{quotes}")
        if any("\ud800" <= character <= "\udfff" for character in node.value):
            return Mistake("holds half a character (a lone surrogate); write it in full")
        return shape.read(node.value)

    def _many(self, node: yaml.Node, shape: Many, where: str) -> Any:
        if isinstance(node, yaml.MappingNode):
            return Mistake("must be a list such as [one, two], not keys")
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found = []
        for number, item in enumerate(items):
            value = self._one(item, shape, "; take this item out")
            if isinstance(value, Mistake):
                self.problem(_line(item), f"{where}[{number}]", value.text)
            else:
                found.append(value)
        return shape.gather(tuple(found))

    def _entries(self, node: yaml.Node, shape: Entries, where: str) -> Any:
        if not isinstance(node, yaml.SequenceNode):
            return Mistake(
                f"must be a list of entries, each begun with `- path:`, not {_kind(node)}"
            )
        found = []
        for number, item in enumerate(node.value):
            label = f"{where}[{number}]"
            if self.full:
                break
            if isinstance(item, yaml.MappingNode):
                found.append(self.section(item, shape.of, label))
            else:
                text = f"must be `- path: …`, not {_kind(item)}"
                if isinstance(item, yaml.ScalarNode) and re.match(r"\w+:\S", item.value):
                    text += "; write a blank after the colon"
                self.problem(_line(item), label, text)
        return tuple(found)

    def _mistake(
        self, mistake: Mistake, key_node: yaml.Node, value_node: yaml.Node, where: str
    ) -> None:
        line = _line(key_node) if _is_null(value_node) else _line(value_node)
        self.problem(line, where, mistake.text)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _kind(node: yaml.Node, *, secret: bool = False) -> str:
    if isinstance(node, yaml.MappingNode):
        return "keys"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if secret:
        return "a text"
    return "nothing" if _is_null(node) else f"the text {shown(node.value)}"
