"""Where a request comes from, as limits count it: an IPv4 address, or the /64 of an IPv6 one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

from tracetogether.errors import AuthorityError

_PREFIX: Final = 64  # one subscriber's line has at least this many addresses
_MOST_HOPS: Final = 32
_LONGEST: Final = 64  # characters of an address with brackets, zone and port

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def address_of(text: str) -> Address | None:
    """Return the address that a text is, without zone, brackets and port; None if it is none."""
    if len(text) > _LONGEST:
        return None
    host = text.strip()
    if host.startswith("["):
        host, bracket, port = host[1:].partition("]")
        if not bracket or (port and not _is_port(port)):
            return None
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
        if not _is_port(f":{port}"):
            return None
    try:
        found = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def source_of(address: str) -> str:
    """Return what is counted for an address: itself, or the /64 network of an IPv6 one."""
    found = address_of(address)
    if found is None:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(ip_network((found, _PREFIX), strict=False))


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Proxies whose word on where a request comes from is believed; nobody's by default."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Return the proxies at these addresses, or in these networks.

        Raises:
            AuthorityError: one is neither, or is every address there is.
        """
        return cls(tuple(map(_network, texts)))

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the address of the client behind a connection.

        Args:
            peer: who has connected.
            forwarded: values of X-Forwarded-For, in the order of the header lines.

        Returns:
            ``peer``, unless that is a trusted proxy: then the last address in the header that is
            no trusted proxy's. What stands before something that is no address is not believed.
        """
        found = address_of(peer)
        if found is None or not self._has(found):
            return peer
        hops = ",".join(forwarded).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]
        for hop in reversed(hops):
            named = address_of(hop)
            if named is None:
                break
            found = named
            if not self._has(found):
                break
        return str(found)

    def trusts(self, peer: str) -> bool:
        """Return whether a connection is a trusted proxy's."""
        found = address_of(peer)
        return found is not None and self._has(found)

    def _has(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def _network(text: str) -> Network:
    try:
        found = ip_network(text.strip())
    except ValueError:
        msg = (
            f"{text!r} is neither an address nor a network: give one such as 192.0.2.7, "
            "10.0.0.0/8 or fd00::/64"
        )
        raise AuthorityError(msg) from None
    if found.prefixlen == 0:
        msg = f"{text} covers every address, so anyone could claim any: name the proxies"
        raise AuthorityError(msg)
    return found


def _is_port(text: str) -> bool:
    digits = text.removeprefix(":")
    return text.startswith(":") and digits.isascii() and digits.isdecimal() and len(digits) <= 5
