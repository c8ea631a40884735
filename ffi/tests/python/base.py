"""A real server for the tests, tablets enrolled with it, and what test cases share."""

import asyncio
import itertools
import json
import os
import secrets
import subprocess
import tempfile
import unittest
from pathlib import Path

import wayside

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ["WAYSIDE"]
BY = wayside.By(staff="nurse-1")
KINDS = [wayside.Kind.SITE, wayside.Kind.SESSION, wayside.Kind.PERSON, wayside.Kind.CONTACT]


class Base:
    """`wayside serve` in a directory that goes away. It can be stopped and started again at the same address."""

    def __init__(self):
        self.room = tempfile.TemporaryDirectory(prefix="wayside-python-")
        self.path = Path(self.room.name)
        self.data = self.path / "server"
        self.listen = "127.0.0.1:0"
        self.running = None
        self.log = open(self.path / "server.log", "wb")
        self.numbers = itertools.count(1)

    def start(self):
        command = [PROGRAM, "serve", "--data", self.data, "--listen", self.listen]
        self.running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        # It says so once it does; if it ends instead, this is the empty end of its output.
        said = self.running.stdout.readline()
        if "https://" not in said:
            raise RuntimeError("The server did not start: " + (self.path / "server.log").read_text())
        self.listen = said.strip().rsplit("https://", 1)[1]

    def stop(self):
        running, self.running = self.running, None
        running.terminate()
        try:
            running.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()

    def close(self):
        if self.running:
            self.stop()
        self.log.close()
        self.room.cleanup()

    def run(self, *arguments, typed=None):
        command = [PROGRAM, *arguments, "--data", self.data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, input=typed)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json"))

    def team(self):
        """A new team's name."""
        name = f"Team {next(self.numbers)}"
        self.run("team", "add", name)
        return name

    def code(self, team):
        return self.run("enrol-code", "--team", team)

    def directory(self):
        return str(self.path / f"tablet-{next(self.numbers)}")

    def tablet(self, team=None):
        """A new tablet, enrolled where a team is named."""
        tablet = wayside.Tablet.open(self.directory(), secrets.token_bytes(32))
        if team:
            asyncio.run(tablet.enrol(self.code(team), "Van"))
        return tablet


base = Base()


def shown(tablet, record):
    return json.loads(tablet.show_json(record))


def sync(tablet, progress=None):
    return asyncio.run(tablet.sync(progress))


class Keys(wayside.TabletKeys):
    """A key store in memory."""

    def __init__(self, key=None):
        self.key = key

    def load(self):
        return self.key

    def save(self, key):
        self.key = key

    def forget(self):
        self.key = None


class Case(unittest.TestCase):
    def refused(self, code, call, *arguments, retry=False, **named):
        """What a call that must fail said."""
        with self.assertRaises(wayside.WaysideError) as caught:
            call(*arguments, **named)
        error = caught.exception
        self.assertEqual(error.code, code)
        self.assertEqual(error.retry, retry)
        self.assertTrue(error.message.strip())
        details = error.details()
        self.assertEqual((details.code, details.message, details.retry), (code, error.message, retry))
        return error

    def synced(self, tablet, progress=None):
        report = sync(tablet, progress)
        self.assertIsNone(report.error)
        self.assertTrue(report.in_sync, report)
        return report

    def synced_after_cancel(self, tablet):
        """As an app would: the step that was under way when a sync was cancelled ends by itself."""
        while (report := sync(tablet)).error and report.error.code == "sync_running":
            pass
        self.assertIsNone(report.error)
        self.assertTrue(report.in_sync)

    def assert_same_at_base(self, tablet):
        """Base holds the records of this tablet's team, and shows them like the tablet. Their contacts."""
        [team] = tablet.status().teams
        for kind in KINDS:
            here = {item["id"]: item for item in json.loads(tablet.list_json(kind))}
            there = base.json("list", "--kind", kind.name.lower())
            there = {item["id"]: item for item in there if item["team"] == team.id}
            self.assertEqual(here, there)
        return {item["id"] for item in json.loads(tablet.list_json(wayside.Kind.CONTACT))}
