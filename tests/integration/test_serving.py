"""`authority serve` as it is run: over TLS, by several workers, by two servers on one database."""

import datetime as dt
import html
import json
import os
import re
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from base64 import b32decode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import urllib3
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tracetogether.adapters.http_api import root_path_of
from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.adapters.operator_pages.credentials import Totp
from tracetogether.cli import main
from tracetogether.cli.authority import authority
from tracetogether.cli.authority_folder import create_folder
from tracetogether.errors import AuthorityError, UnreachableError

pytestmark = pytest.mark.network
ROOT = Path(__file__).parents[2]


def certificate(
    folder: Path, *, days: tuple[int, int] = (-1, 1), password: bytes | None = None
) -> tuple[Path, Path]:
    """Write a self-signed certificate for this machine, valid from some day on, and its key."""
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
        .not_valid_before(now + dt.timedelta(days=days[0]))
        .not_valid_after(now + dt.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "tls.pem", folder / "tls.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    sealing = serialization.BestAvailableEncryption(password) if password else plain
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealing)
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


@pytest.mark.slow
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
        assert "a server or another command uses" in str(refused.exception)
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
    return [tempid.text for tempid in phone.fetch_batch()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "code", "reported"),
    [
        ("key alone", 2, "--tls-key needs --tls-cert"),
        ("certificate alone", 1, "holds no private key; give --tls-key"),
        ("another's key", 1, "is another's"),
        ("encrypted key", 1, "is encrypted"),
        ("expired", 1, "has expired on"),
        ("not yet valid", 1, "is not valid before"),
        ("no certificate", 1, "holds no certificate in PEM"),
        ("no key", 1, "holds no private key in PEM"),
        ("no file", 2, "does not exist"),
    ],
)
def test_a_certificate_that_can_not_be_used_is_one_line(
    desk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    what: str,
    code: int,
    reported: str,
) -> None:
    days = {"expired": (-3, -1), "not yet valid": (1, 3)}.get(what, (-1, 1))
    cert, key = certificate(tmp_path, days=days, password=b"x" if what == "encrypted key" else None)
    if what == "another's key":
        (tmp_path / "other").mkdir()
        _, key = certificate(tmp_path / "other")
    if what in {"no certificate", "no key"}:
        (cert if what == "no certificate" else key).write_text("neither\n")
    words = ["--tls-cert", cert, "--tls-key", key]
    words = words[2:] if what == "key alone" else words
    words = words[:2] if what == "certificate alone" else words
    if what == "no file":
        cert.unlink()
    whole = ["tracetogether", "authority", "serve", desk, "--port", "0", *words]
    monkeypatch.setattr(sys, "argv", [str(word) for word in whole])
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as ended:  # before a server starts, so no process is needed
        main()
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert reported in said
    assert "Traceback" not in said
    assert "Serving" not in said
    if code == 1:
        assert said.count("\n") == 1


def test_an_ipv6_address_is_printed_in_brackets(desk: Path) -> None:
    with served(desk, "--host", "::1") as url, urllib3.PoolManager() as http:
        assert url.startswith("http://[::1]:")
        assert http.request("GET", f"{url}/v1/health", retries=False).status == 200


@pytest.mark.parametrize("path", ["tracing", "/", "//x", "/a b", "/../x", "/desk", "/v1/x", "/a?b"])
def test_a_root_path_that_can_not_be_served_below_is_refused(desk: Path, path: str) -> None:
    if path == "/":
        assert root_path_of(path) == ""
        return
    reported = CliRunner().invoke(
        authority, ["serve", str(desk), "--port", "0", "--root-path", path]
    )
    assert isinstance(reported.exception, AuthorityError)
    assert repr(path) in str(reported.exception)


def hidden(text: str, name: str) -> str:
    """Return what a page's form carries along in a field."""
    return re.findall(rf'name="{name}" value="([^"]+)"', text)[0]


def give_password(desk: Path) -> None:
    words = ["user", "password", "operator", "--stdin", "--dir", str(desk)]
    assert CliRunner().invoke(authority, words, input="correct horse battery\n").exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize("cut_off", [False, True])
def test_below_a_path_pages_and_routes_are_found(desk: Path, *, cut_off: bool) -> None:
    """Every link, form, picture and redirect of a page leads to a page, through any proxy."""
    give_password(desk)
    with (
        served(desk, "--root-path", "/tracing/") as site,
        urllib3.PoolManager(retries=False) as http,
    ):
        assert site.endswith("/tracing")
        server = site.removesuffix("/tracing")
        cookies: dict[str, str] = {}

        def ask(path: str, **form: str) -> tuple[int, str, str]:
            assert path.startswith("/tracing"), path
            place = server + (path.removeprefix("/tracing") or "/" if cut_off else path)
            answer = http.request(
                "POST" if form else "GET",
                place,
                body=urlencode(form) if form else None,
                redirect=False,
                headers={
                    "Host": "evil.example",
                    "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            for line in answer.headers.getlist("set-cookie"):
                assert "Path=/;" in line
                name, _, value = line.partition(";")[0].partition("=")
                cookies[name] = value
            text = answer.data.decode()
            assert "evil.example" not in text + str(answer.headers)
            return answer.status, answer.headers.get("location", ""), text

        assert ask("/tracing/desk")[:2] == (307, "/tracing/desk/")
        status, onward, _ = ask("/tracing/desk/cases")
        assert (status, onward) == (303, "/tracing/desk/sign-in?next=/cases")
        _, _, text = ask(onward)
        status, onward, _ = ask(
            "/tracing/desk/sign-in",
            form_token=hidden(text, "form_token"),
            onward=hidden(text, "onward"),
            name="operator",
            password="correct horse battery",
            code="",
        )
        assert (status, onward) == (303, "/tracing/desk/cases")
        status, onward, _ = ask(onward)
        assert (status, onward) == (303, "/tracing/desk/enrol")
        _, _, text = ask(onward)
        secret = re.findall(r"[A-Z2-7]{32}", text)[0]
        code = Totp().at(b32decode(secret), time.time())  # noqa: TID251 - as the server's
        status, onward, _ = ask(
            "/tracing/desk/enrol", form_token=hidden(text, "form_token"), code=code
        )
        assert (status, onward) == (303, "/tracing/desk/")
        seen: set[str] = set()
        left = [onward]
        while left:
            path = left.pop()
            status, _, text = ask(path)
            assert status == 200, path
            seen.add(path)
            linked = re.findall(r'(?:href|src)="([^"#]+)(?:#[^"]*)?"', text)
            forms = re.findall(r'action="([^"]+)"', text)
            assert all(each.startswith("/tracing/desk/") for each in (*linked, *forms))
            plain = {html.unescape(url).partition("?")[0] for url in linked}
            left += [url for url in plain - seen if url not in left]
        assert {"/tracing/desk/static/desk.css", "/tracing/desk/cases"} <= seen
        _, _, text = ask("/tracing/desk/cases")
        assert ask(
            "/tracing/desk/language",
            form_token=hidden(text, "form_token"),
            back=hidden(text, "back"),
            language="zh",
        )[:2] == (303, "/tracing/desk/cases")
        assert ask("/tracing/v1/health")[0] == 200
        assert ask("/tracing/v1/health/")[0] == 404  # no redirect that repeats the host
        document = json.loads(ask("/tracing/openapi.json")[2])
        assert document["servers"] == [{"url": "/tracing"}]
        upload = http.request("POST", f"{site}/v1/uploads", body=b"x" * 20_000)
        assert upload.status == 401  # not 413: its own limit holds here
        assert len(upload.data) + len(str(upload.headers)) > 600  # padded, as without the path
