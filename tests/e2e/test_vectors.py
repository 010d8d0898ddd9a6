#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# timeout: 120
"""The committed vectors are what tests/vectors/make_vectors.py makes: it is
run again into an empty directory and each file compared byte for byte."""
import os
import subprocess
import sys
import tempfile

from harness import command, tap

VECTORS = os.path.join(command.TOP, "tests", "vectors")
NAMES = ["aead", "cell", "create", "kdf", "layer"]


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


@tap.test
def the_generator_makes_what_is_committed():
    with tempfile.TemporaryDirectory() as new:
        made = subprocess.run(
            [sys.executable, os.path.join(VECTORS, "make_vectors.py"), new],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        tap.equal(made.returncode, 0, made.stdout.decode("utf-8", "replace"))
        tap.equal(sorted(os.listdir(new)), [n + ".json" for n in NAMES])
        for name in os.listdir(new):
            tap.true(read(VECTORS, name) == read(new, name),
                     f"{name} is another; make vectors writes it")


tap.main()
