"""The log of HEAD is heard of beside the tree, whatever becomes of its folder and of the shift."""

import os
from pathlib import Path

from autosyncd.watch.instance import Instance
from autosyncd.worker.handover import pack, unpack
from autosyncd.worker.headlog import Tapped


def test_a_log_whose_folder_comes_later_and_goes_is_heard_of(tmp_path: Path) -> None:
    tapped, log = Tapped(Instance()), tmp_path / "logs/HEAD"
    tree = tapped.add(os.fsencode(tmp_path))
    tapped.listen(os.fsencode(log))
    assert not tapped.written()
    log.parent.mkdir()
    assert {wd for wd, _, _ in tapped.events()} == {tree}, "the tree's own events pass"
    log.write_text("a line\n")
    (tmp_path / "logs/other").touch()
    list(tapped.events())
    assert tapped.written()
    (tmp_path / "logs/other").touch()
    list(tapped.events())
    assert not tapped.written(), "it is another file"
    for file in log.parent.iterdir():
        file.unlink()
    log.parent.rmdir()
    list(tapped.events())
    tapped.written()
    log.parent.mkdir()
    list(tapped.events())
    log.write_text("anew\n")
    list(tapped.events())
    assert tapped.written()
    tapped.close()


def test_the_next_shift_hears_of_it(tmp_path: Path) -> None:
    instance, log = Instance(), tmp_path / "HEAD"
    tapped = Tapped(instance)
    tapped.listen(os.fsencode(log))
    stays: dict[str, object] = {"instance": instance}
    later = unpack(pack(tapped, stays), stays)
    log.write_text("a line\n")
    list(later.events())
    assert later.written()
    instance.close()
