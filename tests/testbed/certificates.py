"""Certificates for servers of the tests: a CA of their own, good ones and bad ones."""

import ssl
from pathlib import Path

from tests.testbed.program import execute, require

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """A CA that nobody else knows; `ca` is the file to trust."""

    def __init__(self, folder: Path) -> None:
        require(programs={"openssl": "openssl"})
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.ca = folder / "ca.pem"
        # fmt: off
        execute(["openssl", "req", "-x509", *NEW_KEY, "-days", "3650", "-subj", "/CN=testbed",
                 "-addext", "basicConstraints=critical,CA:TRUE",
                 "-addext", "keyUsage=keyCertSign,cRLSign",
                 "-keyout", folder / "ca.key", "-out", self.ca])
        # fmt: on

    def certificate(self, name: str, *, days: int = 3650) -> Path:
        """A file of key and certificate for the DNS name; one of -1 days expired yesterday."""
        base = self._folder / f"{name}.{days}"
        names, pem = base.with_suffix(".names"), base.with_suffix(".pem")
        key, request, leaf = (base.with_suffix(end) for end in (".key", ".csr", ".leaf"))
        names.write_text(f"subjectAltName=DNS:{name}\n")
        # fmt: off
        execute(["openssl", "req", "-new", *NEW_KEY, "-subj", f"/CN={name}", "-keyout", key,
                 "-out", request])
        execute(["openssl", "x509", "-req", "-in", request, "-CA", self.ca, "-days", str(days),
                 "-CAkey", self._folder / "ca.key", "-CAcreateserial", "-extfile", names,
                 "-out", leaf])
        # fmt: on
        pem.write_text(key.read_text() + leaf.read_text())
        pem.chmod(0o600)
        return pem

    def server_context(self, name: str, *, days: int = 3650) -> ssl.SSLContext:
        """What a server needs to be `name`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate(name, days=days))
        return context
