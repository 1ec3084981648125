"""A certificate and its key, looked at before the server starts: what is wrong is one line."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from tracetogether.crypto import certificate_span
from tracetogether.errors import AuthorityError


def check_certificate(cert: Path, key: Path | None, now: float) -> None:
    """Return if a server can use a certificate and its private key at ``now`` (epoch seconds).

    Raises:
        AuthorityError: they can't be read or don't go together, the key is encrypted, or the
            certificate is not valid now.
    """
    try:
        span = certificate_span(cert.read_bytes())
        (key or cert).read_bytes()
    except OSError as error:
        msg = f"can't read {error.filename}: {error.strerror}"
        raise AuthorityError(msg) from None
    except ValueError:
        msg = f"can't use the certificate {cert}: it holds no certificate in PEM"
        raise AuthorityError(msg) from None
    for wrong, word, moment in (
        (now < span[0], "is not valid before", span[0]),
        (now >= span[1], "has expired on", span[1]),
    ):
        if wrong:
            day = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")
            msg = f"the certificate {cert} {word} {day} UTC: give a renewed one, or set the clock"
            raise AuthorityError(msg)
    asked = False

    def password() -> str:
        nonlocal asked
        asked = True
        return ""

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise AuthorityError(_why(cert, key, error, encrypted=asked)) from None


def _why(cert: Path, key: Path | None, error: Exception, *, encrypted: bool) -> str:
    if encrypted:
        return (
            f"the private key in {key or cert} is encrypted, and nobody is there to type its "
            "password: decrypt it (openssl pkey -in KEY -out NEW) and keep it at mode 600"
        )
    reason = getattr(error, "reason", "") or ""
    if reason == "KEY_VALUES_MISMATCH":
        return f"can't use the certificate {cert}: the key in {key or cert} is another's"
    if key is None:
        return f"can't use the certificate {cert}: it holds no private key; give --tls-key"
    return f"can't use the certificate {cert}: {key} holds no private key in PEM"
