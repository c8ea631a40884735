"""A real server for the tests, and tablets enrolled with it."""

import asyncio
import itertools
import json
import os
import secrets
import subprocess
import tempfile
from pathlib import Path

import wayside

PROGRAM = os.environ["WAYSIDE"]
BY = wayside.By(staff="nurse-1")


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

    def run(self, *arguments):
        command = [PROGRAM, *arguments, "--data", self.data]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
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


def record(tablet, line, by=BY):
    return tablet.record(json.dumps(line), by)


def shown(tablet, record):
    return json.loads(tablet.show(record).json)


def sync(tablet, progress=None):
    return asyncio.run(tablet.sync(progress))
