# SPDX-License-Identifier: GPL-2.0-or-later
"""This process in a network namespace of its own, with a veth or none."""
import ctypes
import fcntl
import os
import socket
import struct
import subprocess

from harness import tap


def ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True)
    if done.returncode:
        raise tap.Failed(f"ip {' '.join(args)}: {done.stderr}")


def fresh_network():
    """A namespace with nothing but lo."""
    if os.geteuid() != 0:
        raise tap.Skip("root: not root")
    try:
        os.unshare(os.CLONE_NEWNET)
    except OSError as e:
        raise tap.Skip(f"netns: {e.strerror}")
    ip("link", "set", "lo", "up")


def is_up(name):
    """With a carrier, as the kernel tells everybody."""
    done = subprocess.run(["ip", "link", "show", name], capture_output=True,
                          text=True)
    return " state UP " in done.stdout


def veth_pair(mtu=1500):
    """ill0, which has an address, and ill1 at its other end."""
    ip("link", "add", "ill0", "mtu", str(mtu), "type", "veth", "peer", "name",
       "ill1")
    ip("link", "set", "ill1", "up")
    ip("link", "set", "ill0", "up")
    ip("address", "add", "10.9.0.1/24", "dev", "ill0")
    tap.wait(lambda: is_up("ill0"), "ill0 to be up")


def channels(name, cnt):
    """What ethtool -L NAME rx CNT tx CNT does; the carrier goes for a moment
    with it."""
    all9 = struct.Struct("=9I")  # ethtool_channels; rx and tx are 5 and 6
    words = ctypes.create_string_buffer(all9.size)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for cmd in (0x3c, 0x3d):  # ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS
            was = all9.unpack(words.raw)
            all9.pack_into(words, 0, cmd, *was[1:5], *2 * [cnt], *was[7:])
            fcntl.ioctl(s, 0x8946, struct.pack(  # SIOCETHTOOL
                "16sP8x", name.encode(), ctypes.addressof(words)))
    tap.wait(lambda: is_up(name), f"{name} to be up again")
