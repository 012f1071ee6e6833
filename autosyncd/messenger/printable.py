"""Pure: texts as D-Bus takes them."""


def printable(text: str) -> str:
    r"""The text as D-Bus takes it: valid UTF-8 without NUL.

    A byte of a file name that is no UTF-8 (os.fsdecode made a lone surrogate of it) is written as
    `\xff`, so that two names stay two names.
    """
    if text.isascii() and "\0" not in text:
        return text
    return "".join(map(_printable_character, text))


def _printable_character(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return f"\\u{code:04x}"
    return character if code else "\\x00"
