import grp
import os
import pwd
import sys
from pathlib import Path

import pytest

from autosyncd.config import choice, files, places
from autosyncd.config.describe import describe
from autosyncd.config.load import Configuration, default_name, load
from autosyncd.config.places import as_written
from autosyncd.errors import ConfigError
from autosyncd.model import FanoutConfig, OutsideConfig


class Machine:
    """A home and an /etc of its own."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.etc = root / "etc"
        self.own = self.home / ".config/autosync"
        for folder in (self.own / "autosync.d", self.etc / "autosync.d", self.etc / "autosync"):
            folder.mkdir(parents=True)
        self.environment = {"HOME": str(self.home)}
        self.configuration: Configuration | None = None

    def write(self, file: str, text: str) -> Path:
        path = (self.etc if file.startswith("autosync.d/0") else self.own) / file
        path.write_text(text)
        path.chmod(0o644)
        return path

    def load(self, main: object = None, real=os.path.realpath) -> Configuration:
        named = None if main is None else str(main)
        self.configuration = load(
            named,
            previous=self.configuration,
            environment=self.environment,
            etc=str(self.etc),
            real=real,
        )
        return self.configuration


@pytest.fixture
def machine(tmp_path):
    return Machine(Path(os.path.realpath(tmp_path)))


def names(configuration: Configuration) -> list[str]:
    return [one.name for one in configuration.repositories]


def texts(configuration: Configuration) -> str:
    return "\n".join(str(one) for one in configuration.problems)


def entry(*paths: str) -> str:
    return "repositories:\n" + "".join(f"- path: {path}\n" for path in paths)


def test_nothing_configured_is_no_problem(machine):
    found = machine.load()
    assert (found.repositories, found.problems, found.kept) == ((), (), ())
    assert found.outside == OutsideConfig()


def test_files_are_read_in_order(machine):
    main = machine.write("autosync.yaml", entry("~/m"))
    machine.write("autosync.d/z.yaml", entry("~/z"))
    machine.write("autosync.d/a.yaml", entry("~/a"))
    machine.write("autosync.d/0.yaml", entry("~/system"))
    for ignored in ("a.yml", ".hidden.yaml", "a.yaml~", "README"):
        machine.write(f"autosync.d/{ignored}", entry("~/ignored"))
    found = machine.load()
    assert names(found) == ["m", "system", "a", "z"]
    assert [os.path.basename(one.file) for one in found.kept] == [
        "autosync.yaml", "0.yaml", "a.yaml", "z.yaml"
    ]  # fmt: skip
    assert found.origins[0] == f"{main}:2"
    assert found.repositories[0].path == str(machine.home / "m")


def test_the_main_file_is_the_named_one_else_the_own_else_the_machines(machine, tmp_path):
    (machine.etc / "autosync/autosync.yaml").write_text(entry("~/machine"))
    assert names(machine.load()) == ["machine"]
    machine.write("autosync.yaml", entry("~/own"))
    assert names(machine.load()) == ["own"]
    named = tmp_path / "other.yaml"
    named.write_text(entry("~/named"))
    assert names(machine.load(named)) == ["named"]


def test_xdg_config_home_counts_if_it_is_absolute(machine):
    machine.write("autosync.yaml", entry("~/own"))
    machine.environment["XDG_CONFIG_HOME"] = "relative"
    assert names(machine.load()) == ["own"]
    machine.environment["XDG_CONFIG_HOME"] = str(machine.home / "elsewhere")
    assert names(machine.load()) == []


def test_home_and_variables_are_those_of_the_user(machine):
    machine.environment["WORK"] = "/srv/work"
    machine.write("autosync.yaml", entry("~/a", "$WORK/b", "${WORK}/c", "~/$$d", '"~"/e'))
    assert "not YAML" in texts(machine.load())
    machine.write("autosync.yaml", entry("~/a", "$WORK/b", "${WORK}/c", "~/$$d"))
    home = str(machine.home)
    assert [one.path for one in machine.load().repositories] == [
        f"{home}/a", "/srv/work/b", "/srv/work/c", f"{home}/$d"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("notes", "is relative; begin with / or ~/"),
        ("$NOWHERE/a", "$NOWHERE is not set"),
        ("~no-such-user-here/a", "nobody's home"),
    ],
)
def test_a_path_that_means_nothing_is_told_with_its_line(machine, path, said):
    file = machine.write("autosync.yaml", entry("~/ok", path))
    found = machine.load()
    assert texts(found).startswith(f"{file}:3: repositories[1].path: ")
    assert said in texts(found)
    assert names(found) == []


def test_a_repository_is_its_real_path_but_named_as_written(machine):
    (machine.home / "data").mkdir()
    (machine.home / "notes").symlink_to("data")
    machine.write("autosync.yaml", entry("~/notes/"))
    (one,) = machine.load().repositories
    assert (one.path, one.name) == (str(machine.home / "data"), "notes")


def test_a_default_name_is_fit_for_messages():
    assert default_name("/a/b\udcff") == "b\ufffd"
    assert default_name("/a/b\nc") == "b_c"
    assert default_name("/a/-b") == "_b"
    assert default_name("/") == "root"


def test_a_path_given_twice_names_both_places_and_leaves_the_later_file_out(machine):
    (machine.home / "link").symlink_to("notes")
    first = machine.write("autosync.yaml", entry("~/notes"))
    second = machine.write("autosync.d/b.yaml", entry("~/other", "~/link"))
    found = machine.load()
    assert names(found) == ["notes"]
    assert f"{second}:3: repositories[1].path: " in texts(found)
    assert f"given already at {first}:2" in texts(found)


def test_a_name_given_twice_names_both_places(machine):
    first = machine.write("autosync.yaml", entry("~/a/notes"))
    second = machine.write("autosync.d/b.yaml", "repositories: [{path: ~/x,\n name: notes}]")
    found = machine.load()
    assert texts(found).startswith(f"{second}:2: repositories[0].name: notes is the name of")
    assert f"at {first}:2" in texts(found)


def test_a_path_inside_another_is_a_problem_whichever_comes_first(machine):
    machine.write("autosync.yaml", entry("~/a", "~/a/b"))
    assert "lies inside" in texts(machine.load())
    machine.write("autosync.yaml", entry("~/a/b", "~/a"))
    assert "contains" in texts(machine.load())
    machine.write("autosync.yaml", entry("~/a", "~/ab"))
    assert texts(machine.load()) == ""


def test_defaults_of_the_main_file_hold_for_all_and_those_of_a_drop_in_for_its_own(machine):
    machine.write("autosync.yaml", "defaults: {push: false, junk: keep}\n" + entry("~/m"))
    machine.write("autosync.d/a.yaml", "defaults: {junk: skip}\n" + entry("~/a"))
    machine.write("autosync.d/b.yaml", entry("~/b"))
    found = {one.name: (one.push, one.junk) for one in machine.load().repositories}
    assert found == {"m": (False, "keep"), "a": (False, "skip"), "b": (False, "keep")}


def test_transports_are_the_main_files(machine):
    machine.write("autosync.yaml", "transports: {fanout: {server: 'h:7', ca_file: ~/ca}}")
    machine.write("autosync.d/a.yaml", "transports: {fanout: {server: h}}")
    found = machine.load()
    assert found.outside.fanout == FanoutConfig("h", 7, True, str(machine.home / "ca"))
    assert "at the top of the main file" in texts(found)


def test_a_file_with_an_error_is_left_out_as_a_whole_and_the_others_run(machine):
    machine.write("autosync.yaml", entry("~/m"))
    machine.write("autosync.d/bad.yaml", entry("~/x") + "- pth: ~/y\n")
    machine.write("autosync.d/good.yaml", entry("~/g"))
    found = machine.load()
    assert names(found) == ["m", "g"]
    assert len(found.problems) == 2


def test_what_a_file_had_before_keeps_running_while_it_has_an_error(machine):
    machine.write("autosync.yaml", "alerts: {desktop: false}\n" + entry("~/m"))
    machine.write("autosync.d/a.yaml", "defaults: {push: false}\n" + entry("~/a"))
    before = machine.load()
    machine.write("autosync.d/a.yaml", entry("~/a", "~/b") + "push: x")
    machine.write("autosync.yaml", "alerts: {desktop: true}\n  bad")
    for _ in range(3):
        after = machine.load()
        assert (after.repositories, after.outside) == (before.repositories, before.outside)
        assert len(after.problems) == 2
        assert len(after.notes) == 2
    machine.write("autosync.d/a.yaml", entry("~/b"))
    assert names(machine.load()) == ["m", "b"]


def test_a_vanished_file_takes_its_repositories_away(machine):
    machine.write("autosync.yaml", entry("~/m"))
    file = machine.write("autosync.d/a.yaml", entry("~/a"))
    assert names(machine.load()) == ["m", "a"]
    file.unlink()
    assert names(machine.load()) == ["m"]
    (machine.own / "autosync.yaml").unlink()
    assert names(machine.load()) == []


def test_an_edit_never_stops_a_repository_of_another_file(machine):
    machine.write("autosync.yaml", entry("~/m"))
    machine.write("autosync.d/b.yaml", entry("~/b", "~/c"))
    machine.load()
    main = machine.write("autosync.yaml", entry("~/m", "~/b"))
    found = machine.load()
    assert names(found) == ["m", "b", "c"]
    assert texts(found).startswith(f"{main}:3: ")


def test_a_main_file_with_unknown_defaults_holds_the_others_back_at_start(machine):
    machine.write("autosync.d/a.yaml", entry("~/a"))
    main = machine.write("autosync.yaml", "defaults: {push: flase}\n")
    found = machine.load()
    assert names(found) == []
    assert f"{main}: its defaults are not known" in texts(found)
    machine.write("autosync.yaml", "defaults: {push: false}\n" + entry("relative"))
    found = machine.load()
    assert [(one.name, one.push) for one in found.repositories] == [("a", False)]


def test_a_named_file_that_can_not_be_read_ends_the_start_but_not_a_reload(machine, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: can't be read: No such file"):
        machine.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="not a regular file"):
        machine.load(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ConfigError, match="not a regular file"):
        machine.load(tmp_path / "fifo")
    named = tmp_path / "main.yaml"
    named.write_text(entry("~/m"))
    assert names(machine.load(named)) == ["m"]
    named.unlink()
    found = machine.load(named)
    assert names(found) == ["m"]
    assert "can't be read" in texts(found)


def test_a_drop_in_that_can_not_be_read_is_a_problem_of_its_own(machine):
    (machine.own / "autosync.d/a.yaml").symlink_to("nowhere")
    (machine.own / "autosync.d/b.yaml").mkdir()
    machine.write("autosync.d/c.yaml", entry("~/c"))
    found = machine.load()
    assert names(found) == ["c"]
    assert [os.path.basename(one.file) for one in found.problems] == ["a.yaml", "b.yaml"]


def test_a_folder_that_can_not_be_listed_leaves_its_files_as_they_were(machine, monkeypatch):
    machine.write("autosync.d/a.yaml", entry("~/a"))
    machine.load()
    refuse = str(machine.own / "autosync.d")

    def listdir(folder):
        if folder == refuse:
            raise PermissionError(13, "Permission denied")
        return []

    monkeypatch.setattr(files.os, "listdir", listdir)
    found = machine.load()
    assert names(found) == ["a"]
    assert texts(found).startswith(f"{refuse}: can't be read: Permission denied")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_a_file_that_others_can_write_is_refused(machine, monkeypatch, mode):
    monkeypatch.setattr(files, "_nobody_else_in", lambda _: mode == 0o602)
    file = machine.write("autosync.d/a.yaml", entry("~/a"))
    file.chmod(mode)
    found = machine.load()
    assert names(found) == []
    assert "chmod go-w" in texts(found)
    file.chmod(0o655)
    assert names(machine.load()) == ["a"]


GROUP = 4711


@pytest.mark.parametrize(
    ("own_group", "group_name", "members", "strangers_group", "taken"),
    [
        (GROUP, "ada", [], 9, True),
        (GROUP, "ada", ["ada"], 9, True),
        (GROUP, "ada", ["bob"], 9, False),  # somebody was let in
        (GROUP, "ada", [], GROUP, False),  # it is another's group as well
        (GROUP, "users", [], 9, False),
        (100, "ada", [], 9, False),
        (GROUP, None, [], 9, False),  # nobody knows the group
    ],
)
def test_a_group_of_ones_own_may_write(
    machine, monkeypatch, own_group, group_name, members, strangers_group, taken
):
    """With a group for each user the umask is 002 on Debian 13 and many others."""
    uid = os.geteuid()
    own = pwd.struct_passwd(("ada", "x", uid, own_group, "", str(machine.home), "/bin/sh"))
    bob = pwd.struct_passwd(("bob", "x", uid + 1, strangers_group, "", "/nowhere", "/bin/sh"))

    def group(number):
        if group_name is None:
            raise KeyError(number)
        return grp.struct_group((group_name, "x", number, members))

    file = machine.write("autosync.d/a.yaml", entry("~/a"))
    file.chmod(0o664)
    monkeypatch.setattr(files.pwd, "getpwuid", lambda _: own)
    monkeypatch.setattr(files.pwd, "getpwall", lambda: [own, bob])
    monkeypatch.setattr(files.grp, "getgrgid", lambda _: group(GROUP))
    real = os.fstat
    shown = lambda fd: _with_group(real(fd), GROUP)  # noqa: E731 - patched in one place
    monkeypatch.setattr(files.os, "fstat", shown)
    found = machine.load()
    assert names(found) == (["a"] if taken else [])
    assert ("by its group; chmod go-w" in texts(found)) is not taken


def _with_group(found: os.stat_result, group: int) -> os.stat_result:
    return os.stat_result((*found[:5], group, *found[6:]))


def test_a_file_of_somebody_else_is_refused(machine, monkeypatch):
    file = machine.write("autosync.d/a.yaml", entry("~/a"))
    if os.geteuid() == 0:
        os.chown(file, 23456, -1)
    else:
        monkeypatch.setattr(files.os, "geteuid", lambda: 23456)
    assert "make it root's or your own" in texts(machine.load())


def test_root_is_believed_under_etc_where_a_namespace_hides_him(machine, monkeypatch):
    own = machine.write("autosync.d/a.yaml", entry("~/a"))
    system = machine.write("autosync.d/0.yaml", entry("~/s"))
    if os.geteuid() == 0:
        for file in (own, system):
            os.chown(file, 54321, -1)
    monkeypatch.setattr(files, "_OVERFLOW_UID", own.stat().st_uid)
    monkeypatch.setattr(files, "_root_is_mapped", lambda: False)
    monkeypatch.setattr(files.os, "geteuid", lambda: 4711)
    found = machine.load()
    assert names(found) == ["s"]
    assert [one.file for one in found.problems] == [str(own)]
    monkeypatch.setattr(files, "_root_is_mapped", lambda: True)
    assert len(machine.load().problems) == 2


def person(name: str, uid: int, folder: Path) -> pwd.struct_passwd:
    return pwd.struct_passwd((name, "x", uid, uid, "", str(folder), "/bin/sh"))


def test_an_entry_for_all_inside_another_persons_home_is_skipped(machine, monkeypatch, tmp_path):
    uid = os.geteuid()
    bob, own = tmp_path / "bob", person("own", uid, machine.home)
    hidden = person("carol", 4243, tmp_path / "carol")
    everybody = [own, person("bob", 4242, bob), person("daemon", 2, tmp_path / "srv")]
    monkeypatch.setattr(places.pwd, "getpwall", lambda: everybody)
    monkeypatch.setattr(places.pwd, "getpwnam", lambda name: {"carol": hidden}[name])
    paths = [bob / "notes", tmp_path / "carol/x", tmp_path / "srv/x", machine.home / "mine"]
    file = machine.write("autosync.d/0.yaml", entry(*map(str, paths)))
    found = machine.load()
    assert names(found) == ["x", "mine"]
    assert found.problems == ()
    assert found.notes[0] == f"{file}:2: {bob}/notes lies in bob's home: skipped here"
    assert "carol's home" in found.notes[1]
    file.unlink()
    machine.write("autosync.yaml", entry(str(bob / "notes")))
    assert names(machine.load()) == ["notes"]


@pytest.mark.parametrize("path", ["~/.config", "~", "/", "~/.config/autosync/autosync.d"])
def test_a_repository_that_contains_the_configuration_is_refused(machine, path):
    machine.write("autosync.d/a.yaml", entry(f'"{path}"'))
    found = machine.load()
    assert names(found) == []
    assert "so a pull could change it" in texts(found)


def test_a_repository_that_contains_a_linked_configuration_is_refused(machine):
    dotfiles = machine.home / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "sync.yaml").write_text(entry("~/dotfiles"))
    (machine.own / "autosync.d/a.yaml").symlink_to(dotfiles / "sync.yaml")
    assert "so a pull could change it" in texts(machine.load())
    (dotfiles / "sync.yaml").write_text(entry("~/other"))
    assert names(machine.load()) == ["other"]


def test_a_repository_that_contains_the_ca_file_is_refused(machine):
    text = "transports: {fanout: {server: h, ca_file: ~/notes/ca.pem}}\n"
    machine.write("autosync.yaml", text + entry("~/notes"))
    assert "ca_file" in texts(machine.load())


def forbid(monkeypatch, folder: str) -> list[str]:
    """Who looks at or below the folder from now on is caught; what was looked at elsewhere."""
    looked = []

    def catching(real):
        def call(path, *rest, **named):
            if isinstance(path, str | bytes | os.PathLike):
                text = os.fsdecode(path)
                assert not choice.inside(text, folder), f"{real.__name__} of {text}"
                looked.append(text)
            return real(path, *rest, **named)

        return call

    for name in ("stat", "lstat", "readlink", "open", "listdir", "scandir", "access"):
        monkeypatch.setattr(os, name, catching(getattr(os, name)))
    return looked


def test_no_repository_is_looked_at_while_paths_are_compared_as_written(machine, monkeypatch):
    dead = machine.home / "dead"
    dead.mkdir()
    (dead / "ca.pem").write_text("")
    (machine.home / "link").symlink_to("dead/notes")
    fanout = f"transports: {{fanout: {{server: h, ca_file: {dead}/notes/../ca.pem}}}}\n"
    machine.write("autosync.yaml", entry("~/dead/notes", "~/dead//photos/./", "~/link"))
    machine.write("autosync.d/0.yaml", entry("/home/nobody-here/x", "~/dead/all"))
    machine.write("autosync.d/a.yaml", fanout + entry("~/dead/notes/inner"))
    looked = forbid(monkeypatch, str(dead))
    for _ in range(2):
        found = machine.load(real=as_written)
        assert [one.path for one in found.repositories][:3] == [
            f"{dead}/notes", f"{dead}/photos", f"{machine.home}/link"
        ]  # fmt: skip
        assert "lies inside" in texts(found)
        machine.write("autosync.d/b.yaml", "broken")
    assert not [path for path in looked if choice.inside(path, f"{machine.home}/link")]
    machine.write("autosync.yaml", fanout.replace("..", "deeper") + entry("~/dead/notes"))
    assert "so a pull could change it" in texts(machine.load(real=as_written))
    with pytest.raises(AssertionError, match="lstat of"):
        machine.load()


def test_a_configuration_that_leads_into_a_repository_is_guarded_without_a_look_at_that(
    machine, monkeypatch
):
    tree = machine.home / "tree"
    (machine.home / "ca.pem").symlink_to("tree/ca.pem")
    fanout = "transports: {fanout: {server: h, ca_file: ~/ca.pem}}\n"
    machine.write("autosync.yaml", fanout + entry("~/tree"))
    forbid(monkeypatch, str(tree / "ca.pem"))
    assert "the ca_file" in texts(machine.load(real=as_written))


def test_a_path_that_goes_upwards_is_refused_since_nobody_looks_where_that_leads(machine):
    file = machine.write("autosync.yaml", entry("~/a/../b", "~/..a"))
    assert texts(machine.load()).startswith(f"{file}:2: repositories[0].path: ")
    assert "goes up with `..`" in texts(machine.load())


def test_as_written_takes_out_what_means_nothing():
    assert as_written("//a//./b/") == "/a/b"
    assert as_written("/") == "/"


def test_a_missing_path_is_fine(machine):
    machine.write("autosync.yaml", entry("/no/such/path"))
    assert names(machine.load()) == ["path"]


def test_describe_shows_problems_and_what_holds(machine):
    machine.write("autosync.yaml", "defaults: {push: false}\n" + entry("~/m"))
    machine.write("autosync.d/a.yaml", "x: y")
    lines = describe(machine.load())
    assert lines[0].endswith("a.yaml:1: x: unknown key (known here: defaults, repositories)")
    assert f"repository m ({machine.own}/autosync.yaml:3)" in lines
    assert "  push: false" in lines
    assert "  safety.max_new_size: 200MB" in lines
    assert "transports: none; each repository is polled" in lines


def test_describe_says_which_of_several_layers_a_setting_is_of(machine):
    text = "defaults: {push: false, push_after: 9s, safety: {min_files: 7}}\n"
    main = machine.write("autosync.yaml", text)
    drop_in = "defaults: {push_after: 8s}\nrepositories:\n- path: ~/m\n  safety: {max_new: 5}\n"
    file = machine.write("autosync.d/a.yaml", drop_in)
    lines = describe(machine.load(), origin=True)
    assert f"  push: false ({main}:1)" in lines
    assert f"  push_after: 8s ({file}:1)" in lines
    assert f"  safety.max_new: 5 ({file}:4)" in lines
    assert f"  safety.min_files: 7 ({main}:1)" in lines
    assert "  safety.max_deleted: 50% (built in)" in lines


def test_a_longest_wait_that_gave_way_names_the_line_that_it_gave_way_to(machine):
    main = machine.write("autosync.yaml", "defaults: {commit_within: 10s}\n" + entry("~/m", "~/n"))
    file = machine.write("autosync.d/a.yaml", entry("~/a") + "  commit_after: 20s\n")
    lines = describe(machine.load(), origin=True)
    assert lines.count(f"  commit_within: 10s ({main}:1)") == 2
    assert f"  commit_within: 20s (as commit_after, {file}:3)" in lines
    main.write_text("")
    file.write_text(entry("~/a") + "  commit_after: 70s\n- path: ~/b\n")
    lines = describe(machine.load(), origin=True)
    assert f"  commit_within: 1m (as commit_after, {file}:3)" not in lines
    assert f"  commit_within: 70s (as commit_after, {file}:3)" in lines
    assert "  commit_within: 1m (built in)" in lines


def loaded(machine, text: str) -> Configuration:
    machine.write("autosync.yaml", text)
    found = machine.load()
    assert found.problems == ()
    return found


def test_the_same_configuration_is_no_change(machine):
    one, two = (loaded(machine, text + entry("~/a")) for text in ("", "# a comment\n"))
    assert (one.repositories, one.outside) == (two.repositories, two.outside)


def test_many_files_and_repositories_are_compared_quickly(machine):
    for number in range(400):
        machine.write(f"autosync.d/{number}.yaml", entry(f"/r/{number}"))
    steps = []

    def trace(frame, event, _):
        steps.append(event)

    sys.setprofile(trace)
    try:
        found = machine.load(real=as_written)
    finally:
        sys.setprofile(None)
    assert len(found.repositories) == 400
    assert len(steps) < 400 * 5000  # each with each would be more than ten times that


def test_a_file_that_vanishes_before_it_is_read_is_no_problem(machine, monkeypatch):
    file = machine.write("autosync.d/a.yaml", entry("~/a"))
    machine.write("autosync.d/b.yaml", entry("~/b"))
    real = os.listdir

    def listdir(folder):
        names = real(folder)
        file.unlink(missing_ok=True)
        return names

    monkeypatch.setattr(files.os, "listdir", listdir)
    found = machine.load()
    assert (names(found), found.problems) == (["b"], ())


def test_a_folder_that_others_can_write_is_read_no_further_than_before(machine, monkeypatch):
    folder = machine.own / "autosync.d"
    machine.write("autosync.d/a.yaml", entry("~/a"))
    machine.load()
    machine.write("autosync.d/b.yaml", entry("~/b"))
    folder.chmod(0o777)
    found = machine.load()
    assert names(found) == ["a"]
    assert "can't be read: it can be written by everybody; chmod go-w it; correct" in texts(found)
    folder.chmod(0o770)
    monkeypatch.setattr(files, "_nobody_else_in", lambda _: False)
    assert "it can be written by its group" in texts(machine.load())
    monkeypatch.setattr(files, "_nobody_else_in", lambda _: True)
    assert names(machine.load()) == ["a", "b"]
    folder.chmod(0o1777)
    assert names(machine.load()) == ["a", "b"]


@pytest.mark.root
def test_a_folder_of_somebody_else_is_read_no_further_than_before(machine):
    folder = machine.own / "autosync.d"
    machine.write("autosync.d/a.yaml", entry("~/a"))
    os.chown(folder, 4242, -1)
    found = machine.load()
    assert names(found) == []
    assert "can't be read: it belongs to user 4242; make it root's or your own" in texts(found)


def test_a_file_in_the_place_of_the_folder_is_told(machine):
    folder = machine.own / "autosync.d"
    folder.rmdir()
    folder.write_text(entry("~/a"))
    assert "can't be read: Not a directory" in texts(machine.load())
