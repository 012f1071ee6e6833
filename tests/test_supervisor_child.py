"""The life of one child as a conversation: what happens, and what is done about it."""

from dataclasses import dataclass, field
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosyncd.supervisor.child import (
    ALIVE,
    Child,
    Command,
    Event,
    Exited,
    Life,
    Limits,
    Stimulus,
    deadline,
    step,
)

WANTED, UNWANTED, REPORTED = Stimulus.WANTED, Stimulus.UNWANTED, Stimulus.REPORTED
HUNG_UP, OVERSLEPT, TICK = Stimulus.HUNG_UP, Stimulus.OVERSLEPT, Stimulus.TICK
LIMITS = Limits()


@dataclass
class Talk:
    """A child, a clock and what was done so far."""

    child: Child = field(default_factory=Child)
    now: float = 1000.0
    done: list[Command] = field(default_factory=list)

    def tell(self, *events: Event) -> "Talk":
        for event in events:
            self.child, commands = step(self.child, event, self.now, LIMITS)
            self.done += commands
        return self

    def wait(self, seconds: float) -> "Talk":
        """Time passes; TICK comes whenever the deadline says so."""
        end = self.now + seconds
        while deadline(self.child, LIMITS) <= end:
            self.now = max(self.now, deadline(self.child, LIMITS))
            self.tell(TICK)
        self.now = end
        return self

    def expect(self, life: Life, *commands: Command) -> "Talk":
        assert (self.child.life, self.done) == (life, list(commands))
        self.done = []
        return self


def running() -> Talk:
    return (
        Talk().tell(WANTED).expect(Life.STARTING, Command.FORK).tell(REPORTED).expect(Life.RUNNING)
    )


def test_an_ordinary_life():
    talk = running().tell(UNWANTED).expect(Life.STOPPING, Command.ASK)
    talk.tell(Exited(0)).expect(Life.STOPPED)
    assert deadline(talk.child, LIMITS) == inf


def test_a_death_is_answered_by_a_new_process_after_a_second():
    talk = running().tell(Exited(-9)).expect(Life.BACKOFF)
    talk.wait(0.9).expect(Life.BACKOFF)
    talk.wait(0.1).expect(Life.STARTING, Command.FORK)


def test_an_unasked_exit_with_status_0_is_a_death():
    running().tell(Exited(0)).expect(Life.BACKOFF)


def test_waits_double_to_a_minute_when_deaths_are_not_close_enough_to_give_up():
    talk, waits = running(), []
    for _ in range(8):
        talk.wait(20).tell(REPORTED, Exited(1))
        waits.append(deadline(talk.child, LIMITS) - talk.now)
        talk.wait(waits[-1]).tell(REPORTED)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_minute_of_health_makes_the_next_wait_short_again():
    talk = running().tell(Exited(1)).wait(1).tell(REPORTED, Exited(1)).wait(2).tell(REPORTED)
    talk.wait(60).tell(Exited(1))
    assert deadline(talk.child, LIMITS) - talk.now == 1


def test_a_process_that_never_answers_is_not_healthy_however_long_it_lives():
    talk = Talk().tell(WANTED, Exited(1)).wait(1).wait(119).tell(Exited(1))
    assert deadline(talk.child, LIMITS) - talk.now == 2


def test_a_hung_process_was_healthy_only_until_it_fell_silent():
    talk = running().tell(Exited(1)).wait(1).tell(REPORTED).wait(121)
    talk.tell(Exited(-9))
    assert deadline(talk.child, LIMITS) - talk.now == 2


def test_five_deaths_in_a_minute_are_fatal_until_it_is_wanted_again():
    talk = running()
    for _ in range(4):
        talk.tell(Exited(1)).wait(16).tell(REPORTED)
        assert talk.child.life is Life.RUNNING
    talk = running()
    for _ in range(4):
        talk.tell(Exited(1)).wait(deadline(talk.child, LIMITS) - talk.now)
    talk.done = []
    talk.tell(Exited(1)).expect(Life.FATAL)
    talk.wait(10_000).expect(Life.FATAL)
    talk.tell(WANTED).expect(Life.STARTING, Command.FORK)
    talk.tell(Exited(1)).expect(Life.BACKOFF)


@pytest.mark.parametrize("first", [[], [REPORTED]])
def test_silence_for_two_minutes_is_ended_by_force_once(first):
    talk = Talk().tell(WANTED, *first)
    talk.done = []
    talk.wait(119).expect(talk.child.life)
    talk.wait(1).expect(Life.KILLING, Command.KILL)
    talk.wait(10_000).expect(Life.KILLING)
    talk.tell(Exited(-9)).expect(Life.BACKOFF)


def test_silences_are_counted_until_there_is_an_answer_or_another_end():
    def silent(talk):
        return talk.wait(120).tell(Exited(-9)).wait(deadline(talk.child, LIMITS) - talk.now)

    talk = silent(silent(running()))
    assert (talk.child.life, talk.child.silences) == (Life.STARTING, 2)
    assert talk.tell(REPORTED).child.silences == 0
    assert silent(talk).tell(Exited(1)).child.silences == 0
    assert silent(running()).tell(UNWANTED).wait(10).tell(Exited(-9), WANTED).child.silences == 0


def test_any_report_is_a_sign_of_life():
    running().wait(100).tell(REPORTED).wait(100).tell(REPORTED).wait(119).expect(Life.RUNNING)


def test_a_process_that_even_sigkill_does_not_end_is_called_stuck_and_never_doubled():
    talk = running().wait(120).expect(Life.KILLING, Command.KILL)
    assert not talk.wait(9).child.stuck
    assert talk.wait(1).child.stuck
    talk.tell(WANTED, UNWANTED, WANTED, REPORTED, HUNG_UP, TICK).expect(Life.KILLING)
    talk.tell(Exited(-9)).expect(Life.STARTING, Command.FORK)
    assert not talk.child.stuck


def test_one_that_does_not_end_when_asked_is_killed():
    talk = running().tell(UNWANTED).expect(Life.STOPPING, Command.ASK)
    talk.wait(9.9).tell(REPORTED).expect(Life.STOPPING)
    talk.wait(0.1).expect(Life.KILLING, Command.KILL)
    talk.tell(Exited(-9)).expect(Life.STOPPED)


def test_a_changed_configuration_is_a_stopped_and_a_new_process():
    talk = running().tell(UNWANTED, WANTED).expect(Life.STOPPING, Command.ASK)
    talk.tell(Exited(0)).expect(Life.STARTING, Command.FORK)
    assert talk.child.deaths == ()


@pytest.mark.parametrize("deaths", [1, 5])
def test_a_changed_configuration_starts_at_once_what_was_waiting_or_given_up(deaths):
    talk = Talk().tell(WANTED)
    for _ in range(deaths):
        talk.tell(Exited(1))
        if talk.child.life is Life.BACKOFF and deaths > 1:
            talk.wait(deadline(talk.child, LIMITS) - talk.now)
    talk.done = []
    talk.tell(UNWANTED, WANTED).expect(Life.STARTING, Command.FORK)


def test_one_that_hung_up_has_the_grace_to_end_and_its_end_is_a_death():
    talk = running().tell(HUNG_UP).expect(Life.STOPPING)
    talk.tell(Exited(1)).expect(Life.BACKOFF)
    talk = running().tell(HUNG_UP).wait(10).expect(Life.KILLING, Command.KILL)


def test_a_night_of_suspend_is_no_silence():
    talk = running()
    talk.now += 8 * 3600
    talk.tell(OVERSLEPT, TICK).expect(Life.RUNNING)
    talk.tell(UNWANTED).expect(Life.STOPPING, Command.ASK)
    talk.now += 8 * 3600
    talk.tell(OVERSLEPT, TICK).expect(Life.STOPPING)


@pytest.mark.parametrize("hours", [1, 12, 24 * 365])
def test_whatever_it_was_about_hours_that_pass_in_a_moment_kill_nobody(hours):
    starting, stopping = Talk().tell(WANTED), running().tell(UNWANTED)
    killing, waiting = running().tell(UNWANTED).wait(10), running().tell(Exited(1))
    for talk in (starting, stopping, killing, waiting):
        talk.done = []
        talk.now += hours * 3600
        talk.tell(OVERSLEPT, TICK)
    assert (starting.child.life, starting.done) == (Life.STARTING, [])
    assert (stopping.child.life, stopping.done) == (Life.STOPPING, [])
    assert (killing.child.life, killing.child.stuck, killing.done) == (Life.KILLING, False, [])
    waiting.expect(Life.STARTING, Command.FORK)  # it has waited long enough
    starting.wait(119).expect(Life.STARTING)
    starting.wait(1).expect(Life.KILLING, Command.KILL)
    stopping.wait(10).expect(Life.KILLING, Command.KILL)


def test_deaths_before_a_suspend_do_not_count_with_those_after_it():
    talk = running()
    for _ in range(4):
        talk.tell(Exited(1)).wait(16).tell(REPORTED)
    talk.now += 8 * 3600
    talk.tell(OVERSLEPT, TICK, Exited(1))
    assert talk.child.life is Life.BACKOFF


def test_an_exit_of_nobody_changes_nothing():
    for talk in (Talk(), running().tell(Exited(1))):
        before = talk.child
        assert talk.tell(Exited(1)).child is before


EVENTS = st.one_of(
    st.sampled_from([*Stimulus]),
    st.just(TICK),
    st.builds(Exited, st.sampled_from([0, 1, -9])),
)
HISTORY = st.lists(st.tuples(EVENTS, st.floats(0, 200)), max_size=60)


@settings(max_examples=300)
@given(HISTORY)
def test_never_two_processes_never_a_busy_deadline_always_on_its_way(history):
    child, now, processes = Child(), 0.0, 0
    for event, seconds in history:
        now += seconds
        if isinstance(event, Exited):
            if not processes:
                continue  # nobody is there to exit
            processes -= 1
        child, commands = step(child, event, now, LIMITS)
        processes += commands.count(Command.FORK)
        assert processes == (1 if child.life in ALIVE else 0)
        if event is TICK:
            # what was due is done: the same tick again finds nothing
            assert deadline(child, LIMITS) > now
            assert step(child, TICK, now, LIMITS) == (child, ())
        if child.life in (Life.STARTING, Life.RUNNING, Life.STOPPING, Life.BACKOFF):
            assert deadline(child, LIMITS) < inf
        if child.life is Life.STOPPED:
            assert not child.wanted
    wanted, was_fatal = child.wanted, child.life is Life.FATAL
    for _ in range(4):  # from anywhere: left alone with a system that works, it comes to rest
        if child.life in (Life.STOPPING, Life.KILLING):
            child, _ = step(child, Exited(-9), now, LIMITS)
        elif child.life is Life.BACKOFF:
            now = deadline(child, LIMITS)
            child, _ = step(child, TICK, now, LIMITS)
    if not wanted:
        assert child.life in (Life.STOPPED, Life.FATAL) or was_fatal
    else:
        assert child.life in (Life.STARTING, Life.RUNNING, Life.FATAL)
