"""What tests run the real thing on: booted machines, networks, servers, a desktop, bad disks.

Each program here works by itself (see its --help); these are their faces for pytest:

    with Box(user="alice") as box:
        box.run("systemctl", "--user", "is-system-running")
    with Net("a", "b") as net, GitServers(tmp_path / "git", net=net) as servers:
        net.run("a", "git", "ls-remote", servers.url("git"))

Where root or a package is missing, making one skips the test, with the reason.
"""

from tests.testbed.machines import Box, Net
from tests.testbed.messaging import XmppServer
from tests.testbed.program import CHECKOUT, Failed, Result, execute, require
from tests.testbed.services import Desktop, Disk, GitServers

__all__ = [
    "CHECKOUT",
    "Box",
    "Desktop",
    "Disk",
    "Failed",
    "GitServers",
    "Net",
    "Result",
    "XmppServer",
    "execute",
    "require",
]
