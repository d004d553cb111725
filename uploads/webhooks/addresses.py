"""Where webhooks may lead: the Internet's addresses, never those of the network we stand in.

A name is resolved once, all it leads to is looked at, and the connection goes to what was looked at: a
name that leads elsewhere a moment later gains nothing by it. Pure but for `resolved`.
"""

import ipaddress
import socket
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import SplitResult, urlsplit

from django.utils.translation import gettext_noop

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LONGEST = 500  # characters of an address
FIRST_FREE_PORT = 1024  # below it only the web's own: nobody's mail or DNS server is spoken to in HTTP
WEB_PORTS = (80, 443)
# What `is_global` lets through and leads inwards all the same.
INWARDS = [
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocols' own; of it Python calls one or the other global
        "168.63.129.16/32",  # Azure's own services, asked from within
        "192.88.99.0/24",  # 6to4 relays
        "2001::/32",  # Teredo: holds an IPv4 address
        "2002::/16",  # 6to4: holds one as well
        "64:ff9b::/96",  # NAT64, which holds one
        "64:ff9b:1::/48",
        "::/96",  # IPv4-compatible, long out of use
        "fec0::/10",  # site-local, likewise
    )
]
# An operator who lets webhooks into private networks means neighbours, not the machine's own metadata.
NEIGHBOURS = [
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
]


class Refused(Exception):
    """A webhook may not lead there; `reason` says why, in a word that is stable."""

    sentences: ClassVar = {
        "scheme": gettext_noop("The address must begin with https:// or http://."),
        "host": gettext_noop("The address names no host."),
        "credentials": gettext_noop("The address must not hold a user or a password."),
        "port": gettext_noop("The port must be 80, 443, or 1024 and above."),
        "length": gettext_noop("The address is too long."),
        "private": gettext_noop("The address leads into a private network."),
    }

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(self.sentences[reason])


@dataclass(frozen=True)
class Target:
    """Where a message goes: what was asked for, and its host and port."""

    url: str
    host: str
    port: int


def target_of(url: str, *, private: bool) -> Target:
    """The parts of an address that a webhook may have, as far as can be told without asking for its name.

    Raises Refused. `private`: whether neighbours count as public.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = ascii_host(parts), parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        raise Refused("host") from None
    if parts.scheme not in {"http", "https"}:
        raise Refused("scheme")
    if not host:
        raise Refused("host")
    if parts.username is not None or parts.password is not None:
        raise Refused("credentials")
    if port not in WEB_PORTS and port < FIRST_FREE_PORT:
        raise Refused("port")
    netloc = f"[{host}]" if ":" in host else host
    netloc += f":{parts.port}" if parts.port else ""
    plain = parts._replace(netloc=netloc, fragment="").geturl()
    if len(plain) > LONGEST or not (plain.isascii() and plain.isprintable()) or " " in plain:
        raise Refused("length" if len(plain) > LONGEST else "host")
    check_literal(host, private=private)
    return Target(plain, host, port)


def ascii_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return host if host.isascii() else host.encode("idna").decode()


def check_literal(host: str, *, private: bool) -> None:
    """Refuse at once what needs no name to be asked for."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host.rstrip(".") == "localhost" and not private:
            raise Refused("private") from None
        return
    if not is_allowed(address, private=private):
        raise Refused("private")


def resolved(host: str, port: int, *, private: bool) -> list[str]:
    """The addresses this name leads to, all of them looked at. Raises Refused, or OSError where it leads nowhere."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(item[4][0]) for item in found))
    # One that leads inwards is enough: what would a name like that be for?
    if not all(is_allowed(ipaddress.ip_address(address), private=private) for address in addresses):
        raise Refused("private")
    return addresses


def is_allowed(address: IPAddress, *, private: bool) -> bool:
    """Whether a webhook may go to this address."""
    address = getattr(address, "ipv4_mapped", None) or address
    if private and is_within(address, NEIGHBOURS):
        return True
    reserved = address.is_multicast or address.is_reserved or address.is_unspecified
    return address.is_global and not reserved and not is_within(address, INWARDS)


def is_within(address: IPAddress, networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    return any(address in network for network in networks)
