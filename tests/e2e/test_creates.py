#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay is sent CREATEs by a neighbour who means it no good.

      before ===> relay ===> behind

Copies and what was seen before cost it no public-key work, garbage fills no
cache, one session has its share of the thread pool and no more, and many
sessions from one prefix are worth no more than a few.  What is good is built
meanwhile, and nothing of it is left.
"""
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import load, tap
from harness.udp import Udp

COUNT = 500
MANY = 6000
SHARE = 8
# load_create has 256 under way at once: no share of the pool refuses one
FREELY = {"create_rate": 100_000, "create_burst": 100_000,
          "create_prefix_rate": 100_000, "create_prefix_burst": 100_000,
          "create_jobs": 512, "create_session_jobs": 512,
          "create_prefix_jobs": 512}


@tap.once
def pair():
    return load.Creates(limits=FREELY)


def told(batch, by=pair):
    """What became of a batch, and what it cost the relay."""
    was = by().counts()["creates"]
    got = by().batch(batch) if batch else by().go()
    now = by().counts()["creates"]
    tap.equal((got["lost"], now["jobs"]), (0, 0), "answers")
    return got, {k: now[k] - was[k] for k in ("opened", "replay_keys")}


@tap.test
def good_ones_stand():
    got, cost = told(f"make {COUNT}")
    tap.equal((got["ok"], got["failed"]), (COUNT, {}))
    tap.equal(cost, {"opened": COUNT, "replay_keys": COUNT})
    pair().end()


@tap.test
def copies_are_opened_once():
    """All of them together: most come while the first is worked on."""
    got, cost = told(f"copy {COUNT}")
    tap.equal((got["ok"], got["failed"]), (1, {"REPLAYED": COUNT - 1}))
    tap.equal(cost, {"opened": 1, "replay_keys": 1})


@tap.test
def what_was_seen_is_not_opened():
    got, _ = told("make 100")
    tap.equal(got["ok"], 100)
    got, cost = told(None)
    tap.equal((got["ok"], got["failed"]), (0, {"REPLAYED": 100}))
    tap.equal(cost, {"opened": 0, "replay_keys": 0})


@tap.test
def garbage_is_not_remembered():
    got, cost = told(f"garbage {COUNT}")
    tap.equal((got["ok"], got["failed"]), (0, {"BAD_SLOT": COUNT}))
    tap.equal(cost, {"opened": COUNT, "replay_keys": 0})


@tap.test
def a_session_has_its_share():
    narrow = load.Creates(limits=dict(FREELY, create_session_jobs=SHARE))
    got, cost = told(f"make {COUNT}", lambda: narrow)
    tap.equal(got["ok"] + got["failed"]["RATE"], COUNT)
    tap.equal(got["ok"], cost["opened"])
    tap.equal(narrow.counts()["creates"]["jobs_most"], SHARE)
    tap.equal(narrow.counts()["creates"]["over_session"],
              got["failed"]["RATE"])
    narrow.stop()


@tap.test
def a_prefix_has_its_share():
    narrow = load.Creates(limits=dict(FREELY, create_prefix_jobs=SHARE))
    got, cost = told(f"make {COUNT}", lambda: narrow)
    tap.equal(got["ok"] + got["failed"]["RATE"], COUNT)
    tap.equal(got["ok"], cost["opened"])
    now = narrow.counts()["creates"]
    tap.equal((now["jobs_most"], now["over_session"], now["over_prefix"]),
              (SHARE, 0, got["failed"]["RATE"]))
    narrow.stop()


@tap.test
def the_bucket_comes_first():
    rate, burst = 1, 256
    slow = load.Creates(limits=dict(FREELY, create_rate=rate,
                                    create_burst=burst))
    got, cost = told(f"garbage {4 * burst}", lambda: slow)
    tap.true(burst <= cost["opened"] <= burst + rate * (
        1 + got["ns"] // 10**9), f"{cost['opened']} were opened")
    tap.equal(got["failed"], {"BAD_SLOT": cost["opened"],
                              "RATE": 4 * burst - cost["opened"]})
    slow.stop()


@tap.test
def a_prefix_has_one_bucket():
    """Two neighbours in one IPv4 /24, and a third in another."""
    burst, each = 300, 200
    by = load.Creates(limits=dict(FREELY, create_prefix_rate=1,
                                  create_prefix_burst=burst))
    twin = by.sender("twin", f"{by.net.prefix}.1")
    second = by.sender("second", f"{by.net.prefix}.2")
    other = by.sender("other", "127.251.1.1")
    began = time.monotonic()
    got = by.batch(f"make {each}", twin)
    tap.equal((got["ok"], got["failed"]), (each, {}))
    got = by.batch(f"make {each}", second)
    since = int(time.monotonic() - began) + 1
    tap.true(burst <= each + got["ok"] <= burst + since,
             f"{each} and {got['ok']} in {since} s")
    tap.equal(got["failed"], {"RATE": each - got["ok"]})
    over = got["failed"]["RATE"]
    got = by.batch(f"make {each}", other)
    tap.equal((got["ok"], got["failed"]), (each, {}), "another prefix")
    now = by.counts()["creates"]
    tap.equal({k: now[k] for k in ("over_session", "over_prefix",
                                   "prefixes_crowded")},
              {"over_session": 0, "over_prefix": over,
               "prefixes_crowded": 0})
    by.stop()


@tap.test
def a_forged_source_has_no_bucket():
    """A session's datagrams begin to come from another prefix, where nobody
    answers what the relay asks."""
    burst = 100
    way = Udp()
    by = load.Creates(limits=dict(FREELY, create_prefix_rate=1,
                                  create_prefix_burst=burst), by=way)
    began = time.monotonic()
    got = by.batch(f"make {burst}")
    tap.equal((got["ok"], got["failed"]), (burst, {}))
    by.say(f"make {burst}")
    way.forge("127.251.7.1")
    by.before.vx6d.stdin.write("go\n")
    by.before.vx6d.stdin.flush()
    # no word comes back, so it is what one window holds
    tap.wait(lambda: by.counts()["creates_in"] >= burst + 16, "some of them")
    now = by.counts()
    since = int(time.monotonic() - began) + 1
    tap.true(burst <= now["creates"]["opened"] <= burst + since,
             f"{now['creates']} after {since} s")
    by.stop()


@tap.test
def all_at_once_end():
    """More than vx6d has commands in its queue to the data plane."""
    got, _ = told(f"make {MANY}")
    tap.equal((got["ok"], got["failed"]), (MANY, {}))
    pair().end()
    tap.wait(none_left, "the half-circuits to be gone")


def none_left():
    """A question for numbers finds room in a queue full of commands."""
    stats = pair().relay.api("stats")["dataplane"]
    tap.true(stats is not None, "the data plane has no numbers")
    return stats["halves"] == 0


@tap.test
def a_full_queue_has_room_for_a_question():
    """The data plane stands still while more half-circuits end than there is
    room for in vx6d's queue to it."""
    by = pair()
    got, _ = told(f"make {MANY}")
    tap.equal(got["ok"], MANY)
    late = by.net.relay("late")
    by.net.start("late")
    by.relay.plane.send_signal(signal.SIGSTOP)
    tap.after(by.relay.plane.send_signal, signal.SIGCONT)
    by.say("end")
    # on the same stream, so it comes when all of them are destroyed
    by.before.learn(late.record())
    tap.wait(lambda: "late" in by.relay.peers(), "the news behind them")
    with by.relay.api.open("stats") as call:
        call.sock.sendall(b'{"id":2,"cmd":"peer.list"}\n')
        first = json.loads(call.file.readline())
        by.relay.plane.send_signal(signal.SIGCONT)
        tap.equal(first["id"], 2, "what is answered while it stands still")
        tap.true(call.done()["dataplane"] is not None, "its numbers")
    tap.wait(none_left, "the half-circuits to be gone")


tap.main(load.lacking())
