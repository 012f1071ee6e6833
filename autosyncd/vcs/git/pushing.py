"""Pure: what of a person's settings would make each push of ours fail, and what holds instead."""

from collections.abc import Sequence

from autosyncd.vcs.git.silence import ANSWER_LIMIT

NO_OPTIONS = "does not support push options"
"""What git says where push.pushOption is set and the remote knows no options (git-push(1), -o)."""


def settings(arguments: Sequence[str], *, options: bool) -> tuple[str, ...]:
    """What `git push` with these arguments is called with; `options`: those of push.pushOption go
    along, as with every push of the person's."""
    words = [word for word in arguments if not word.startswith("-")]
    remote = words[1] if len(words) > 1 else ""
    return (
        # a key may ask; a remote that wants signed pushes declines ours in its own words
        "push.gpgSign=false",
        # for copies of everything: git takes no refspec then
        *((f"remote.{remote}.mirror=false",) if remote and "=" not in remote else ()),
        *(() if options else ("push.pushOption=",)),
        # libcurl's own limit would not let a hook of the remote work for longer
        f"http.lowSpeedTime={ANSWER_LIMIT:.0f}",
    )
