"""The API from outside. Starts a server with a tablet beside it, runs the script of docs/api.md as it stands there, and
holds the server against its OpenAPI document with schemathesis.

Usage: check.py WAYSIDE TABLET, the two programs. Prints a line for each test, `N passed, N failed, N skipped`."""

import datetime
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

import requests

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from checks import end, test

WAYSIDE, TABLET = sys.argv[1:]
HERE = pathlib.Path(__file__).resolve()
SCRIPT = re.search(r"```python\n(.*?)```", (HERE.parents[2] / "docs/api.md").read_text(), re.S)[1]
SCOPES = ["read", "write", "fhir", "extract", "extract_pseudonymous", "urgent"]


def command(program, *arguments, stdin=None):
    return subprocess.run([program, *arguments], input=stdin, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


class Lines:
    """What a program prints, line by line, waited for."""

    def __init__(self, process):
        self.process, self.lines = process, queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(line.strip())
        self.lines.put(None)

    def next(self, begins=""):
        while True:
            line = self.lines.get(timeout=120)
            if line is None:
                raise EOFError(f"it ended: {self.process.wait()}")
            if line.startswith(begins):
                return line


class Base:
    """A server on a data directory, and a tablet of its team."""

    def __init__(self, room):
        self.data, self.tablet = f"{room}/base", f"{room}/van"
        self.listen, self.pages = "127.0.0.1:0", "127.0.0.1:0"
        self.start()
        command(WAYSIDE, "team", "add", "North", "--data", self.data)
        code = command(WAYSIDE, "enrol-code", "--team", "North", "--data", self.data).split()[-1]
        self.tablet_does("enrol", code, "--name", "van 1")

    def start(self):
        self.process = subprocess.Popen(
            [WAYSIDE, "serve", "--data", self.data, "--listen", self.listen, "--pages", self.pages],
            stdout=subprocess.PIPE, text=True)
        said = Lines(self.process)
        self.listen = said.next("Wayside is listening on").split("https://")[1].rstrip("/")
        self.url = said.next("The pages are at").split(" at ")[1].rstrip("/")
        self.pages = self.url.split("//")[1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)

    def token(self, account, role, *scopes):
        password = "correct horse battery staple\n"
        command(WAYSIDE, "account", "add", account, "--role", role, "--data", self.data, stdin=password)
        scopes = [part for scope in scopes for part in ("--scope", scope)]
        said = command(WAYSIDE, "account", "token", "add", account, "--name", "test", *scopes, "--data", self.data)
        return re.search(r"way_\S+", said)[0]

    def tablet_does(self, *arguments, stdin=None):
        return command(TABLET, "--dir", self.tablet, *arguments, stdin=stdin)

    def record(self, *checks):
        """Records checks, (when, systolic, diastolic, given name) each, and syncs. Returns their ids."""
        lines = []
        for at, systolic, diastolic, given in checks:
            text = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            reading = {"taken_at": text, "systolic": systolic, "diastolic": diastolic, "setting": "clinic"}
            lines.append(json.dumps({
                "session": {"site": "Example Market", "date": text[:10], "setting": "pop_up"},
                "person": {"name": {"given": given, "family": "Example"}},
                "contact": {"started_at": text, "bp": {"readings": [reading]}},
            }))
        said = self.tablet_does("--json", "record", "-", stdin="\n".join(lines) + "\n")
        self.tablet_does("sync")
        return [json.loads(line)["contact"] for line in said.splitlines()]


def noon(days_ago):
    day = datetime.date.today() - datetime.timedelta(days=days_ago)
    return datetime.datetime.combine(day, datetime.time(12), datetime.timezone.utc)


def main(room):
    base = Base(room)
    yesterday, today = noon(1), noon(0)
    before = base.record((noon(2), 186, 104, "Ama"))
    raised = base.record(*((yesterday + datetime.timedelta(minutes=n), 150 + n % 9, 96, f"Bo{n}") for n in range(120)))
    base.record(*((yesterday + datetime.timedelta(minutes=n), 118, 76, f"Cy{n}") for n in range(5)))
    reader = base.token("reader", "viewer", "read", "urgent")
    all_of_it = base.token("everything", "administrator", *SCOPES)

    def caught_up():
        for _ in range(300):
            if requests.get(f"{base.url}/api/v1/today", headers={"Authorization": f"Bearer {reader}"}, timeout=30).ok:
                return
            time.sleep(1)

    @test("a stranger's script, as it stands in the docs, lists yesterday's raised readings and follows the stream")
    def _():
        caught_up()
        environment = dict(os.environ, WAYSIDE_URL=base.url, WAYSIDE_TOKEN=reader, PYTHONUNBUFFERED="1")
        process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE, text=True)
        try:
            said, listed = Lines(process), []
            while (line := said.next()) != "following":
                listed.append(line)
            assert [line.split()[0] for line in listed] == raised, listed
            assert all(before[0] not in line for line in listed)
            assert listed[0].split()[1:3] == ["150/96", "HIGH"], listed[0]
            # Whether it is connected yet or not: what comes from `now` on is not missed, once it is.
            time_out = time.monotonic() + 60
            seen = []
            while not seen and time.monotonic() < time_out:
                base.record((today, 192, 122, "Di"))
                try:
                    seen.append(said.lines.get(timeout=5))
                except queue.Empty:
                    pass
            assert seen and seen[0].startswith("urgent "), seen
            assert "Di" not in seen[0].split() and "Example" not in seen[0]
            # It goes on from there when the server comes back.
            base.stop()
            base.start()
            [urgent] = base.record((today, 194, 124, "Ed"))
            line = said.next("urgent")
            while urgent not in line:
                line = said.next("urgent")
        finally:
            process.kill()
        return f"{len(listed)} readings"

    @test("a token that has ended is told so by the script")
    def _():
        environment = dict(os.environ, WAYSIDE_URL=base.url, WAYSIDE_TOKEN="way_nothing")
        ended = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, text=True, capture_output=True, timeout=60)
        assert ended.returncode == 1 and ended.stderr.startswith("not_signed_in: "), ended.stderr

    def schemathesis(seconds, *more):
        """Answers by status."""
        seed = os.environ.get("WAYSIDE_SEED", str(int.from_bytes(os.urandom(4), "big")))
        print(f"seed {seed}", flush=True)
        checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        arguments = [
            "run", f"{base.url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {all_of_it}",
            "--checks", checks, "--max-time", str(seconds), "--seed", seed, "--workers", "2", "--request-timeout", "30",
            "--exclude-path", "/api/v1/urgent/stream", "--continue-on-failure", "--no-color", "--warnings", "off",
            "--report-ndjson-path", f"{room}/report.ndjson", *more,
        ]
        program = pathlib.Path(sys.executable).parent / "schemathesis"
        done = subprocess.run([program, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              cwd=room, timeout=600)
        assert done.returncode == 0, done.stdout[-6000:]
        return Counter(re.findall(r'"status_code":(\d+)', pathlib.Path(f"{room}/report.ndjson").read_text()))

    seconds = int(os.environ.get("WAYSIDE_API_SECONDS", "100"))

    @test("schemathesis finds no status 5xx and nothing that the document does not say")
    def _():
        answers = schemathesis(seconds * 2 // 3, "--phases", "examples,coverage,fuzzing")
        assert answers["200"] > 10 and answers["404"] > 10, answers
        return dict(answers)

    @test("nor with the ids of records that there are")
    def _():
        [check] = requests.get(f"{base.url}/api/v1/checks", params={"limit": 1}, timeout=30,
                               headers={"Authorization": f"Bearer {all_of_it}"}).json()["checks"]
        ids = {"people": check["person"]["id"], "sessions": check["session"]}
        config = ""
        for path in ("people/{id}", "checks/{id}", "checks/{id}/fhir", "sessions/{id}", "sessions/{id}/fhir",
                     "records/{id}/history", "records/{id}/act", "records/{id}/settle", "records/{id}/claim"):
            id = ids.get(path.split("/")[0], check["check"])
            config += f'[[operations]]\ninclude-path = "/api/v1/{path}"\nparameters = {{ "path.id" = "{id}" }}\n'
        pathlib.Path(f"{room}/schemathesis.toml").write_text(config)
        answers = schemathesis(seconds // 3, "--phases", "fuzzing", "--include-path-regex", r"\{id\}")
        assert answers["200"] > 10, answers
        return dict(answers)

    base.stop()


with tempfile.TemporaryDirectory() as room:
    main(room)
end()
