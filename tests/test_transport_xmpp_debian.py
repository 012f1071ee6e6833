"""The same tests with slixmpp as Debian 12 packages it (1.8.3)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGED = Path("/usr/lib/python3/dist-packages/slixmpp")
TESTS = ("lies", "servers")


@pytest.mark.parametrize("name", TESTS)
@pytest.mark.timeout(400)
def test_all_holds_with_debians_slixmpp(name: str, tmp_path: Path) -> None:
    if not PACKAGED.exists():
        pytest.skip("Debian's python3-slixmpp is not installed; script/bootstrap test does it")
    (tmp_path / "slixmpp").symlink_to(PACKAGED)
    tests = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{tests.parent}"}
    check = "import slixmpp; print(slixmpp.__file__)"
    found = subprocess.check_output([sys.executable, "-c", check], env=environment, text=True)
    assert found.startswith(str(tmp_path))
    # it calls what a newer aiodns warns of, in the clients that the tests play phones with
    quiet = ("-W", "ignore::DeprecationWarning", "-p", "no:cacheprovider", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, str(tests / f"test_transport_xmpp_{name}.py")],
        env=environment,
        cwd=tests.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
