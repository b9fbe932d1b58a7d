"""Where a chart may come from: an HTTPS repository, or an OCI registry; plain HTTP only on this machine.

A chart may do anything in the cluster, so whoever can change it on its way owns the cluster.
"""

import ipaddress
import re
from urllib.parse import urlsplit

SCHEMES = ("https", "http", "oci")
LONGEST = 2048
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")
_PATH = re.compile(r"^[A-Za-z0-9._~/-]*$")
_OCI_PATH = re.compile(r"^(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$")


def check_repository(url: str) -> None:
    """Raises ValueError, `what is wrong; remedy`; never with the URL itself, since a password may be in it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError("is not a URL; use https://host/path or oci://host/path") from error
    if parts.scheme not in SCHEMES:
        raise ValueError("must begin with https:// or oci://; a repo's short name is not known here")
    if "@" in parts.netloc:
        raise ValueError("must not hold a username or password; put them into AWS Secrets Manager, see credentials")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise ValueError("must end with its path; remove everything from ? or # on")
    if not (_HOST.match(host) or _is_ipv6(host)) or len(url) > LONGEST:
        raise ValueError("has no proper host name; use https://host/path or oci://host/path")
    if not (_OCI_PATH if parts.scheme == "oci" else _PATH).match(parts.path.rstrip("/")) or ".." in parts.path:
        raise ValueError("has a path that a chart repository cannot have; use https://host/path or oci://host/path")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError(
            "is not encrypted, and a chart may do anything in the cluster; use https:// or oci:// "
            "(http:// is for this machine only)"
        )


def is_oci(url: str) -> bool:
    return url.startswith("oci://")


def host_of(url: str) -> str:
    """`host` or `host:port`."""
    return urlsplit(url).netloc


def in_clear(url: str) -> bool:
    """Whether an OCI registry is asked without TLS: only one on this machine."""
    return is_oci(url) and is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False
