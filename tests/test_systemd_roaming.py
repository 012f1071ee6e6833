"""A laptop goes to sleep, wakes elsewhere, changes its network: it is online again by itself."""

from collections.abc import Iterator

import pytest

from tests.roaming import Roaming, roaming
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]
HEALED = 60.0
TOLD = 25.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roaming]:
    with roaming(tmp_path_factory.mktemp("roaming")) as world:
        yield world


def test_what_came_while_it_slept_is_there_when_it_wakes(world: Roaming) -> None:
    texts: list[str] = []
    world.sleeps(2, lambda: texts.append(world.edit()))
    world.arrives(texts[0], HEALED)
    world.arrives(world.edit(), HEALED)


def test_it_wakes_in_another_network(world: Roaming) -> None:
    before, texts = world.online(), []

    def meanwhile() -> None:
        world.moves()
        texts.append(world.edit())

    world.sleeps(2, meanwhile)
    eventually(lambda: world.online() > before, HEALED, every=0.2)
    world.arrives(texts[0], HEALED)
    world.arrives(world.edit(), HEALED)


def test_the_network_changes_while_it_is_awake(world: Roaming) -> None:
    """The kernel tells of the other address; without that, the next ping would be due after 30 s."""
    before = world.online()
    world.moves()
    eventually(lambda: world.online() > before, TOLD, every=0.2)
    world.arrives(world.edit(), HEALED)
