"""A private network for a real cluster: `python -m sandbox.control_plane.network COMMAND…` runs a command in one.

An API server refuses loopback addresses as endpoints, so pods, ClusterIPs and the API server itself need others. In a
network namespace that belongs to the run alone, the loopback interface takes whole ranges as its own: every process in
it may bind any address of them, without further set-up and without a trace outside. Nothing in it reaches the outside.

Root makes the namespace directly; others need user namespaces (on Debian and Ubuntu: sysctl
kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0). Linux only.
"""

import ctypes
import os
import socket
import sys
from pathlib import Path

from pyroute2 import IPRoute  # type: ignore[import-untyped]
from pyroute2.netlink.exceptions import NetlinkError  # type: ignore[import-untyped]

PODS = "192.168.0.0/16"
SERVICES = "10.100.0.0/16"
SERVERS = "172.31.0.0/24"
ADVERTISED = "172.31.0.1"
"""Where API servers say they are; each has a port of its own."""
KUBERNETES_SERVICE = "10.100.0.1"
"""The first address of SERVICES: that of the Service `kubernetes`."""

_NEW_MOUNTS, _NEW_USERS, _NEW_NETWORK = 0x00020000, 0x10000000, 0x40000000  # linux/sched.h
_MOUNT_RECURSIVE_PRIVATE = 0x4000 | 0x40000  # linux/mount.h: MS_REC, MS_PRIVATE
_LOCAL_TABLE, _HOST_SCOPE = 255, 254  # linux/rtnetlink.h
_LOWEST_PORT = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


class NetworkError(Exception):
    """There is no private network here, or the kernel refuses one; the message says what is needed."""


def enter() -> None:
    """Moves this process, which must not have threads yet, into a private network with the three ranges.

    Raises NetworkError. Its mounts become private too, so that a process in it may mount things for itself.
    """
    if sys.platform != "linux":
        raise NetworkError("a private network needs Linux's network namespaces")
    user, group = os.getuid(), os.getgid()
    try:
        _unshare(_NEW_NETWORK | _NEW_MOUNTS)
    except PermissionError:
        _enter_as_user(user, group)
    _check(_libc().mount(None, b"/", None, _MOUNT_RECURSIVE_PRIVATE, None), "mount --make-rprivate /")
    _set_up()


def require() -> None:
    """Raises NetworkError unless this process is in a private network as `enter` makes it."""
    for address in (ADVERTISED, KUBERNETES_SERVICE, "192.168.255.254"):
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
            except OSError as error:
                raise NetworkError(
                    f"a real control plane needs a private network, and {address} is not of this machine ({error}); "
                    "start it by: python -m sandbox.control_plane.network COMMAND"
                ) from error


def _enter_as_user(user: int, group: int) -> None:
    """In a user namespace where this user keeps its number (PostgreSQL refuses to run as root)."""
    try:
        _unshare(_NEW_USERS | _NEW_NETWORK | _NEW_MOUNTS)
    except OSError as error:
        raise NetworkError(
            f"the kernel refuses a private network ({error}); be root with CAP_SYS_ADMIN, or allow user namespaces: "
            "sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0"
        ) from error
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _LOWEST_PORT.write_text("1")  # for Services on 443: what this user could do in here ends with the next exec


def _set_up() -> None:
    try:
        with IPRoute() as kernel:
            loopback = kernel.link_lookup(ifname="lo")[0]
            kernel.link("set", index=loopback, state="up")
            for network in (PODS, SERVICES, SERVERS):
                kernel.route("add", dst=network, oif=loopback, type="local", table=_LOCAL_TABLE, scope=_HOST_SCOPE)
    except (OSError, NetlinkError) as error:
        raise NetworkError(f"the private network cannot be set up: {error}") from error


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _unshare(flags: int) -> None:
    _check(_libc().unshare(flags), "unshare")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def main() -> None:
    """Becomes the command, in a private network."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        enter()
        os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - the caller's own command
    except (NetworkError, OSError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
