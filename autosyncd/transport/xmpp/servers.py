"""Where an account's server listens: as configured, else as DNS says (RFC 6120 3.2, XEP-0368).

Only an address comes from here. Whatever DNS says, the certificate has to be for the JID's domain.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

CLIENT_PORT = 5222
DIRECT_PORTS = frozenset({443, 5223})
"""Ports on which TLS begins with the first byte, by custom."""
LOOKUP_WITHIN = 5.0
"""Seconds that a name server has for its answer."""
MOST = 10
"""Addresses that one attempt tries."""


@dataclass(frozen=True, slots=True)
class Server:
    """One place to try; `direct`: TLS with the first byte, else by STARTTLS."""

    host: str
    port: int
    direct: bool


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    host: str
    port: int


Lookup = Callable[[str], Awaitable[list[SrvRecord]]]


async def srv(name: str, **options: Any) -> list[SrvRecord]:
    """The SRV records of a name, none if there is no answer; `options` are the resolver's."""
    import aiodns  # 26 ms and some megabytes; needed only where no server is configured

    resolver = aiodns.DNSResolver(**{"timeout": LOOKUP_WITHIN, "tries": 2, **options})
    try:
        if hasattr(resolver, "query_dns"):  # aiodns 4
            answer = await resolver.query_dns(name, "SRV")
            found: list[Any] = [record.data for record in answer.answer]
            return [
                SrvRecord(one.priority, one.weight, str(one.target), one.port)
                for one in found
                if hasattr(one, "target")
            ]
        records: list[Any] = await resolver.query(name, "SRV")
        return [SrvRecord(one.priority, one.weight, str(one.host), one.port) for one in records]
    except (aiodns.error.DNSError, UnicodeError):
        return []
    finally:
        if hasattr(resolver, "close"):
            await resolver.close()


async def find(
    domain: str, configured: tuple[str, int] | None, lookup: Lookup = srv
) -> list[Server]:
    """The places to try, best first; empty if the domain says that it has no such service."""
    if configured:
        # Both ways end in the same checks, so to find out which it is can't weaken anything.
        host, port = configured
        first = port in DIRECT_PORTS
        return [Server(host, port, direct=first), Server(host, port, direct=not first)]
    kinds = {f"_xmpps-client._tcp.{domain}": True, f"_xmpp-client._tcp.{domain}": False}
    answers = await asyncio.gather(*map(lookup, kinds))  # a slow name server is waited for once
    found = [
        (
            record.priority,
            _chance(record.weight),
            Server(record.host.rstrip("."), record.port, kind),
        )
        for kind, records in zip(kinds.values(), answers, strict=True)
        for record in records
    ]
    if not found:
        return [Server(domain, CLIENT_PORT, direct=False)]
    ranked = sorted(found, key=lambda one: one[:2])
    return [server for _, _, server in ranked if server.host and server.port][:MOST]


def _chance(weight: int) -> float:
    """A rank among records of one priority: the heavier, the sooner, but not always."""
    drawn: float = random.SystemRandom().random() ** (1 / (weight + 0.01))
    return -drawn
