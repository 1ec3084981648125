"""`authority serve` as it is run: over TLS, by several workers, by two servers on one database."""

import datetime as dt
import json
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder
from tracetogether.errors import AuthorityError, UnreachableError

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)  # noqa: TID251 - as the handshake's
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "tls.pem", folder / "tls.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return cert_file, key_file


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "tracetogether", "authority", *map(str, words)]


@contextmanager
def served(
    *words: str | Path, descriptors: int | None = None, more_said: list[str] | None = None
) -> Iterator[str]:
    """Run `authority serve` while the body runs; yields its URL. It ends without a traceback.

    Args:
        words: of the command.
        descriptors: how many the process may have.
        more_said: what it said after the first two lines is put here.
    """
    with subprocess.Popen(
        command("serve", *words, "--port", "0"),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stderr is not None
            line = server.stderr.readline()
            assert line.startswith("Serving "), line + server.stderr.read()
            assert server.stderr.readline().split()[-1] == line.split()[3] + "/desk"
            if descriptors is not None:
                resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
            yield line.split()[3]
            server.send_signal(signal.SIGTERM)
            _, rest = server.communicate(timeout=180)
        finally:
            server.kill()
    assert "Traceback" not in rest
    if more_said is not None:
        more_said += rest.splitlines()
    assert server.returncode in {0, -signal.SIGTERM}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving") / "desk"
    create_folder(folder, now=time.time())  # noqa: TID251 - as the server's
    return folder


def test_tls_workers_and_a_second_server_on_one_database(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(desk.parent)
    words = (desk, "--workers", "2", "--tls-cert", cert, "--tls-key", key)
    monkeypatch.chdir(desk.parent)

    def run(*words: str) -> Result:
        folder = ("desk",) if words[0] == "audit" else ("--dir", "desk")
        return CliRunner().invoke(authority, [*words, *folder])

    with served(*words) as secure, served(desk) as plain:
        assert secure.startswith("https://127.0.0.1:")
        stranger = AuthorityClient(secure, retries=0)
        with stranger, pytest.raises(UnreachableError):
            stranger.register()  # the certificate is nobody's that this machine trusts
        port = secure.rpartition(":")[2]
        in_clear = AuthorityClient(f"http://127.0.0.1:{port}", retries=0)
        with in_clear, pytest.raises(UnreachableError):
            in_clear.register()
        with urllib3.PoolManager(
            ca_certs=str(cert), ssl_minimum_version=ssl.TLSVersion.TLSv1_3
        ) as http:
            for host in ("127.0.0.1", "localhost"):
                answer = http.request("GET", f"https://{host}:{port}/v1/health", retries=False)
                assert answer.json() == {"status": "ok"}
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        with AuthorityClient(secure) as phone, AuthorityClient(plain) as beside:
            beside._credential = phone.register().credential
            # One database, one ring: whichever server is asked, the same batch comes. The second
            # time, if a quarter of an hour ended just between the two questions.
            assert any(texts(phone) == texts(beside) for _ in range(2))
        assert run("backup", "day.db").exit_code == 0
        refused = run("restore", "day.db", "--yes")
        assert "a server runs on" in str(refused.exception)
    assert run("restore", "day.db", "--yes").exit_code == 0
    assert json.loads(run("audit", "list", "--json").stdout)[-1]["act"] == "backup.restored"


def test_silent_strangers_use_up_no_descriptors(desk: Path) -> None:
    descriptors, said = 200, list[str]()
    with served(desk, descriptors=descriptors, more_said=said) as url, ExitStack() as stack:
        place = urlsplit(url)
        for _ in range(3 * descriptors):
            stack.enter_context(socket.create_connection((place.hostname, place.port)))
        with urllib3.PoolManager(timeout=60) as http:
            for _ in range(3):
                assert http.request("GET", f"{url}/v1/health", retries=False).status == 200
    assert len(said) <= 2
    assert "in use" in said[0]


def texts(phone: AuthorityClient) -> list[str]:
    return [one.text for one in phone.fetch_batch()]


def test_a_key_of_another_certificate_is_told_in_a_line(desk: Path) -> None:
    cert, _ = certificate(desk.parent)
    other = desk.parent / "other"
    other.mkdir()
    _, key = certificate(other)
    words = ["serve", str(desk), "--port", "0", "--tls-cert", str(cert), "--tls-key", str(key)]
    result = CliRunner().invoke(authority, words)
    assert isinstance(result.exception, AuthorityError)
    assert f"can't use the certificate {cert}" in str(result.exception)
