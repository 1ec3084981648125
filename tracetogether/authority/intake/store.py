"""What intake and tracing need of a store: upload PINs, uploads, lists that are due."""

from __future__ import annotations  # the modules that define these types import this one

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from tracetogether.authority.cases.store import CaseStore

if TYPE_CHECKING:
    from tracetogether.authority.intake.pins import UploadPin
    from tracetogether.authority.intake.uploads import SealedUpload


class IntakeStore(CaseStore, Protocol):
    """A store as intake and tracing use it."""

    def put_pin(self, pin: UploadPin) -> None:
        """Store a PIN; it replaces the user's earlier one."""
        ...

    def try_pin(self, user_id: str, now: float) -> UploadPin | None:
        """Use up one try of the user's PIN, used or not, and return the PIN.

        Return None if the user has no PIN, it has expired at ``now``, or no try is left.
        """
        ...

    def pin(self, user_id: str) -> UploadPin | None:
        """Return the stored part of the user's last PIN, or None."""
        ...

    def use_pin(self, pin: UploadPin, attempt: bytes) -> bool:
        """Mark the PIN as used by ``attempt``; return False if it was used or replaced before."""
        ...

    def add_upload(self, upload: SealedUpload) -> bool:
        """Store an upload, and mark its case's list as due.

        Return False if an upload with the same token is or was stored.
        """
        ...

    def uploads(self, case_id: str) -> Sequence[SealedUpload]:
        """Return a case's uploads by time of receipt."""
        ...

    def upload_ids(self, case_id: str) -> Sequence[tuple[str, float]]:
        """Return token ids and times of receipt of a case's uploads, by time of receipt."""
        ...

    def all_upload_ids(self) -> Sequence[tuple[str, str]]:
        """Return case id and token id of every upload, sorted."""
        ...

    def claim_due_list(self, now: float, tried_before: float) -> tuple[str, float] | None:
        """Return the id of the case that has waited longest, and when its log came.

        The claim is stored, so that no other process takes the case too. Return None if no list
        is due that was last tried before ``tried_before``.
        """
        ...

    def due_list_done(self, case_id: str, came_at: float) -> None:
        """Mark a case's list as found, unless another log came after ``came_at``."""
        ...
