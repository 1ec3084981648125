"""Rows of the threat model on visits; see docs/explanation/threat-model.md."""

import os
from dataclasses import replace

import pytest

from simulations.studies.leaks_of_contacts import START
from simulations.studies.leaks_of_visits import visit_rows
from tests.presence.test_posters import NZ_PLACE, nz
from tests.test_plain_text import EVIL
from tracetogether.crypto import SigningKey
from tracetogether.errors import SealError, TrustError, UnreadableMessageError
from tracetogether.presence.packages import WarningPackage, read_package, write_package
from tracetogether.presence.posters import make_poster
from tracetogether.presence.posters_of_others import read_any_poster
from tracetogether.presence.sealed import SealedVisit, WarnedTime
from tracetogether.signed.trust import WARNINGS, TrustedKey, TrustList


def test_threat_watched_check_sends_the_same_requests_wherever_somebody_was() -> None:
    row = next(row for row in visit_rows(START, 2) if row.feature == "visit")
    assert row.bits == 0


def test_threat_poster_text_with_hidden_characters_is_refused() -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        make_poster(EVIL, entropy=os.urandom)
    assert caught.value.code == "poster-texts"
    with pytest.raises(UnreadableMessageError):
        read_any_poster(nz({**NZ_PLACE, "adr": EVIL}))


def test_threat_forged_warning_by_another_key_or_changed_bytes_is_not_believed() -> None:
    own, stranger = SigningKey.generate(), SigningKey.generate()
    kid = own.public.kid
    row = TrustedKey(kid, own.public, "SG_MOH", "", frozenset({WARNINGS}), 0, 2e9)
    package = WarningPackage(450_000, organisation="SG_MOH")
    assert read_package(write_package(package, own, kid), TrustList([row])).hour == 450_000
    with pytest.raises(TrustError):
        read_package(write_package(package, stranger, kid), TrustList([row]))
    sealed = SealedVisit.seal(bytes(32), WarnedTime(2_700_000, 3), os.urandom)
    for changed in (replace(sealed, iv=bytes(16)), replace(sealed, ciphertext=bytes(16))):
        with pytest.raises(SealError):
            changed.open(bytes(32))
