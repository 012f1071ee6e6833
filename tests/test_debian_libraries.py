"""The tests of what meets a library, once more with the versions that Debian 12 packages.

All others run with those of requirements-dev.lock, the newest.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGED = Path("/usr/lib/python3/dist-packages")
PACKAGES = {
    "slixmpp": ("python3-slixmpp", "1.8.3"),
    "yaml": ("python3-yaml", "6.0"),
    "dbus_fast": ("python3-dbus-fast", "1.84.2"),
    "sdnotify": ("python3-sdnotify", "0.3.1"),
}
TESTS = {
    "transport_xmpp_lies": ("slixmpp",),
    "transport_xmpp_servers": ("slixmpp",),
    "config_parse": ("yaml",),
    "config_load": ("yaml",),
    "config_write": ("yaml",),
    "control_interface": ("dbus_fast",),
    "desktop_alerts": ("dbus_fast",),
    "desktop_bus": ("dbus_fast",),
    "desktop_session": ("dbus_fast",),
    "service_notify": ("sdnotify",),
    "daemon_servers": tuple(PACKAGES),
}


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.timeout(400)
def test_all_holds_with_debians_libraries(name: str, tmp_path: Path) -> None:
    for module in TESTS[name]:
        if not (PACKAGED / module).exists():
            pytest.skip(f"{PACKAGES[module][0]} is not installed; script/bootstrap test does it")
        (tmp_path / module).symlink_to(PACKAGED / module)
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{tests.parent}"}
    for module in TESTS[name]:
        check = f"import {module}; print({module}.__file__)"
        found = subprocess.check_output([sys.executable, "-c", check], env=environment, text=True)
        assert found.startswith(str(tmp_path))
    # slixmpp calls what a newer aiodns warns of, in the clients that the tests play phones with
    quiet = ("-W", "ignore::DeprecationWarning", "-p", "no:cacheprovider", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, str(tests / f"test_{name}.py")],
        env=environment,
        cwd=tests.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
