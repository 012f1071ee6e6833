"""Booted machines, and networks of hosts."""

import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.testbed.program import CHECKOUT, HERE, Result, Testbed, execute, require


class Net(Testbed):
    """Hosts in network namespaces on one bridge; the hub is where servers live."""

    program = "net"

    def __init__(self, *hosts: str) -> None:
        require(
            root=True,
            programs={"ip": "iproute2", "nft": "nftables", "ethtool": "ethtool"},
        )
        number = secrets.randbelow(200) + 20  # several may stand side by side
        super().__init__({"NET_PREFIX": f"t{number}", "NET_SUBNET": f"10.77.{number}"})
        self.hosts = hosts or ("a", "b")

    def start(self) -> None:
        self.call("up", *self.hosts)

    def stop(self) -> None:
        self.call("down")

    def run(self, host: str, *argv: str | Path, check: bool = True, timeout: float = 60) -> Result:
        words = [HERE / self.program, "exec", host, "--", *argv]
        return execute(words, env=self.env, check=check, timeout=timeout)

    def address(self, host: str) -> str:
        return self.call("ip", host).strip()

    def namespace(self, host: str) -> str:
        return self.call("ns", host).strip()

    def partition(self, host: str, other: str | None = None) -> None:
        self.call("partition", host, *([other] if other else []))

    def unplug(self, host: str) -> None:
        self.call("unplug", host)

    def plug(self, host: str) -> None:
        self.call("plug", host)

    def shape(self, host: str, **words: str) -> None:
        """`shape("a", delay="80ms", loss="2%")`; without words the wire is good again."""
        self.call("shape", host, *([f"{name}={value}" for name, value in words.items()] or ["off"]))

    def heal(self) -> None:
        self.call("heal")


class Box(Testbed):
    """A booted machine with a real systemd; /checkout in it is this checkout, read-only."""

    program = "systemd-box"

    def __init__(
        self,
        *,
        user: str | None = None,
        name: str | None = None,
        net: tuple[Net, str] | None = None,
        binds: Mapping[Path, str] | None = None,
        can_sleep: bool = False,
    ) -> None:
        require(
            root=True, programs={"systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
        )
        if not Path("/sbin/init").exists():
            pytest.skip("needs a systemd to boot: apt install systemd-sysv")
        super().__init__({"SYSTEMD_BOX_QUIET": "1"})
        self.user = user
        self.name = f"{name or 'box'}-{secrets.token_hex(3)}"
        self.options: list[str] = ["--bind-ro", f"{CHECKOUT}:/checkout"]
        self.options += ["--user", user] if user else []
        self.options += ["--can-sleep"] if can_sleep else []
        if net:
            self.options += ["--netns", net[0].namespace(net[1])]
        for here, there in (binds or {}).items():
            self.options += ["--bind", f"{here}:{there}"]

    def start(self) -> None:
        self.call("up", self.name, *self.options)

    def stop(self) -> None:
        self.call("down", self.name)

    def run(
        self,
        *argv: str | Path,
        user: str | None = None,
        input: str | None = None,
        check: bool = True,
        timeout: float = 60,
    ) -> Result:
        """Run in a session of `user` (default: the box's own user, else root)."""
        words = ["exec", self.name, "-u", user or self.user or "root", "--", *argv]
        command = [HERE / self.program, *words]
        return execute(command, env=self.env, input=input, check=check, timeout=timeout)

    def shell(self, script: str, *, user: str | None = None, check: bool = True) -> str:
        """What `sh -ec script` printed there."""
        return self.run("sh", "-ec", script, user=user, check=check).stdout.strip()

    def reboot(self) -> None:
        self.call("reboot", self.name)

    def suspend(self, seconds: float) -> None:
        self.call("suspend", self.name, str(seconds))

    def cut_power(self) -> None:
        """Everything in it dies at once; so does what it wrote."""
        self.call("kill", self.name)

    def console(self) -> str:
        return self.call("log", self.name)
