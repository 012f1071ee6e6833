"""The verb doctor: what is in the way of syncing, and what to do about it.

JSON (`--json`): one object, {"problems": number, "findings": [{"level", "what", "text"}]}, where
`level` is ok, hint or problem. Keys are only ever added.
"""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from importlib import import_module

from autosyncd.control.finding import Finding, Level
from autosyncd.control.render import plain
from autosyncd.control.verb import DONE, PROBLEM_FOUND
from autosyncd.redaction import without_secrets
from autosyncd.service.streams import say

MODULES = {
    "yaml": "python3-yaml (PyYAML)",
    "inotify_simple": "inotify_simple (from the Python package index)",
    "dbus_fast": "python3-dbus-fast (dbus-fast)",
    "sdnotify": "python3-sdnotify (sdnotify)",
}
"""What autosyncd imports, and what brings it: Debian's package (PyPI's)."""


def doctor(options: Namespace) -> int:
    """Look at everything, print a line for each thing; PROBLEM_FOUND if there is a problem."""
    found = []
    for finding in findings():
        found.append(finding)
        if not options.json:
            say(line(finding))
    problems = sum(finding.level is Level.PROBLEM for finding in found)
    if options.json:
        rows = [
            {"level": one.level.value, "what": one.what, "text": without_secrets(one.text)}
            for one in found
        ]
        say(json.dumps({"problems": problems, "findings": rows}) + "\n")
    return PROBLEM_FOUND if problems else DONE


def line(finding: Finding) -> str:
    """One finding on one line."""
    what, text = plain(finding.what), plain(without_secrets(finding.text))
    return f"{finding.level.value:<8} {what}: {text}\n"


def findings() -> Iterator[Finding]:
    """Each as soon as it is known: remotes take their time."""
    missing = list(missing_modules(tuple(MODULES)))
    yield from missing
    if missing:
        return
    yield Finding(Level.OK, "python", f"{sys.version.split()[0]}, with all that is needed")
    # what these import may be missing: that is a finding and no traceback
    from autosyncd.control.checks import every_check

    yield from every_check()


def missing_modules(names: tuple[str, ...]) -> Iterator[Finding]:
    """A problem for each module that can't be imported."""
    for name in names:
        try:
            import_module(name)
        except ImportError as reason:
            text = f"{name} can't be imported ({reason}); install {MODULES.get(name, name)}"
            yield Finding(Level.PROBLEM, "python", text)
