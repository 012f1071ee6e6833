"""A remote command that says nothing: what still works is let work, what is dead is ended."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from autosyncd.vcs.git import command, silence
from autosyncd.vcs.git.lifesigns import Lifesigns
from autosyncd.vcs.git.silence import ANSWER_LIMIT, HOOK_LIMIT, NO_ANSWER, SILENT, Signs, Silence
from autosyncd.vcs.outcomes import Away, Synced
from tests.testbed import GitServers
from tests.trees import Clone, World, ahead

NOTHING = Signs()
LITTLE = Signs(moved=5)
MUCH = Signs(moved=1 << 20)
AT_WORK = Signs(hook="pre-push")
SENT = b"Total 3 (delta 0), reused 0 (delta 0), pack-reused 0\n"


@pytest.fixture
def laptop(world: World) -> Clone:
    return ahead(world)


def lasts(signs: Callable[[float], Signs], *, push: bool = True, said: bytes = b"") -> Silence:
    """A silence to its end, which `why()` explains; `_looked` is how long it was."""
    quiet = 0.0
    one = Silence(90.0, push, lambda _: signs(quiet))
    quiet = more = one.step
    while quiet < 3 * HOOK_LIMIT and (more := one.look(1, quiet, said)):
        quiet += more
    return one


@pytest.mark.parametrize(
    ("sign", "said", "seconds", "words"),
    [
        (NOTHING, b"", 90, f"{SILENT} for 90 s."),
        (LITTLE, b"", ANSWER_LIMIT, NO_ANSWER),
        (NOTHING, SENT, ANSWER_LIMIT, NO_ANSWER),
        (AT_WORK, b"", HOOK_LIMIT, "The hook pre-push took longer than 60 minutes"),
        (Signs(hook="pre-receive"), SENT, HOOK_LIMIT, "its hook pre-receive"),
    ],
)
def test_how_long_a_silence_may_be(sign: Signs, said: bytes, seconds: float, words: str) -> None:
    one = lasts(lambda _: sign, said=said)
    assert one.over
    assert abs(one._looked - seconds) <= 2 * one.step
    assert words in one.why()


def test_what_moves_is_never_too_long() -> None:
    assert not lasts(lambda _: MUCH).over


def test_a_fetch_has_got_nothing_to_wait_for() -> None:
    assert lasts(lambda _: NOTHING, push=False, said=SENT)._looked == 90


def test_what_moved_before_the_silence_is_no_sign_of_life() -> None:
    assert lasts(lambda quiet: MUCH if quiet <= 30 else NOTHING)._looked == 90


def test_a_long_hook_takes_nothing_from_what_comes_after_it() -> None:
    one = lasts(lambda quiet: AT_WORK if quiet < 3000 else LITTLE)
    assert one._looked >= 3000 + ANSWER_LIMIT


def test_a_word_begins_the_silence_anew() -> None:
    one = Silence(90.0, True, lambda _: NOTHING)
    assert one.look(1, 30, b"")
    assert one.look(1, 60, b"")
    assert one.look(1, 30, b"word")
    assert one.look(1, 60, b"word")
    assert not one.look(1, 90, b"word")


# with git


def waits_for(gate: Path) -> str:
    """A hook that says nothing until somebody opens the gate."""
    return f"#!/bin/sh\nread line <{gate}\nexit 0\n"


def install(hook: Path, script: str) -> None:
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(script)
    hook.chmod(0o755)


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Opened when the silence has been looked at three times as often as a dead one would be."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setattr(command, "SILENCE", 0.3)
    looks = 0
    real = Lifesigns.of

    def of(self: Lifesigns, leader: int) -> Signs:
        nonlocal looks
        looks += 1
        if looks == 3 * silence.LOOKS:
            gate.write_text("go\n")
        return real(self, leader)

    monkeypatch.setattr(Lifesigns, "of", of)
    return gate


def pushes(clone: Clone) -> None:
    outcome = clone.sync(fetch=False)
    assert isinstance(outcome, Synced), outcome
    assert (outcome.pushed, outcome.refused) == (True, "")


def test_a_pre_push_hook_may_take_its_time(laptop: Clone, gate: Path) -> None:
    install(laptop.root / ".git/hooks/pre-push", waits_for(gate))
    pushes(laptop)


def test_what_a_hook_has_become_is_still_the_hook(laptop: Clone, gate: Path) -> None:
    """As `exec git-lfs pre-push "$@"` does."""
    script = laptop.root.parent / "git-lfs"
    install(script, f"#!/bin/sh\ncat {gate} >/dev/null\n")
    install(laptop.root / ".git/hooks/pre-push", f'#!/bin/sh\nexec {script} pre-push "$@"\n')
    pushes(laptop)


@pytest.mark.parametrize("hook", ["pre-receive", "update", "post-receive"])
def test_a_hook_of_the_hub_may_take_its_time(
    world: World, laptop: Clone, gate: Path, hook: str
) -> None:
    install(world.hub / "hooks" / hook, waits_for(gate))
    pushes(laptop)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ssh", "http"])
def test_a_hook_of_a_server_may_take_its_time(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Path, kind: str
) -> None:
    """libcurl has a limit of its own for a server that says nothing; it looks at five seconds."""
    shorter = [one for one in command.SETTINGS if "lowSpeedTime" not in one]
    with GitServers(tmp_path / "servers") as servers:
        world.environment |= servers.environment
        laptop = world.clone("laptop")
        laptop.git("remote", "set-url", "origin", servers.url(kind))
        laptop.reopen()
        laptop.edit("a.txt", "one\n")
        laptop.committed()
        install(servers.path() / "hooks/pre-receive", waits_for(gate))
        monkeypatch.setattr(command, "SILENCE", 3.0)
        monkeypatch.setattr(command, "SETTINGS", (*shorter, "http.lowSpeedTime=1"))
        pushes(laptop)


def elsewhere(clone: Clone, hub: Path) -> None:
    """The hub is another machine: nothing of what it runs can be seen from here."""
    stub = clone.root.parent / "elsewhere"
    install(stub, '#!/bin/sh\nshift\nexec setsid --wait sh -c "$*"\n')
    clone.git("config", "core.sshCommand", str(stub))
    clone.git("remote", "set-url", "origin", f"ssh://example.org{hub}")
    clone.reopen()


def test_a_hook_of_a_hub_elsewhere_may_take_its_time(
    world: World, laptop: Clone, gate: Path
) -> None:
    elsewhere(laptop, world.hub)
    install(world.hub / "hooks/pre-receive", waits_for(gate))
    pushes(laptop)


def test_a_hub_that_never_answers_is_left_with_a_sentence(
    world: World, laptop: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(laptop, world.hub)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    install(world.hub / "hooks/pre-receive", waits_for(gate))
    monkeypatch.setattr(command, "SILENCE", 0.3)
    monkeypatch.setattr(silence, "ANSWER_LIMIT", 0.5)
    outcome = laptop.sync(fetch=False)
    gate.write_text("go\n")  # or the hook would stay for ever
    assert isinstance(outcome, Away)
    assert "does not say whether it takes the push" in outcome.text
    assert outcome.text.endswith("; perhaps a hook of it waits for something.)")


def test_a_pre_push_hook_that_hangs_is_ended_and_named(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(laptop.root / ".git/hooks/pre-push", "#!/bin/sh\nsleep 1000\n")
    monkeypatch.setattr(command, "SILENCE", 0.3)
    monkeypatch.setattr(silence, "HOOK_LIMIT", 0.5)
    outcome = laptop.sync(fetch=False)
    assert isinstance(outcome, Synced), outcome
    assert not outcome.pushed
    assert "The hook pre-push took longer" in outcome.refused
