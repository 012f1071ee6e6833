"""The packages of this checkout, built once for the tests that install them."""

import shutil
from pathlib import Path

from tests.testbed import CHECKOUT, execute, require


def debian_package(out: Path) -> Path:
    """The Debian package, without a complaint of lintian."""
    require(programs={"dpkg-buildpackage": "dpkg-dev", "dh": "debhelper", "lintian": "lintian"})
    done = execute([CHECKOUT / "script/deb", out], timeout=300)
    assert "E: " not in done.stderr
    assert "W: " not in done.stderr
    return Path(done.stdout.strip())


def wheel(source: Path, out: Path) -> Path:
    """The wheel, built in the folder `source`; inotify_simple goes beside it, in `out`/carried."""
    require(programs={"pybuild": "dh-python pybuild-plugin-pyproject"})
    for name in ("autosyncd", "completions", "docs", "systemd"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / name, source / name, ignore=skip)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(CHECKOUT / name, source)
    build = ["/usr/bin/python3", "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    execute([*build, str(out), str(source)], env={"PYTHONWARNINGS": "ignore"})
    execute([CHECKOUT / "script/carry", out / "carried"])
    out.chmod(0o755)
    return next(out.glob("*.whl"))
