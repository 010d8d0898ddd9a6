# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of the programs that every user can reach.

The tree may stand below a directory that is its owner's alone, as one of
mktemp -d; a program that another user runs, or becomes, starts from here.
"""
import os
import shutil

from . import command, place, tap

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


class Staged:
    """bin and lib as the build has them, and rooms of tests/ beside them;
    gone with the test."""

    def __init__(self, *rooms):
        self.top = place.new_open_dir("staged")
        tap.after(shutil.rmtree, self.top)
        self.bin = os.path.join(self.top, "build", "bin")
        built = os.path.dirname(os.path.abspath(command.BIN))
        for part in ("bin", "lib/vx6"):
            if os.path.isdir(os.path.join(built, part)):
                shutil.copytree(os.path.join(built, part),
                                os.path.join(self.top, "build", part))
        for room in rooms:
            shutil.copytree(os.path.join(TESTS, room),
                            os.path.join(self.top, "tests", room),
                            ignore=shutil.ignore_patterns("__pycache__"))

    def environment(self):
        """What names the places in a program's environment."""
        return {"VX6_TOP": self.top, "VX6_BIN": self.bin,
                "VX6_BUILD": os.path.dirname(self.bin),
                "VX6_CMD": os.path.join(self.bin, "vx6")}
