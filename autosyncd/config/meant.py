"""Pure: what somebody may have meant who wrote a word that is not known."""

from collections.abc import Iterable

_SYNONYMS = {
    "all": ("everything",),
    **dict.fromkeys(("false", "no", "off"), ("none",)),
    **dict.fromkeys(("repos", "repository", "folders", "sync"), ("repositories",)),
    **dict.fromkeys(("dir", "directory", "folder", "tree", "local"), ("path",)),
    **dict.fromkeys(("url", "origin", "upstream"), ("remote",)),
    **dict.fromkeys(("ignore", "ignored", "excludes", "skip"), ("exclude",)),
    **dict.fromkeys(("interval", "poll", "pull_every", "sync_every"), ("poll_every",)),
    **dict.fromkeys(("delay", "wait", "debounce"), ("commit_after",)),
}
"""What people write who know other programs."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing where no known word is near."""
    known = sorted(known)
    import difflib  # the service needs it for a mistake alone, and would keep it in memory

    meant = [one for one in _SYNONYMS.get(word.lower(), ()) if one in known]
    near = meant or difflib.get_close_matches(word.lower()[:80], known, n=1, cutoff=0.65)
    return f" (did you mean {near[0]}?)" if near else ""
