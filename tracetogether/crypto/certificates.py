"""X.509 certificates of servers, and of those who sign passes."""

from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms

from tracetogether.crypto.public_keys import KID_BYTES, VerifyingKey
from tracetogether.crypto.sealing import sha256
from tracetogether.errors import TrustError


def certificate_span(pem: bytes) -> tuple[float, float]:
    """Return when the first certificate of a PEM file begins and ends to be valid, epoch seconds.

    Raises:
        ValueError: there is none.
    """
    found = x509.load_pem_x509_certificate(pem)
    return found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()


@dataclass(frozen=True, slots=True)
class SignerCertificate:
    """What an X.509 certificate says of a key that signs passes.

    Attributes:
        key: its public key.
        kid: the first 8 bytes of SHA-256 of the certificate.
        country: the subject's country; "" if there is none.
        from_time: valid from, epoch seconds.
        until_time: valid until, epoch seconds.
        uses: object identifiers of its extended key usage, as "1.3.6.1.5.5.7.3.1".
    """

    key: VerifyingKey
    kid: bytes
    country: str
    from_time: float
    until_time: float
    uses: frozenset[str]


def read_certificates(data: bytes) -> list[SignerCertificate]:
    """Read all certificates of a PEM file, or one in DER. Their own signatures are not checked.

    Raises:
        TrustError: there is none, or a key is neither P-256 nor RSA.
    """
    try:
        pem = data.lstrip().startswith(b"-----")
        found = (
            x509.load_pem_x509_certificates(data) if pem else [x509.load_der_x509_certificate(data)]
        )
        return [_signer_certificate(certificate) for certificate in found]
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise TrustError("the file holds no X.509 certificate", "certificate-file") from None


def _signer_certificate(found: x509.Certificate) -> SignerCertificate:
    countries = found.subject.get_attributes_for_oid(x509.NameOID.COUNTRY_NAME)
    try:
        usage = found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        uses = frozenset(use.dotted_string for use in usage)
    except x509.ExtensionNotFound:
        uses = frozenset()
    return SignerCertificate(
        key=VerifyingKey(found.public_key()),
        kid=sha256(found.public_bytes(forms.Encoding.DER))[:KID_BYTES],
        country=str(countries[0].value) if countries else "",
        from_time=found.not_valid_before_utc.timestamp(),
        until_time=found.not_valid_after_utc.timestamp(),
        uses=uses,
    )
