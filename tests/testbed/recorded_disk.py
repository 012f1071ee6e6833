"""A disk that writes down every write and every flush, so that it can lose power at any of them.

    with RecordedDisk(folder, "ext4") as disk:
        …                                          work below disk.path
    for cut in disk.cuts(instants):                the disk as it may be after a power cut then
        with cut.mounted(): …

The disk is a file of a tiny file system (FUSE) of our own, with a loop device on it. A disk may keep
what it is given in a volatile cache until it is told to flush; so after a power cut it holds all that
was written before the last flush, and of what came later any part, in any order. This is what
device-mapper's log-writes target gives on kernels that have it. Needs root; no kernel module but loop
and fuse, no compiler.

As a program it is the server of that file: recorded_disk MOUNTPOINT LOG IMAGE.
"""

import contextlib
import ctypes
import errno
import os
import random
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NAME = b"disk"
FILE = 2
"""The node of our one file; 1 is the folder."""
MOST = 1 << 20
WRITE, FLUSH = 1, 2
RECORD = struct.Struct("<BqQI")
"""What it is, when (CLOCK_MONOTONIC, ns), offset, length; the bytes follow."""
OPEN_DIRECT = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Server:
    """The file system, in the words of linux/fuse.h."""

    def __init__(self, mountpoint: str, log: str, image: str) -> None:
        self.image = os.open(image, os.O_RDWR)
        self.size = os.fstat(self.image).st_size
        self.log = open(log, "ab", buffering=1 << 22)  # noqa: SIM115 - as long as the process
        self.broken = Path(log + ".broken")
        self.handle = os.open("/dev/fuse", os.O_RDWR)
        options = f"fd={self.handle},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"disk", os.fsencode(mountpoint), b"fuse", 0, options.encode()):
            raise OSError(ctypes.get_errno(), "The recording file system can't be mounted.")

    def serve(self) -> None:
        """Until it is unmounted."""
        while True:
            try:
                asked = os.read(self.handle, MOST + 65536)
            except InterruptedError:
                continue
            except OSError as gone:
                if gone.errno == errno.ENODEV:
                    break
                if gone.errno == errno.ENOENT:
                    continue
                raise
            _, opcode, unique, node = struct.unpack_from("<IIQQ", asked)
            answer = self.answer(opcode, node, memoryview(asked)[40:])
            if answer is not None:
                said, data = (-answer, b"") if isinstance(answer, int) else (0, answer)
                with contextlib.suppress(FileNotFoundError):  # it was interrupted
                    os.writev(
                        self.handle, [struct.pack("<IiQ", 16 + len(data), said, unique), data]
                    )
        self.log.close()

    def answer(self, opcode: int, node: int, asked: memoryview) -> bytes | int | None:
        """The answer's bytes, an error, or None where nobody waits for one."""
        match opcode:
            case 26:  # INIT: version 7.31, large writes, up to 256 pages
                flags = (1 << 5) | (1 << 22)
                return struct.pack(
                    "<IIIIHHIIHH8I", 7, 31, 1 << 20, flags, 16, 12, MOST, 1, 256, 0, *[0] * 8
                )
            case 1:  # LOOKUP
                if bytes(asked).rstrip(b"\0") != NAME:
                    return errno.ENOENT
                return struct.pack("<QQQQII", FILE, 0, 3600, 3600, 0, 0) + self.attributes(FILE)
            case 3 | 4:  # GETATTR, SETATTR
                return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
            case 14 | 27:  # OPEN, OPENDIR
                return struct.pack("<QII", 0, OPEN_DIRECT if opcode == 14 else 0, 0)
            case 15:  # READ
                _, offset, size = struct.unpack_from("<QQI", asked)
                return errno.EIO if self.fails("read") else os.pread(self.image, size, offset)
            case 16:  # WRITE
                _, offset, size = struct.unpack_from("<QQI", asked)
                return self.write(offset, asked[40 : 40 + size])
            case 20:  # FSYNC
                self.note(FLUSH)
                return errno.EIO if self.fails("write") else b""
            case 2 | 42 | 36:  # FORGET, BATCH_FORGET, INTERRUPT
                return None
            case 18 | 25 | 29 | 28 | 38:  # RELEASE, FLUSH, RELEASEDIR, READDIR, DESTROY
                return b""
            case 17:  # STATFS
                return struct.pack("<QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        return errno.ENOSYS

    def write(self, offset: int, data: memoryview) -> bytes | int:
        """To the log first, then to the image, from which is read."""
        if self.fails("write"):
            return errno.EIO
        self.note(WRITE, offset, data)
        os.pwrite(self.image, data, offset)
        return struct.pack("<II", len(data), 0)

    def fails(self, what: str) -> bool:
        """Whether somebody has broken the disk (RecordedDisk.break_down)."""
        return self.broken.exists() and what in self.broken.read_text()

    def note(self, kind: int, offset: int = 0, data: memoryview | bytes = b"") -> None:
        """One record; flushed to the file, which lies in memory."""
        self.log.write(RECORD.pack(kind, time.monotonic_ns(), offset, len(data)))
        self.log.write(data)
        self.log.flush()

    def attributes(self, node: int) -> bytes:
        """struct fuse_attr."""
        mode, size = (
            (stat.S_IFREG | 0o600, self.size) if node == FILE else (stat.S_IFDIR | 0o700, 0)
        )
        return struct.pack(
            "<QQQQQQIIIIIIIIII", node, size, size >> 9, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0
        )


@dataclass(frozen=True)
class Record:
    """One write or flush, and where its bytes lie in the log."""

    kind: int
    when: int
    offset: int
    length: int
    place: int


def records(log: Path) -> Iterator[Record]:
    """What the disk was told, in order."""
    with log.open("rb") as file:
        while head := file.read(RECORD.size):
            kind, when, offset, length = RECORD.unpack(head)
            yield Record(kind, when, offset, length, file.tell())
            file.seek(length, os.SEEK_CUR)


def run(*command: str | Path) -> None:
    """One command, quietly."""
    subprocess.run(command, check=True, capture_output=True)


@dataclass
class Cut:
    """The disk as it may be after a power cut at `instant` (CLOCK_MONOTONIC, ns)."""

    instant: int
    disk: "RecordedDisk"
    after_flush: int
    """Writes since the last flush, and how many of them had reached the disk."""
    kept: int
    image: Path

    @contextlib.contextmanager
    def mounted(self) -> Iterator[None]:
        """At the disk's own path; the file system replays its journal."""
        self.disk.mount(self.image)
        try:
            yield
        finally:
            self.disk.unmount()
            self.image.unlink()


class RecordedDisk:
    """A file system of `kind` below `path`, on a disk that is recorded."""

    def __init__(self, folder: Path, kind: str = "ext4", size: str = "320M") -> None:
        self.folder, self.kind, self.size = folder, kind, size
        self.path, self.log = folder / "mnt", folder / "log"
        self._served = folder / "served"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "RecordedDisk":
        for folder in (self.folder, self.path, self._served):
            folder.mkdir(exist_ok=True)
        image = self.folder / "now.img"
        run("truncate", "-s", self.size, image)
        quiet = {"ext4": ("-q", "-F"), "xfs": ("-q", "-f"), "btrfs": ("-q", "-f")}[self.kind]
        run(f"mkfs.{self.kind}", *quiet, image)
        run("cp", "--sparse=always", image, self.folder / "base.img")
        self.log.touch()
        me = [sys.executable, "-P", __file__]
        self._server = subprocess.Popen([*me, self._served, self.log, image])
        disk = self._served / NAME.decode()
        while self._server.poll() is None and not disk.exists():
            time.sleep(0.01)
        self.mount(disk)
        return self

    def mount(self, image: Path) -> None:
        """The image, at the path."""
        run("mount", "-o", "loop", image, self.path)

    def unmount(self) -> None:
        """Returns when the loop device is free again."""
        done = subprocess.run(["umount", self.path], check=False, capture_output=True)
        if done.returncode:
            run("umount", "-l", self.path)

    def break_down(self, *what: str) -> None:
        """From now on `read` or `write`, or both, fail with EIO; without any, it is sound again."""
        broken = Path(f"{self.log}.broken")
        broken.write_text(" ".join(what))
        if not what:
            broken.unlink()

    def remount(self) -> None:
        """As after a boot, with a disk that is sound again."""
        self.break_down()
        self.unmount()
        self.mount(self._served / NAME.decode())

    def stop(self) -> None:
        """End of the recording."""
        if self._server is None:
            return
        self.break_down()
        self.unmount()
        for _ in range(100):  # the loop device lets go of the file a moment later
            done = subprocess.run(["umount", self._served], check=False, capture_output=True)
            if done.returncode == 0:
                break
            time.sleep(0.05)
        self._server.wait(10)
        self._server = None

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cuts(self, instants: Sequence[int], chance: random.Random) -> Iterator[Cut]:
        """The disk after a power cut at each of these instants, in order. Of what was written after
        the last flush, none, all or a random half had reached it."""
        told = list(records(self.log))
        rolling = self.folder / "rolling.img"
        run("cp", "--sparse=always", self.folder / "base.img", rolling)
        done = 0
        with self.log.open("rb") as log:
            for instant in sorted(instants):
                end = _first_after(told, instant)
                flushed = max(
                    (n + 1 for n in range(done, end) if told[n].kind == FLUSH), default=done
                )
                _apply(log, told[done:flushed], rolling)
                done = flushed
                # a name of its own: a loop device that is still letting go would know the old blocks
                copy = self.folder / f"cut-{instant}-{chance.getrandbits(32)}.img"
                run("cp", "--sparse=always", rolling, copy)
                late = [one for one in told[done:end] if one.kind == WRITE]
                share = chance.choice((0.0, 0.5, 1.0))
                kept = [one for one in late if chance.random() < share]
                _apply(log, kept, copy)
                yield Cut(instant, self, len(late), len(kept), copy)


def _first_after(told: Sequence[Record], instant: int) -> int:
    return next((n for n, one in enumerate(told) if one.when > instant), len(told))


def _apply(log: "object", told: Sequence[Record], image: Path) -> None:
    handle = os.open(image, os.O_RDWR)
    for one in told:
        if one.kind == WRITE:
            data = os.pread(log.fileno(), one.length, one.place)  # type: ignore[attr-defined]
            os.pwrite(handle, data, one.offset)
    os.close(handle)


if __name__ == "__main__":
    Server(*sys.argv[1:4]).serve()
