"""Pure: the configuration as `autosyncd --check --json` shows it, for other programs.

    {"problems": [{"file", "line": number or null, "text"}], "notes": [text],
     "repositories": [{"file", "line", "settings": {KEY: VALUE, "safety": {KEY: VALUE}}}],
     "transports": {"fanout": null or {…}, "xmpp": null or {…}}, "alerts": {"desktop", "xmpp"}}

Durations are seconds, sizes bytes, shares fractions of 1; what is not set is null. With origins each
object that holds settings has a sister `origin` with a place for each of its keys. No secret is in it.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Any

from autosyncd.config.describe import password_source, place_of, server_text, settings
from autosyncd.config.given import ConfigProblem
from autosyncd.config.settings import Configuration
from autosyncd.model import OutsideConfig

Json = dict[str, Any]
"""Any: whatever json.dumps takes."""


def as_json(configuration: Configuration, *, origin: bool = False) -> Json:
    """All that holds, and all that is wrong."""
    held = configuration.outside
    shown: Json = {
        "problems": _problems(configuration.problems),
        "notes": list(configuration.notes),
        "repositories": [
            _repository(configuration, number, origin=origin)
            for number in range(len(configuration.repositories))
        ],
        "transports": _transports(held),
        "alerts": {"desktop": held.desktop_alerts, "xmpp": held.alerts_to},
    }
    if origin:
        shown["origin"] = {
            section: {key: place_of(configuration.top, section, key) for key in shown[section]}
            for section in ("transports", "alerts")
        }
    return shown


def refused(problem: ConfigProblem) -> Json:
    """Nothing could be read, so that nothing is known of transports and alerts either."""
    return {"problems": _problems([problem]), "notes": [], "repositories": []}


def _problems(problems: Iterable[ConfigProblem]) -> list[Json]:
    return [{"file": one.file, "line": one.line or None, "text": one.text} for one in problems]


def _repository(configuration: Configuration, number: int, *, origin: bool) -> Json:
    file, _, line = configuration.origins[number].rpartition(":")
    values: Json = {}
    places: Json = {}
    for one in settings(configuration.repositories[number], configuration.given[number]):
        *sections, key = one.names
        inner, where = values, places
        for name in sections:
            inner, where = inner.setdefault(name, {}), where.setdefault(name, {})
        inner[key], where[key] = _plain(one.value), one.place
    shown: Json = {"file": file, "line": int(line), "settings": values}
    return {**shown, "origin": places} if origin else shown


def _transports(held: OutsideConfig) -> Json:
    fanout, xmpp = held.fanout, held.xmpp
    return {
        "fanout": fanout
        and {
            "server": server_text((fanout.host, fanout.port)),
            "tls": fanout.tls,
            "ca_file": fanout.ca_file,
        },
        "xmpp": xmpp
        and {
            "jid": xmpp.jid,
            "password_from": password_source(xmpp),
            "server": server_text(xmpp.server) if xmpp.server else None,
            "ca_file": xmpp.ca_file,
            "allow_plain": xmpp.allow_plain,
        },
    }


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(map(_plain, value), key=str)
    return list(value) if isinstance(value, tuple) else value
