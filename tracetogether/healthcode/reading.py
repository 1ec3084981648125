"""Read the text of a code: which kind of pass it is, and what it claims. Nothing is judged here."""

import re
from typing import Final

from tracetogether.errors import UnreadableMessageError
from tracetogether.healthcode import nzcp
from tracetogether.healthcode.dcc import read_dcc
from tracetogether.healthcode.passclaim import PassClaim
from tracetogether.healthcode.passes import EARLY_S, Pass
from tracetogether.signed import cose, hcert
from tracetogether.signed.claims import read_claims
from tracetogether.signed.cose import SignedMessage
from tracetogether.signed.trust import PASS

_SMART: Final = re.compile(r"shc:/|eyJ[\w-]*\.[\w-]*\.[\w-]*$", re.IGNORECASE)  # code, file


def read_code(text: str) -> tuple[SignedMessage, PassClaim]:
    """Return the message in a code's text, and what it claims to be.

    Raises:
        UnreadableMessageError: it breaks a rule of its format, or is of no kind that is read here.
    """
    if text.startswith(nzcp.PREFIX):
        return nzcp.read_nzcp(text)
    if _SMART.match(text):
        raise UnreadableMessageError("SMART Health Cards are not read here", "not-supported")
    message = cose.read(hcert.from_text(text))
    claims = read_claims(message.payload, most_bytes=hcert.MOST_BYTES)
    own = Pass.from_claims(claims)
    found = read_dcc(claims, message.signature_start) if own is None else _own(own)
    if found is None:
        raise UnreadableMessageError("the message holds no pass of a known kind", "unknown-kind")
    return message, found


def _own(own: Pass) -> PassClaim:
    return PassClaim(
        kind=PASS,
        issuer=own.issuer,
        not_before=own.not_before,
        expires=own.expires,
        marks=(own.number,),
        early_s=EARLY_S,
        hint=own.hint,
    )
