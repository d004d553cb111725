"""Where webhooks may lead, and where they must not."""

import ipaddress
import socket

import pytest

from uploads.webhooks.addresses import Refused, is_allowed, resolved, target_of

# ruff: noqa: S104 - nothing is bound to here
INNER = [
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "0.0.0.0"),
    *("169.254.169.254", "192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1", "100::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "64:ff9b::7f00:1"),
    *("2002:7f00:1::", "2001:0:7f00:1::", "64:ff9b:1::1"),
]
OUTER = ["1.1.1.1", "93.184.215.14", "172.32.0.1", "192.169.0.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"]
NEIGHBOURS = {
    *("127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1"),
    *("::1", "fc00::1", "fd12::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
}


@pytest.mark.parametrize("text", INNER)
def test_inner_address__is_refused(text):
    assert not is_allowed(ipaddress.ip_address(text), private=False)


@pytest.mark.parametrize("text", OUTER)
def test_outer_address__is_allowed(text):
    assert is_allowed(ipaddress.ip_address(text), private=False)


@pytest.mark.parametrize("text", INNER)
def test_private__lets_in_neighbours_and_nothing_else(text):
    assert is_allowed(ipaddress.ip_address(text), private=True) == (text in NEIGHBOURS)


@pytest.mark.parametrize("text", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost", "::ffff:7f00:1"])
def test_name__that_leads_inwards_in_any_spelling_is_refused(text):
    with pytest.raises(Refused, match="private"):
        resolved(text, 80, private=False)


def test_name__that_leads_both_ways_is_refused(monkeypatch):
    found = [(socket.AF_INET, 1, 6, "", (address, 80)) for address in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Refused, match="private"):
        resolved("both.example", 80, private=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://example.org:80/", "scheme"),
        ("", "scheme"),
        ("example.org/hook", "scheme"),
        ("https:///hook", "host"),
        ("http://[::1", "host"),
        ("http://exa mple.org/", "host"),
        ("http://example.org/a b", "host"),
        ("http://example.org:99999/", "host"),
        ("https://user:password@example.org/", "credentials"),
        ("https://@example.org/", "credentials"),
        ("http://example.org:25/", "port"),
        ("http://example.org:22/", "port"),
        ("http://example.org/" + "a" * 500, "length"),
        ("http://127.0.0.1/", "private"),
        ("http://[::1]:8000/", "private"),
        ("http://[::ffff:10.0.0.1]/", "private"),
        ("http://localhost:8000/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "private"),
    ],
)
def test_address__that_is_none_for_a_webhook_is_refused_with_its_reason(url, reason):
    with pytest.raises(Refused) as error:
        target_of(url, private=False)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://example.org/hook?a=b#c", "example.org", 443),
        ("http://EXAMPLE.org:8080", "example.org", 8080),
        ("https://müller.example/hook", "xn--mller-kva.example", 443),
        (" https://[2606:4700:4700::1111]:8443/x ", "2606:4700:4700::1111", 8443),
    ],
)
def test_address__comes_with_its_host_and_port(url, host, port):
    target = target_of(url, private=False)
    assert (target.host, target.port) == (host, port)
    assert target.url.isascii()
    assert "#" not in target.url
