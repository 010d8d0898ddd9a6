# SPDX-License-Identifier: GPL-2.0-or-later
"""This process in a network namespace of its own, with a veth or none."""
import os
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


def veth_pair(mtu=1500):
    """ill0, which has an address, and ill1 at its other end."""
    ip("link", "add", "ill0", "mtu", str(mtu), "type", "veth", "peer", "name",
       "ill1")
    ip("link", "set", "ill1", "up")
    ip("link", "set", "ill0", "up")
    ip("address", "add", "10.9.0.1/24", "dev", "ill0")
