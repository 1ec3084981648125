"""The people that a phone keeps passes for: phone.charges in the folder of its node.

The names are on the phone alone. The authority knows a number for each person.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tracetogether.errors import ConflictError, InvalidRequestError, NotFoundError, StoreError
from tracetogether.names import unknown_name
from tracetogether.plain_text import hidden_in
from tracetogether.whole_file import read_secret, replace_secret

CHARGES: Final = "phone.charges"
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class NamedCharge:
    """A person that this phone keeps passes for.

    Attributes:
        name: as the owner of the phone calls the person.
        charge_id: the person's number at the authority.
        user_id: for a test: cases and restrictions name it.
    """

    name: str
    charge_id: str
    user_id: str = field(repr=False)

    @property
    def wallet(self) -> str:
        """The name of the file with this person's passes."""
        return f"phone.passes.{self.charge_id}"


def load_charges(folder: Path) -> list[NamedCharge]:
    """Return the people that the phone in ``folder`` keeps passes for, the oldest first.

    Raises:
        StoreError: the file is damaged, or others can read it.
    """
    path = folder / CHARGES
    if not path.exists():
        return []
    try:
        return [NamedCharge(**row) for row in json.loads(read_secret(path))]
    except (ValueError, TypeError):
        msg = f"{path} is damaged: delete it, and add the people again with codes from the desk"
        raise StoreError(msg) from None


def save_charges(folder: Path, charges: list[NamedCharge]) -> None:
    """Store them (mode 0600), and delete the passes of people who are not in the list.

    Raises:
        StoreError: they can't be written.
    """
    kept = {charge.wallet for charge in charges}
    for old in load_charges(folder):
        if old.wallet not in kept:
            (folder / old.wallet).unlink(missing_ok=True)
    replace_secret(folder / CHARGES, json.dumps([asdict(charge) for charge in charges]))


def charge_named(folder: Path, name: str) -> NamedCharge:
    """Return the person whom the owner of the phone calls ``name``.

    Raises:
        NotFoundError: there is none of this name; suggests one that is written alike.
    """
    charges = {charge.name: charge for charge in load_charges(folder)}
    if name not in charges:
        if not charges:
            msg = (
                "this phone keeps passes for nobody else: add the person with the code from the "
                "desk, by `tracetogether pass charge add NAME CODE`"
            )
            raise NotFoundError(msg, "no-such-charge")
        msg = unknown_name(name, charges, "person of the name")
        raise NotFoundError(msg, "no-such-charge")
    return charges[name]


def new_name(folder: Path, name: str) -> str:
    """Return a name for one more person, without blanks around it.

    Raises:
        InvalidRequestError: it is empty, too long, or more than a line of plain text.
        ConflictError: somebody has this name already.
    """
    given = name.strip()
    if not given or len(given) > _LONGEST_NAME or hidden_in(given):
        msg = f"give a name of 1 to {_LONGEST_NAME} characters, in one line of plain text"
        raise InvalidRequestError(msg, "charge-name")
    if any(charge.name == given for charge in load_charges(folder)):
        msg = f"this phone keeps passes for {given!r} already: choose another name"
        raise ConflictError(msg, "charge-name-taken")
    return given
