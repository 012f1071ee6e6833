"""What the main file says of transports and alerts, with its paths as they are on this machine."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autosyncd.config.given import ConfigProblem, Given, ParsedFile
from autosyncd.config.places import expand_given, home
from autosyncd.model import FanoutConfig, OutsideConfig, Secret, XmppConfig

CREDENTIAL = "xmpp-password"
"""The systemd credential that holds the password where the configuration names none."""


@dataclass(frozen=True, slots=True)
class Transports:
    """What one file says; `files`: paths that no repository may contain, and what each is."""

    outside: OutsideConfig = field(default_factory=OutsideConfig)
    files: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[ConfigProblem, ...] = ()


def transports(parsed: ParsedFile, environment: Mapping[str, str]) -> Transports:
    """Nothing is looked at on the disk; of a file with a problem only `files` is to be had."""
    given = parsed.top.section("transports")
    fanout, xmpp = given.section("fanout"), given.section("xmpp")
    paths: dict[str, str | None] = {}
    problems = []
    for name, section, key in (
        ("fanout.ca_file", fanout, "ca_file"),
        ("xmpp.ca_file", xmpp, "ca_file"),
        ("xmpp.password_file", xmpp, "password_file"),
    ):
        secret = key == "password_file"
        path = expand_given(parsed.file, section, key, environment, secret=secret)
        if isinstance(path, ConfigProblem):
            problems.append(path)
        else:
            paths[name] = path
    words = tuple(
        home(environment) + word[1:] if word.startswith("~/") else word
        for word in xmpp.values.get("password_command", ())
    )
    problems += _lonely_alerts(parsed, xmpp)
    files = {path: f"the {name.partition('.')[2]} ({path})" for name, path in paths.items() if path}
    for word in words:  # a program, or what it reads
        if word.startswith("/"):
            files.setdefault(word, "a file that password_command names")
    if parsed.problems or problems:
        return Transports(files=files, problems=tuple(problems))
    alerts = parsed.top.section("alerts").values
    outside = OutsideConfig(
        fanout=_fanout(fanout.values, paths["fanout.ca_file"]),
        desktop_alerts=alerts.get("desktop", True),
        xmpp=_xmpp(xmpp.values, words, paths["xmpp.ca_file"], paths["xmpp.password_file"]),
        alerts_to=alerts.get("xmpp"),
    )
    return Transports(outside, files)


def _lonely_alerts(parsed: ParsedFile, xmpp: Given) -> list[ConfigProblem]:
    alerts = parsed.top.section("alerts")
    if "xmpp" not in alerts.values or xmpp.values or parsed.problems:
        return []
    text = "needs an account to write from; give transports: xmpp:, or take this out"
    return [ConfigProblem(parsed.file, alerts.lines["xmpp"], f"{alerts.label('xmpp')}: {text}")]


def _fanout(given: Mapping[str, Any], ca_file: str | None) -> FanoutConfig | None:
    if not given:
        return None
    host, port = given["server"]
    return FanoutConfig(host=host, port=port, tls=given.get("tls", True), ca_file=ca_file)


def _xmpp(
    given: Mapping[str, Any], command: tuple[str, ...], ca_file: str | None, file: str | None
) -> XmppConfig | None:
    if not given:
        return None
    if command:
        secret = Secret(command=command)
    elif file is not None:
        secret = Secret(file=file)
    else:
        secret = given.get("password") or Secret(credential=CREDENTIAL)
    return XmppConfig(
        jid=given["jid"],
        secret=secret,
        server=given.get("server"),
        ca_file=ca_file,
        allow_plain=given.get("allow_plain", False),
    )
