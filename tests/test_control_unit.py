"""autosyncctl install-unit: a unit for an autosyncd that came without one."""

import json
import os
import shlex
from pathlib import Path

import pytest

from autosyncd.control import cli, unit
from tests.testbed import CHECKOUT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with both programs in it, on a machine whose systemctl writes down its words."""
    programs = tmp_path / 'my "100%" bin'
    programs.mkdir()
    for name in ("autosyncctl", "autosyncd"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    (tmp_path / "bin").mkdir()
    systemctl = tmp_path / "bin/systemctl"
    systemctl.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/told\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr("sys.argv", [str(programs / "autosyncctl")])
    monkeypatch.setattr(unit, "EVERYBODYS", (str(tmp_path / "everybodys"),))
    return tmp_path


def written(home: Path) -> Path:
    return home / ".config/systemd/user/autosyncd.service"


def told(home: Path) -> list[str]:
    return (home / "told").read_text().splitlines() if (home / "told").exists() else []


def test_it_is_the_shipped_unit_with_this_program(home: Path, capfd) -> None:
    assert cli.main(["install-unit"]) == 0
    lines = written(home).read_text().splitlines()
    shipped = (CHECKOUT / "systemd/autosyncd.service").read_text().splitlines()
    changed = [line for line in lines if line not in shipped]
    assert [line[:2] for line in changed] == ["# ", "Ex"]
    command = changed[1].partition("=")[2].replace("%%", "%")
    assert shlex.split(command) == [str(home / 'my "100%" bin/autosyncd')]
    assert told(home) == ["--user daemon-reload"]
    assert "systemctl --user enable --now autosyncd" in capfd.readouterr().out


def test_again_it_writes_the_same(home: Path, capfd) -> None:
    assert cli.main(["install-unit"]) == 0
    before = written(home).read_bytes()
    capfd.readouterr()
    assert cli.main(["install-unit", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["written"] == str(written(home))
    assert written(home).read_bytes() == before
    assert [path.name for path in written(home).parent.iterdir()] == ["autosyncd.service"]


def test_where_a_unit_of_every_user_is_there_it_writes_none(home: Path, capfd) -> None:
    (home / "everybodys").mkdir()
    (home / "everybodys/autosyncd.service").symlink_to("/dev/null")
    assert cli.main(["install-unit"]) == 1
    said = capfd.readouterr().err
    assert "everybodys/autosyncd.service is there already" in said
    assert "nothing was written" in said
    assert not written(home).exists()
    assert told(home) == []


@pytest.mark.parametrize("arguments", [[], ["--remove"]])
def test_a_unit_that_the_person_wrote_stays(home: Path, capfd, arguments: list[str]) -> None:
    written(home).parent.mkdir(parents=True)
    written(home).write_text("[Service]\n")
    assert cli.main(["install-unit", *arguments]) == 1
    assert "was not written by this command" in capfd.readouterr().err
    assert written(home).read_text() == "[Service]\n"
    assert told(home) == []


def test_removed_it_is_stopped_and_gone(home: Path) -> None:
    cli.main(["install-unit"])
    wants = written(home).parent / "default.target.wants/autosyncd.service"
    wants.parent.mkdir()
    wants.symlink_to(written(home))
    assert cli.main(["install-unit", "--remove"]) == 0
    assert told(home)[1:] == ["--user disable --now autosyncd.service", "--user daemon-reload"]
    assert not os.path.lexists(written(home))
    assert not os.path.lexists(wants)


def test_nothing_to_remove_is_said(home: Path, capfd) -> None:
    assert cli.main(["install-unit", "--remove"]) == 1
    assert "there is no such file" in capfd.readouterr().err


@pytest.mark.parametrize("failing", ["#!/bin/sh\nexit 1\n", None])
def test_without_a_manager_the_unit_is_written_and_the_rest_is_said(
    home: Path, capfd, failing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if failing is None:
        (home / "bin/systemctl").unlink()
        monkeypatch.setenv("PATH", str(home / "bin"))
    else:
        (home / "bin/systemctl").write_text(failing)
    assert cli.main(["install-unit"]) == 0
    assert "systemctl --user daemon-reload" in capfd.readouterr().out
    assert written(home).exists()


def test_a_folder_that_can_not_be_written_is_a_sentence(home: Path, capfd) -> None:
    (home / ".config").write_text("")
    assert cli.main(["install-unit"]) == 1
    assert "It could not be done" in capfd.readouterr().err
