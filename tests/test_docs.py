"""What the documents name is there, and what is there is named."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd.config import schema
from autosyncd.vcs.git.repository import OWN_INDEXES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = sorted(
    str(path.relative_to(ROOT / "autosyncd"))
    for path in (ROOT / "autosyncd").rglob("*.py")
    if path.name != "__init__.py"
)
TABLES = (
    *(schema.MAIN, schema.REPOSITORY, schema.SAFETY),
    *(schema.FANOUT, schema.XMPP, schema.ALERTS),
)
KEYS = sorted({name for table in TABLES for name in table.keys})
DEFAULTS = sorted(
    {(name, key.default) for table in TABLES for name, key in table.keys.items() if key.default}
)


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def prose(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def rooms() -> str:
    """The part of the map that lists the files."""
    return prose(ROOT / "docs/architecture.md").split("\n## Rooms\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", CODE)
def test_every_file_has_its_line_on_the_map(name: str) -> None:
    listed = name if "/" in name else f"autosyncd/{name}"
    assert rooms().count(f"| `{listed}` |") == 1


def test_the_map_lists_no_file_that_is_not_there() -> None:
    listed = re.findall(r"^\| `([\w/]+\.py)` \|", rooms(), re.MULTILINE)
    assert {name.removeprefix("autosyncd/") for name in listed} == set(CODE)


def test_the_map_has_the_section_that_the_layers_test_names() -> None:
    assert "\n## Layers\n" in prose(ROOT / "docs/architecture.md")


def manual() -> str:
    return prose(ROOT / "docs/man/autosync.yaml.5").replace("\\(dq", '"')


def sample() -> str:
    return prose(ROOT / "config/autosync.yaml")


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_in_the_manual_and_the_sample(key: str) -> None:
    assert re.search(rf"^\.It Ic {key}\b", manual(), re.MULTILINE)
    assert re.search(rf"^#?[ #-]*(or )?{key}:", sample(), re.MULTILINE)


@pytest.mark.parametrize(("key", "default"), DEFAULTS)
def test_every_default_is_in_the_manual_and_the_sample(key: str, default: str) -> None:
    text = re.escape(default)
    assert re.search(rf"^\.It Ic {key} Pq default: Ic {text}$", manual(), re.MULTILINE)
    assert re.search(rf"^#[ #-]*{key}: {text}( |$)", sample(), re.MULTILINE)


def headings(page: Path) -> set[str]:
    """As the anchors of a link name them."""
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def leads_somewhere(page: Path, link: str) -> bool:
    target, _, anchor = link.partition("#")
    there = page.parent / target if target else page
    return there.exists() and (not anchor or anchor in headings(there))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    assert [link for link in links if "://" not in link and not leads_somewhere(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_test_that_is_named_is_there(page: Path) -> None:
    for file, _, name in re.findall(r"`(tests/[\w/]+\.py)(::(\w+))?`", prose(page)):
        assert (ROOT / file).is_file(), file
        defined = re.search(rf"^(async )?def {name}\(", prose(ROOT / file), re.MULTILINE)
        assert not name or defined, f"{file}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_file_of_the_code_that_is_named_is_there(page: Path) -> None:
    names = re.findall(r"`((?:autosyncd/)?[a-z_]+/[\w/]+\.py)`", prose(page))
    named = {name.removeprefix("autosyncd/") for name in names if not name.startswith("tests/")}
    assert named - set(CODE) == set()


def defined(tree: ast.AST) -> Iterator[str]:
    """What a file or class defines: functions, classes, values; `Class.method` and `method`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for name in defined(node):
                yield from (name, f"{node.name}.{name}")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def names_in(file: str) -> set[str]:
    """What the files of this name define; it may be without its folder."""
    ending = "/" + file.removeprefix("autosyncd/")
    found = [ROOT / "autosyncd" / name for name in CODE if f"/{name}".endswith(ending)]
    return {name for path in found for name in defined(ast.parse(prose(path)))}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_what_is_said_to_be_in_a_file_of_the_code_is_defined_there(page: Path) -> None:
    pairs = re.findall(r"`([\w/]+\.py)`\s+`([A-Za-z_][\w.]*)(?:\(\))?`", prose(page))
    lost = [f"{file} {name}" for file, name in pairs if name not in names_in(file)]
    assert lost == []


def kept() -> set[str]:
    """The names, below the state folder of a tree, of which the page on places tells."""
    table = prose(ROOT / "docs/places.md").split("\n| file | meaning |\n")[1].split("\n\n")[0]
    firsts = "".join(row.split("|")[1] for row in table.splitlines()[1:])
    return {name.partition("/")[0] for name in re.findall(r"`([^`]+)`", firsts)}


def test_the_files_that_are_kept_are_those_of_the_code() -> None:
    code = "".join(prose(ROOT / "autosyncd" / name) for name in CODE)
    assert {name for name in kept() if not re.search(rf"[\"/]{re.escape(name)}\"", code)} <= {
        "*.new"
    }
    assert set(OWN_INDEXES) <= kept()


def commands() -> set[str]:
    """The first word of each line of the front door's shell examples, sudo and $ left out."""
    blocks = re.findall(
        r"^```(?:sh)?\n(.*?)^```", prose(ROOT / "README.md"), re.DOTALL | re.MULTILINE
    )
    shell = [line for block in blocks for line in block.splitlines()]
    typed = [line.removeprefix("$ ").removeprefix("sudo ") for line in shell]
    first = {words[0] for words in map(str.split, typed) if words}
    return {word for word in first if re.fullmatch(r"script/\w+|auto\w[\w-]*", word)}


def test_the_front_doors_commands_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = commands()
    assert {"script/demo", "script/test", "script/install", "autosyncctl"} <= found
    for command in found:
        assert command in project["scripts"] or (ROOT / command).is_file(), command
    unit = "systemctl --user enable --now autosyncd"
    assert unit in prose(ROOT / "README.md")
    assert (ROOT / "systemd/autosyncd.service").is_file()


def test_the_front_door_is_short() -> None:
    assert len(prose(ROOT / "README.md").splitlines()) < 150


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs/decisions").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_changelog_knows_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\n## {project['version']}" in prose(ROOT / "CHANGELOG.md")
