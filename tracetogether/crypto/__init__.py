"""The only room that knows the cryptography library: sealing, derivation, digests, signatures.

Everything is a thin, deterministic form over it: IVs and keys come in as arguments.
"""

from tracetogether.crypto.agreement import (
    AgreementKey,
    ed25519_public,
    ed25519_sign,
    ed25519_verify,
    x25519_public,
    x25519_shared,
)
from tracetogether.crypto.certificates import (
    SignerCertificate,
    certificate_span,
    read_certificates,
)
from tracetogether.crypto.public_keys import (
    ES256,
    KID_BYTES,
    PS256,
    OpeningKey,
    SigningKey,
    VerifyingKey,
    signature_from_der,
    signature_in_der,
)
from tracetogether.crypto.sealing import (
    BLOCK_BYTES,
    IV_BYTES,
    KEY_BYTES,
    TAG_BYTES,
    Aead,
    aes_blocks,
    aes_blocks_many,
    aes_cbc_open,
    aes_cbc_seal,
    derive,
    equal,
    hkdf16_many,
    hmac_many,
    hmac_sha256,
    keyed_stream,
    sha256,
)

__all__ = [
    "BLOCK_BYTES",
    "ES256",
    "IV_BYTES",
    "KEY_BYTES",
    "KID_BYTES",
    "PS256",
    "TAG_BYTES",
    "Aead",
    "AgreementKey",
    "OpeningKey",
    "SignerCertificate",
    "SigningKey",
    "VerifyingKey",
    "aes_blocks",
    "aes_blocks_many",
    "aes_cbc_open",
    "aes_cbc_seal",
    "certificate_span",
    "derive",
    "ed25519_public",
    "ed25519_sign",
    "ed25519_verify",
    "equal",
    "hkdf16_many",
    "hmac_many",
    "hmac_sha256",
    "keyed_stream",
    "read_certificates",
    "sha256",
    "signature_from_der",
    "signature_in_der",
    "x25519_public",
    "x25519_shared",
]
