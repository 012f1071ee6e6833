"""Passwords: from a command, a file, systemd or the configuration, and never anywhere else."""

import asyncio
import os
from pathlib import Path

import pytest

from autosyncd.model import Secret
from autosyncd.transport.credentials import NoPassword, Password, read
from tests.waiting import eventually


def ask(secret: Secret, environment: dict[str, str] | None = None, within: float = 10) -> object:
    return asyncio.run(read(secret, {**os.environ, **(environment or {})}, within=within))


def refusal(answer: object) -> str:
    """What a person reads; whole sentences."""
    assert isinstance(answer, NoPassword)
    assert answer.reason[0].isupper()
    assert answer.reason.endswith(".")
    return answer.reason


def command(script: str) -> Secret:
    return Secret(command=("sh", "-c", script))


def file(path: Path, content: bytes = b"hunter2\n", mode: int = 0o600) -> Secret:
    path.write_bytes(content)
    path.chmod(mode)
    return Secret(file=str(path))


def test_the_first_line_that_a_command_prints_is_the_password() -> None:
    assert ask(command("echo ' hunter2 $x'; echo url: example.org; echo no >&2")) == Password(
        " hunter2 $x"
    )


def test_only_a_command_may_have_asked_somebody(tmp_path: Path) -> None:
    locked, lost = ask(command("exit 1")), ask(Secret(file=str(tmp_path / "none")))
    assert isinstance(locked, NoPassword)
    assert isinstance(lost, NoPassword)
    assert (locked.asked, lost.asked) == (True, False)


def test_a_command_gets_no_shell_no_terminal_and_no_input() -> None:
    assert ask(Secret(command=("printf", "%s", "$HOME;`id`"))) == Password("$HOME;`id`")
    assert ask(command("cat; (: </dev/tty) 2>/dev/null || echo none")) == Password("none")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo hunter2; exit 3", "exited with status 3"),
        ("echo hunter2; kill -9 $$", "ended by signal 9"),
        ("true", "is empty"),
        ("echo; echo hunter2", "is empty"),
        (r"printf 'a\0b'", "holds a NUL"),
        (r"printf '\377hunter2'", "no UTF-8"),
        ("while echo hunter2hunter2; do :; done", "prints more than 65536 bytes"),
    ],
)
def test_a_command_that_fails_is_told_without_a_word_of_it(script: str, said: str) -> None:
    reason = refusal(ask(command(script)))
    assert said in reason
    assert "hunter2" not in reason
    assert "sh" not in reason.split()


def test_a_command_that_is_not_there_is_told_without_its_name() -> None:
    reason = refusal(ask(Secret(command=("/nonexistent/hunter2", "--password=hunter2"))))
    assert "can't be started (No such file or directory)" in reason
    assert "hunter2" not in reason
    assert "can't be started" in refusal(ask(Secret(command=("a\0b",))))


def test_a_command_that_waits_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 1000 & echo $! >{pids}; echo $$ >>{pids}; wait"
    assert "did not end within 0 seconds" in refusal(ask(command(script), within=0.4))
    mine = [int(pid) for pid in pids.read_text().split()]

    def ended(pid: int) -> bool:  # a zombie, where nobody reaps, does not count
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        return state == "Z"

    assert len(mine) == 2
    eventually(lambda: all(map(ended, mine)))


def test_what_a_command_leaves_running_keeps_nobody_waiting() -> None:
    """A keyring's daemon, say, that was started on the way and holds our pipe."""
    assert ask(command("echo hunter2; sleep 5 &")) == Password("hunter2")


def test_who_stops_waiting_for_a_command_leaves_none_of_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"

    async def give_up() -> None:
        script = f"echo $$ >{pid_file}; exec sleep 1000"
        asked = asyncio.create_task(read(command(script)))
        await asyncio.to_thread(eventually, lambda: pid_file.exists() and pid_file.read_text())
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(give_up())
    assert not Path(f"/proc/{pid_file.read_text().strip()}/exe").exists()


def test_a_file_holds_the_password_in_its_first_line(tmp_path: Path) -> None:
    assert ask(file(tmp_path / "one")) == Password("hunter2")
    assert ask(file(tmp_path / "bare", b"hunter2", 0o400)) == Password("hunter2")
    assert ask(file(tmp_path / "dos", "schlüssel\r\nx".encode())) == Password("schlüssel")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    reason = refusal(ask(file(tmp_path / "open", mode=mode)))
    assert f"has mode {mode:o}" in reason
    assert "chmod 600" in reason


def test_a_file_that_is_none_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    assert "is not a regular file" in refusal(ask(Secret(file=str(tmp_path / "fifo"))))
    assert "is not a regular file" in refusal(ask(Secret(file=str(tmp_path))))
    assert "(No such file or directory)" in refusal(ask(Secret(file=str(tmp_path / "none"))))
    assert "NUL" in refusal(ask(Secret(file="/a\0b")))
    assert "is empty" in refusal(ask(file(tmp_path / "empty", b"")))


@pytest.mark.root
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    secret = file(tmp_path / "theirs")
    os.chown(tmp_path / "theirs", 12345, -1)
    assert "belongs to another user" in refusal(ask(secret))


def test_systemd_hands_a_credential_over_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "xmpp-password").write_text("hunter2\n")
    (tmp_path / "xmpp-password").chmod(0o440)
    secret = Secret(credential="xmpp-password")
    assert ask(secret, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == Password("hunter2")
    reason = refusal(ask(secret, {"CREDENTIALS_DIRECTORY": ""}))
    assert "no systemd credential xmpp-password" in reason
    assert "password_command" in reason
    gone = refusal(ask(secret, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}))
    assert "The systemd credential xmpp-password can't be read" in gone
    assert "hunter2" not in gone


def test_the_configuration_itself_may_hold_it() -> None:
    assert ask(Secret(literal="hunter2")) == Password("hunter2")
    assert "names no password" in refusal(ask(Secret()))


def test_no_repr_shows_a_password() -> None:
    shown = repr((Password("hunter2"), Secret(literal="hunter2"), command("echo hunter2")))
    assert "hunter2" not in shown
