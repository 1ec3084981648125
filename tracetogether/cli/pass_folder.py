"""The passes of a phone: phone.passes in the folder of its node, written privately and whole."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tracetogether.adapters.http_client import AuthorityClient
from tracetogether.cli.folder_locks import locked
from tracetogether.cli.node_folder import CREDENTIAL, NodeSettings
from tracetogether.healthcode.wallet import HeldPass, Wallet
from tracetogether.phone_registration import PhoneRegistration
from tracetogether.whole_file import read_secret, replace_secret

PASSES: Final = "phone.passes"


@contextmanager
def opened_phone(folder: Path) -> Iterator[AuthorityClient]:
    """Yield a client of the authority that speaks for the phone in ``folder``.

    Raises:
        StoreError: there is no phone, or its files are damaged.
    """
    settings = NodeSettings.load(folder)
    registered = PhoneRegistration.load(folder / CREDENTIAL)
    with settings.client(registered.credential) as client:
        yield client


def load_wallet(path: Path) -> Wallet:
    """Return the passes in a file; an empty wallet if none were fetched yet.

    Raises:
        StoreError: the file is damaged, or others can read it.
    """
    if not path.exists():
        return Wallet()
    try:
        given = json.loads(read_secret(path))
    except ValueError:
        given = None
    return Wallet.from_json(given)


def save_wallet(path: Path, wallet: Wallet) -> None:
    """Store the passes (mode 0600), whole or not at all, and wipe the earlier ones.

    Raises:
        StoreError: they can't be written.
    """
    replace_secret(path, json.dumps(wallet.to_json()))


def fetch_into(
    path: Path, client: AuthorityClient, now: float, charge_id: str | None = None
) -> Wallet:
    """Fetch passes from the authority, store them, and return the wallet.

    Args:
        path: the file of the passes.
        client: speaks for the phone.
        now: epoch seconds.
        charge_id: a person without a phone whom the passes are for; None for the phone's owner.

    Raises:
        UnreachableError: the authority does not answer; what was stored still stands.
        NotFoundError: the phone keeps passes for this person no more.
    """
    fetched = client.fetch_passes(charge_id)
    with locked(path.parent):
        wallet = load_wallet(path).with_fetched(fetched, now)
        save_wallet(path, wallet)
    return wallet


def take_pass(path: Path, now: float) -> HeldPass | None:
    """Return the pass to show at ``now``, and store that it is shown; None if none is valid.

    Two commands at the same time get two different passes.
    """
    with locked(path.parent):
        chosen, wallet = load_wallet(path).choose(now)
        if chosen is not None:
            save_wallet(path, wallet)
    return chosen
