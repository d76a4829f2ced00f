"""Where outgoing connections may go, judged on the address itself when the socket is made.

The tables are written out here because the standard library's (`is_private`, `is_global`) differ between Python
versions. Sources: IANA special-purpose address registries; the clouds' documentation for their metadata services.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from msgspec import Struct

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
SocketFactory = Callable[[AddrInfo], socket.socket]

_NEVER: tuple[tuple[str, tuple[Network, ...]], ...] = (
    (
        "a metadata or link-local address",
        (
            IPv4Network("169.254.0.0/16"),
            IPv4Network("100.100.100.200/32"),  # Alibaba Cloud
            IPv4Network("168.63.129.16/32"),  # Azure's host agent
            IPv4Network("192.0.0.192/32"),  # Oracle Cloud
            IPv6Network("fe80::/10"),
            IPv6Network("fd00:ec2::/32"),  # Amazon EC2
            IPv6Network("fd20:ce::254/128"),  # Google Cloud
            IPv6Network("fd00:42::42/128"),  # Scaleway
        ),
    ),
    ("a multicast address", (IPv4Network("224.0.0.0/4"), IPv6Network("ff00::/8"))),
    (
        "an unspecified, broadcast or reserved address",
        (IPv4Network("0.0.0.0/8"), IPv4Network("240.0.0.0/4"), IPv6Network("::/128")),
    ),
    (
        "an address that hides another one",
        (
            IPv6Network("64:ff9b:1::/48"),  # NAT64 by local rules
            IPv6Network("2002::/16"),  # 6to4
            IPv6Network("2001::/32"),  # Teredo
            IPv6Network("::ffff:0:0:0/96"),  # IPv4-translated
        ),
    ),
)
_COMPATIBLE = IPv6Network("::/96")
_LOOPBACK_6 = IPv6Address("::1")
_NAT64 = IPv6Network("64:ff9b::/96")
_PRIVATE: tuple[Network, ...] = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
    IPv6Network("fec0::/10"),
)


class EgressDenied(OSError):  # noqa: N818 - reads as what happened
    """The address may not be connected to. The text names the rule, never the address: it may end in a log."""

    def __init__(self, why: str) -> None:
        super().__init__(errno.EACCES, why)


class Egress(Struct, frozen=True):
    """What the configuration allows and denies.

    Metadata, link-local, multicast and unspecified addresses are never allowed. Otherwise the longest network that
    holds the address decides, `deny` among equals; `private` counts as the shortest of all, so any `allow` wins
    over it. What nothing names is allowed.
    """

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()
    deny_private: bool = False

    def objection(self, text: str, allow: tuple[Network, ...] = ()) -> str | None:
        """Why this address (as text, perhaps with a zone) may not be connected to; None if it may.

        `allow` is what the channel itself allows besides.
        """
        try:
            address = _plain(ip_address(text.partition("%")[0]))
        except ValueError:
            return "no address"
        if address in _COMPATIBLE and address != _LOOPBACK_6:
            return _NEVER[2][0] if not int(address) else _NEVER[3][0]
        for why, networks in _NEVER:
            if _longest(address, networks) >= 0:
                return why
        allowed, denied = _longest(address, self.allow + allow), _longest(address, self.deny)
        if max(allowed, denied) >= 0:
            return "denied by egress.deny" if denied >= allowed else None
        if self.deny_private and _longest(address, _PRIVATE) >= 0:
            return "a private address, denied by egress.deny"
        return None

    def socket_factory(self, allow: tuple[Network, ...] = ()) -> SocketFactory:
        """Makes sockets only for addresses without objection, so that no lookup can change between check and use.

        The factory raises `EgressDenied`.
        """

        def make(info: AddrInfo) -> socket.socket:
            family, kind, protocol, _, address = info
            why = self.objection(str(address[0]), allow)
            if why is not None:
                raise EgressDenied(why)
            return socket.socket(family, kind, protocol)

        return make


def _plain(address: Address) -> Address:
    """The IPv4 address inside a mapped or NAT64 one: that is where the packets go."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _longest(address: Address, networks: tuple[Network, ...]) -> int:
    """Length of the longest prefix that holds the address, -1 if none does."""
    return max((network.prefixlen for network in networks if address in network), default=-1)
