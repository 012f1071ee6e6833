"""A file of the state folder, written whole or not at all."""

import os


def replace(path: bytes | os.PathLike[str], data: bytes, *, durable: bool) -> None:
    """Let the file have these bytes and no others at any instant. Not `durable`: it may be empty after
    a power cut, but nobody waits for the disk."""
    name = os.fsencode(path)
    fresh = name + b".new"
    with open(fresh, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.rename(fresh, name)
