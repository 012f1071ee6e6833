"""XMPP servers."""

from pathlib import Path
from typing import Literal

from tests.testbed.machines import Net
from tests.testbed.program import Testbed, read_exports, require


class XmppServer(Testbed):
    """Prosody or ejabberd with Debian's default limits, on loopback or on a network's hub."""

    program = "xmpp"

    def __init__(
        self,
        folder: Path,
        kind: Literal["prosody", "ejabberd"] = "prosody",
        *,
        host: str = "xmpp.test",
        ip: str = "127.0.0.1",
        limits: Literal["default", "none"] = "default",
        sasl: Literal["scram", "plain"] = "scram",
        net: Net | None = None,
    ) -> None:
        wanted = {"prosody": "prosody"} if kind == "prosody" else {"ejabberdctl": "ejabberd"}
        require(programs={**wanted, "openssl": "openssl", "curl": "curl"})
        super().__init__()
        self.folder = folder
        self.kind = kind
        self.host = host
        words = {"host": host, "ip": ip, "limits": limits, "sasl": sasl}
        if net:
            words |= {"ip": net.address("hub"), "netns": net.namespace("hub")}
        self.options = [word for key, value in words.items() for word in (f"--{key}", value)]

    def start(self) -> None:
        """Start it, or start it again: the address, the accounts and their mail are the old ones."""
        self.call("start", self.folder, self.kind, *self.options)

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """End it and forget all that it knew."""
        self.call("remove", self.folder)

    def stop(self) -> None:
        """End it in an orderly way: its clients are told."""
        self.call("stop", self.folder)

    def kill(self) -> None:
        """As when the power fails."""
        self.call("kill", self.folder)

    def restart(self) -> None:
        self.call("restart", self.folder)

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        self.call("pause", self.folder)

    def resume(self) -> None:
        self.call("resume", self.folder)

    def add_user(self, name: str, password: str) -> str:
        """Make an account, or change its password; its JID."""
        self.call("adduser", self.folder, name, password)
        return f"{name}@{self.host}"

    def log(self) -> str:
        """What it has written."""
        return self.call("log", self.folder)

    @property
    def pid(self) -> int:
        return int(self.call("status", self.folder))

    @property
    def _environment(self) -> dict[str, str]:
        return read_exports(self.folder / "env")

    @property
    def ip(self) -> str:
        return self._environment["XMPP_IP"]

    @property
    def port(self) -> int:
        """Where clients connect and upgrade to TLS (STARTTLS)."""
        return int(self._environment["XMPP_PORT"])

    @property
    def tls_port(self) -> int:
        """Where TLS begins with the first byte (XEP-0368)."""
        return int(self._environment["XMPP_TLS_PORT"])

    @property
    def ca(self) -> str:
        """The file of the authority that signed its certificate."""
        return self._environment["XMPP_CA"]
