"""What one shift of a worker leaves to the next: its knowledge as bytes, and the lock of the tree.

Only a shift reads what a shift wrote, so pickle serves; the keeper between them never looks inside.
What every shift inherits from the keeper anyway (the inotify instance) or makes anew (the runner of
children) is not written, but stands for itself by name.
"""

import contextlib
import io
import os
import pickle
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEADER = struct.Struct("!dQQ?")
"""When the next shift is due (seconds of clock.now()), bytes of the path and of the knowledge, whether
there is a lock."""


@dataclass(frozen=True, slots=True)
class Handover:
    """From one shift to the next."""

    path: str
    """Where the repository really is."""
    knowledge: bytes
    due: float
    """Seconds of clock.now(); infinity: nothing but news needs another shift."""
    lock: int | None = None
    """The descriptor whose lock keeps every other daemon out of the tree."""


class _Packer(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, stays: Mapping[str, object]) -> None:
        super().__init__(buffer, protocol=pickle.HIGHEST_PROTOCOL)
        self._names = {id(value): name for name, value in stays.items()}

    def persistent_id(self, obj: object) -> str | None:
        return self._names.get(id(obj))


class _Unpacker(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, stays: Mapping[str, object]) -> None:
        super().__init__(buffer)
        self._stays = stays

    def persistent_load(self, name: str) -> object:
        return self._stays[name]


def pack(knowledge: object, stays: Mapping[str, object]) -> bytes:
    """The object as bytes, without the objects in `stays`."""
    buffer = io.BytesIO()
    _Packer(buffer, stays).dump(knowledge)
    return buffer.getvalue()


def unpack(knowledge: bytes, stays: Mapping[str, object]) -> Any:
    """What pack() was given, around the objects that are called so now."""
    return _Unpacker(io.BytesIO(knowledge), stays).load()


def send(line: socket.socket, left: Handover) -> None:
    """All of it, with the lock's descriptor (unix(7), SCM_RIGHTS)."""
    locks = [left.lock] if left.lock is not None else []
    path = os.fsencode(left.path)
    header = _HEADER.pack(left.due, len(path), len(left.knowledge), bool(locks))
    socket.send_fds(line, [header], locks)
    line.sendall(path + left.knowledge)


def receive(line: socket.socket) -> Handover | None:
    """What comes before the other end closes; None when that was not a whole one."""
    header, locks, _, _ = socket.recv_fds(line, _HEADER.size, 1)
    lock = locks[0] if locks else None
    with contextlib.suppress(struct.error, OSError):
        due, length, size, locked = _HEADER.unpack(header)
        rest = bytearray(length + size)
        if _fill(line, memoryview(rest)) and locked == (lock is not None):
            return Handover(os.fsdecode(bytes(rest[:length])), bytes(rest[length:]), due, lock)
    if lock is not None:
        os.close(lock)
    return None


def _fill(line: socket.socket, room: memoryview) -> bool:
    while room:
        got = line.recv_into(room)
        if not got:
            return False
        room = room[got:]
    return True
