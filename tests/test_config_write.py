import os
import stat

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autosyncd.config import write
from autosyncd.config.load import load
from autosyncd.config.parse import parse
from autosyncd.config.places import expand
from autosyncd.config.write import HEADER, drop_in_path, entry_yaml, remove_drop_in, write_drop_in
from autosyncd.errors import ConfigError


def test_what_is_written_is_read(tmp_path):
    folder = tmp_path / ".config/autosync/autosync.d"
    entry = {"path": "/srv/$a b", "name": "my notes", "exclude": ["*.iso"], "push": False}
    entry |= {"safety": {"max_deleted": "10%"}}
    path = write_drop_in(str(folder), "my notes", entry)
    assert path == str(folder / "my notes.yaml")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert os.listdir(folder) == ["my notes.yaml"]
    environment = {"HOME": str(tmp_path)}
    found = load(None, environment=environment, etc=str(tmp_path / "etc"))
    (config,) = found.repositories
    assert (config.path, config.name, config.push) == ("/srv/$a b", "my notes", False)
    assert (config.exclude, config.safety.max_deleted) == (("*.iso",), 0.1)


@example("\x85")
@example("\u2028x")
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_path_comes_back(part):
    path = "/" + part
    (entry,) = parse(entry_yaml({"path": path}).encode(), "f").repositories
    assert expand(entry.values["path"], {}) == path


def test_an_entry_that_would_not_be_read_is_not_written(tmp_path):
    with pytest.raises(ConfigError, match="did you mean push"):
        write_drop_in(str(tmp_path), "a", {"path": "/a", "psh": True})
    with pytest.raises(ConfigError, match="not UTF-8"):
        write_drop_in(str(tmp_path), "a", {"path": "/a\udcff"})
    with pytest.raises(ConfigError, match="path"):
        write_drop_in(str(tmp_path), "a", {"name": "a"})
    assert os.listdir(tmp_path) == []


def test_the_own_file_is_replaced_and_removed(tmp_path):
    write_drop_in(str(tmp_path), "a", {"path": "/a"})
    path = write_drop_in(str(tmp_path), "a", {"path": "/b"})
    with open(path) as file:
        assert file.read() == HEADER + "repositories:\n- path: /b\n"
    assert remove_drop_in(str(tmp_path), "a") == path
    assert os.listdir(tmp_path) == []
    with pytest.raises(ConfigError, match="no such file"):
        remove_drop_in(str(tmp_path), "a")


def test_what_a_person_wrote_is_never_touched(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("repositories: []\n")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    (tmp_path / "c.yaml").symlink_to("nowhere")
    (tmp_path / "d.yaml").mkdir()
    for name in "abcd":
        with pytest.raises(ConfigError, match="by hand"):
            write_drop_in(str(tmp_path), name, {"path": "/a"})
        with pytest.raises(ConfigError, match="by hand"):
            remove_drop_in(str(tmp_path), name)
    assert file.read_text() == "repositories: []\n"
    assert sorted(os.listdir(tmp_path)) == ["a.yaml", "b.yaml", "c.yaml", "d.yaml"]


def test_a_reservation_that_a_power_cut_left_is_taken_over(tmp_path):
    (tmp_path / "a.yaml").touch()
    write_drop_in(str(tmp_path), "a", {"path": "/a"})
    assert (tmp_path / "a.yaml").read_text().startswith(HEADER)


def test_a_failed_write_leaves_nothing_half(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        write_drop_in(str(tmp_path), "a", {"path": "/a"})
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    monkeypatch.undo()
    write_drop_in(str(tmp_path), "a", {"path": "/a"})


@given(st.text(min_size=1), st.text(min_size=1))
def test_each_name_has_a_file_of_its_own_that_is_not_hidden(one, other):
    path = drop_in_path("/d", one)
    assert os.path.dirname(path) == "/d"
    assert not os.path.basename(path).startswith(".")
    assert (path == drop_in_path("/d", other)) == (one == other)
