"""What a power cut leaves: files that are empty, filled with zeros, or cut off. How to tell them.

Nothing is asked of git here: it takes an empty object for one that is there, and stops at others with
an error that names only the first.
"""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator

CHUNK = 1 << 16
SMALL = 1 << 16
"""Bytes; loose objects up to this size are always read in whole, whatever their time says."""

SEALS = {
    b".pack": b"PACK",
    b".idx": b"\377tOc",
    b".rev": b"RIDX",
    b"multi-pack-index": b"MIDX",
    b"commit-graph": b"CGPH",
    b".graph": b"CGPH",
    b"index": b"DIRC",
}
"""How the files begin that end with a checksum of themselves (gitformat-pack(5), gitformat-index(5))."""

_OBJECT = re.compile(rb"[0-9a-f]{38}(?:[0-9a-f]{24})?\Z")
_ID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_REFLOG_LINE = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} [^\0\n]*>[^\0\n]*\n\Z")
_PACKED_LINE = re.compile(rb"(?:#[^\0\n]*|\^[0-9a-f]{40,64}|[0-9a-f]{40,64} [^\0\n ]+)\n\Z")


def loose_objects(common_dir: bytes) -> Iterator[tuple[str, os.DirEntry[bytes]]]:
    """Every loose object: its id, and where it lies."""
    objects = common_dir + b"/objects"
    for number in range(256):
        start = b"%02x" % number
        try:
            with os.scandir(objects + b"/" + start) as found:
                for entry in found:
                    if _OBJECT.match(entry.name):
                        yield (start + entry.name).decode(), entry
        except FileNotFoundError:
            continue


def read_object(path: bytes, oid: str) -> bytes | None:
    """A loose object, header and content (of a blob, the beginning), when it is whole and has this
    id; None when it is torn (gitformat-loose(5))."""
    digest = (hashlib.sha256 if len(oid) == 64 else hashlib.sha1)()
    inflate = zlib.decompressobj()
    kept = b""
    try:
        with open(path, "rb") as file:
            while data := file.read(CHUNK):
                while data:
                    content = inflate.decompress(data, CHUNK)
                    digest.update(content)
                    if not kept.startswith(b"blob"):
                        kept += content
                    data = inflate.unconsumed_tail
            digest.update(inflate.flush())
    except zlib.error:
        return None
    whole = inflate.eof and not inflate.unused_data and digest.hexdigest() == oid
    return kept if whole else None


def looks_torn(path: bytes) -> bool:
    """The quick look at a large object that is older than the mark: empty, or zeros at an end."""
    with open(path, "rb") as file:
        start = file.read(2)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512))
        return len(start) < 2 or not any(start) or not any(file.read(512))


def is_sealed(path: bytes, object_format: str) -> bool:
    """Whether one of the SEALS is whole."""
    name = os.path.basename(path)
    begins = next((mark for end, mark in SEALS.items() if name.endswith(end)), b"")
    digest = (hashlib.sha256 if object_format == "sha256" else hashlib.sha1)()
    width = digest.digest_size
    with open(path, "rb") as file:
        left = os.fstat(file.fileno()).st_size - width
        if left < width or file.read(len(begins)) != begins:
            return False
        file.seek(0)
        while left and (data := file.read(min(left, CHUNK))):
            digest.update(data)
            left -= len(data)
        seal = file.read(width)
    return not left and seal == digest.digest()


def ref_value(data: bytes) -> str | None:
    """What a loose ref or HEAD says, an id or `ref: NAME`; None when it is torn."""
    text = data.removesuffix(b"\n")
    if text != data and text.startswith(b"ref: refs/") and not set(b"\0\n") & set(text):
        return os.fsdecode(text)
    return text.decode() if _ID.match(text) else None


def sound_reflog(data: bytes) -> list[bytes]:
    """The lines of a reflog that are whole."""
    return [line for line in data.splitlines(keepends=True) if _REFLOG_LINE.match(line)]


def sound_packed_refs(data: bytes) -> dict[str, str]:
    """What packed-refs says in the lines that are whole: each ref and its id."""
    lines = [line for line in data.splitlines(keepends=True) if _PACKED_LINE.match(line)]
    words = [line.rstrip(b"\n").split(b" ", 1) for line in lines if line[:1] not in b"#^"]
    return {os.fsdecode(ref): oid.decode() for oid, ref in words}


def packed_refs_are_torn(data: bytes) -> bool:
    """Whether any line is not whole. (git leaves an empty file when nothing is packed any more.)"""
    return not all(map(_PACKED_LINE.match, data.splitlines(keepends=True)))


def names_of(loose: bytes, width: int) -> set[str]:
    """The ids that a commit, tag or tree names; `width` bytes an id."""
    header, _, content = loose.partition(b"\0")
    if header.startswith(b"tree"):
        return set(_names_of_tree(content, width))
    lines = content.partition(b"\n\n")[0].split(b"\n")
    pairs = [line.split(b" ") for line in lines]
    named = (b"tree", b"parent", b"object")
    return {pair[1].decode() for pair in pairs if pair[0] in named and len(pair) == 2}


def _names_of_tree(content: bytes, width: int) -> Iterator[str]:
    """`MODE NAME NUL ID`, again and again; submodules (mode 160000) lie elsewhere."""
    at = 0
    while (end := content.find(b"\0", at)) >= 0:
        if not content.startswith(b"160000 ", at):
            yield content[end + 1 : end + 1 + width].hex()
        at = end + 1 + width
