"""The imports keep the layers of docs/architecture.md, "Layers"; each breach names its rule."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autosyncd"
IMPURE = {"os", "time", "socket", "subprocess", "asyncio", "select", "logging", "selectors"}

NEVER = {
    "worker": {"transport", "desktop", "control", "messenger", "supervisor"},
    "supervisor": {"vcs", "watch", "transport", "desktop", "control"},
    "messenger": {"vcs", "watch", "worker", "supervisor"},
    "transport": {
        "vcs",
        "watch",
        "worker",
        "supervisor",
        "messenger",
        "desktop",
        "control",
        "config",
    },
    "desktop": {"vcs", "watch", "worker", "supervisor", "messenger", "transport", "control"},
    "vcs": {
        "worker",
        "watch",
        "supervisor",
        "messenger",
        "transport",
        "desktop",
        "control",
        "config",
    },
    "watch": {
        "worker",
        "vcs",
        "supervisor",
        "messenger",
        "transport",
        "desktop",
        "control",
        "config",
    },
    "link": {"worker", "vcs", "watch", "supervisor", "messenger", "transport", "control", "config"},
    "service": {"worker", "vcs", "watch", "supervisor", "messenger", "transport", "control"},
}
"""Which rooms a room may not import (docs/architecture.md, "Layers")."""
ENGINE = ("", "committing", "merging", "remotes", "updating", "healing", "verbs")
"""The rooms of vcs/git, lowest first ("" are its own files); above them all is the door, driver.py."""
LOOPS = {"messenger", "transport", "desktop", "control"}
"""Rooms in which an asyncio loop may live."""


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> list[tuple[int, str]]:
    """(line, dotted module) of every import, also of those inside functions."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names]
    return found


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_keep_the_layers(path: Path) -> None:
    forbidden = NEVER.get(room(path), set())
    for line, module in imports(path):
        parts = module.split(".")
        if parts[0] != "autosyncd" or len(parts) < 2:
            continue
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        assert parts[1] not in forbidden, f"{where}: {room(path)} may not import {parts[1]}"
        if room(path) == "supervisor" and parts[1] in ("worker", "messenger"):
            assert parts[2] == "main", f"{where}: of {parts[1]} the supervisor knows only main"


def layer(module: str) -> int:
    """How high a module of vcs/git is, by its dotted name below that."""
    if module.split(".")[0] == "driver":
        return len(ENGINE)
    inside = [room for room in ENGINE[1:] if f"{module}.".startswith(f"{room}.")]
    return ENGINE.index(inside[0]) if inside else 0


ENGINE_FILES = sorted((PACKAGE / "vcs/git").rglob("*.py"))


@pytest.mark.parametrize("path", ENGINE_FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_rooms_of_the_engine_are_layers(path: Path) -> None:
    inside = "autosyncd.vcs.git."
    mine = layer(".".join(path.relative_to(PACKAGE / "vcs/git").with_suffix("").parts))
    for line, module in imports(path):
        theirs = module.removeprefix(inside)
        if theirs == module or layer(theirs) <= mine:
            continue
        where = f"{path.relative_to(PACKAGE.parent)}:{line}"
        order = " < ".join(["vcs/git", *ENGINE[1:], "driver"])
        pytest.fail(
            f"{where}: imports {theirs} from above it ({order}); what both need goes lower, "
            "what needs both goes higher"
        )


def test_every_room_of_the_engine_has_its_layer() -> None:
    found = {path.parent.name for path in (PACKAGE / "vcs/git").glob("*/__init__.py")}
    assert found == set(ENGINE[1:])


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_asyncio_lives_only_where_the_outside_is(path: Path) -> None:
    for line, module in imports(path):
        if module.split(".")[0] == "asyncio":
            assert room(path) in LOOPS, f"{path}:{line}: asyncio in {room(path) or 'the root'}"


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_calls_itself_pure_is_pure(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if not (ast.get_docstring(tree) or "").startswith("Pure"):
        return
    for line, module in imports(path):
        assert module.split(".")[0] not in IMPURE, f"{path}:{line}: {module} in a pure file"


def written(path: Path) -> list[tuple[int, str]]:
    """(line, text) of every text that the code holds, docstrings left out."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        (node.lineno, node.value if isinstance(node.value, str) else node.value.decode("latin-1"))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
        if id(node) not in told
    ]


def test_only_one_file_spells_the_names_of_our_own_refs() -> None:
    for path in files():
        for line, text in written(path):
            if "refs/autosync" in text:
                where = f"{path.relative_to(PACKAGE.parent)}:{line}"
                assert path.name == "refs.py", f"{where}: a name that vcs/git/refs.py makes"


def test_only_the_clock_reads_a_clock_and_only_process_starts_programs() -> None:
    for path in files():
        for line, module in imports(path):
            top = module.split(".")[0]
            name = str(path.relative_to(PACKAGE))
            assert top not in ("time", "datetime") or name == "clock.py", f"{path}:{line}"
            assert top != "subprocess" or name == "vcs/process.py", f"{path}:{line}"
