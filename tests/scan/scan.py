"""Runs wapiti against pages and API of a real server, signed in, and holds what it finds against explained.json.

Usage: scan.py WAYSIDE TABLET, the two programs. Prints a line for each finding, and `N passed, N failed, N skipped`.

explained.json lists what is known and why it is no weakness: {category, address, parameter, why}. An address may hold
`{id}` for ids; `*` stands for all addresses, or parameters."""

import datetime
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

WAYSIDE, TABLET = sys.argv[1:]
HERE = pathlib.Path(__file__).resolve().parent
EXPLAINED = json.loads((HERE / "explained.json").read_text())
SECONDS = os.environ.get("WAYSIDE_SCAN_SECONDS", "120")
# All attacks that need no place elsewhere to call back to, no list from elsewhere, and no other server's own faults.
MODULES = ("backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,ldap,methods,permanentxss,"
           "redirect,shellshock,sql,timesql,upload,xss")
# What would end the scanner's own login, or never ends by itself.
LEFT_OUT = ["sign-out", "account/sign-out-everywhere", "account/password", "account/second-factor*", "accounts/roles", "events",
            "api/v1/urgent/stream", "assets/*"]
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def command(program, *arguments, stdin=None):
    done = subprocess.run([program, *arguments], input=stdin, check=True, text=True, stdout=subprocess.PIPE)
    return done.stdout.strip()


class Base:
    """A server on a data directory, with invented people from a tablet."""

    def __init__(self, room):
        self.data = f"{room}/base"
        self.log = open(f"{room}/log", "w")
        self.process = subprocess.Popen(
            [WAYSIDE, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--pages", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        for line in self.process.stdout:
            if line.startswith("The pages are at"):
                self.url = line.split(" at ")[1].strip().rstrip("/")
                break
        command(WAYSIDE, "team", "add", "North", "--data", self.data)
        code = command(WAYSIDE, "enrol-code", "--team", "North", "--data", self.data).split()[-1]
        tablet = ["--dir", f"{room}/van"]
        command(TABLET, *tablet, "enrol", code, "--name", "van 1")
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        lines = []
        for n, given in enumerate(["Ama", "Bo", "Cy", "Di", "Ed", "Fay"]):
            at = (now - datetime.timedelta(minutes=10 * n + 10)).isoformat().replace("+00:00", "Z")
            reading = {"taken_at": at, "systolic": 128 + 12 * n, "diastolic": 82 + 6 * n, "setting": "clinic"}
            lines.append(json.dumps({
                "session": {"site": "Example Market", "date": at[:10], "setting": "pop_up"},
                "person": {"name": {"given": given, "family": "Example"}, "date_of_birth": "1961-04-02"},
                "contact": {"started_at": at, "bp": {"readings": [reading]}},
            }))
        command(TABLET, *tablet, "record", "-", stdin="\n".join(lines) + "\n")
        command(TABLET, *tablet, "sync")
        command(WAYSIDE, "account", "add", "scanner", "--role", "administrator", "--data", self.data,
                stdin="correct horse battery staple\n")

    def cookie(self):
        """Of a login by a link, as the pages give it."""
        link = command(WAYSIDE, "sign-in-link", "scanner", "--data", self.data).split()[-1]
        host, path = re.fullmatch(r"http://([^/]+)(/.*)", link).groups()
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().getheader("set-cookie").split(";")[0]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def scan(base, room):
    """Wapiti's report."""
    report = f"{room}/report.json"
    arguments = [
        "--url", f"{base.url}/", "--scope", "folder", "--module", MODULES, "--depth", "4", "--max-links-per-page", "60",
        "--max-files-per-dir", "30", "--max-scan-time", "240", "--max-attack-time", SECONDS, "--tasks", "4",
        "--header", f"Cookie: {base.cookie()}", "--header", f"Origin: {base.url}", "--format", "json", "--output", report,
        "--store-session", f"{room}/session", "--no-bugreport", "--flush-session", "--swagger", f"{base.url}/api/v1/openapi.json", "--verbose", "1", "--timeout", "30",
    ]
    for path in LEFT_OUT:
        arguments += ["--exclude", f"{base.url}/{path}"]
    for path in ["api", "reach", "extracts", "audit", "retention", "erasures", "quality", "teams", "find"]:
        arguments += ["--start", f"{base.url}/{path}"]
    for path in ["today", "checks", "sessions", "sites", "teams", "fleet", "follow-ups", "duplicates", "reach", "urgent"]:
        arguments += ["--start", f"{base.url}/api/v1/{path}?limit=5"]
    program = pathlib.Path(sys.executable).parent / "wapiti"
    done = subprocess.run([program, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=room,
                          timeout=3600, env=dict(os.environ, HOME=room))
    print(done.stdout[-3000:], flush=True)
    assert done.returncode == 0, "wapiti did not end well"
    return json.loads(pathlib.Path(report).read_text())


def address(path):
    path = ID.sub("{id}", path.split("?")[0])
    return re.sub(r"^/fleet/[^/]+", "/fleet/{id}", path)


def findings(report):
    for kind in ("vulnerabilities", "anomalies", "additionals"):
        for category, found in report.get(kind, {}).items():
            for one in found:
                yield kind, category, one.get("method", ""), address(one["path"]), one.get("parameter") or "", one.get("info", "")


def explained(category, path, parameter):
    for known in EXPLAINED:
        fits = lambda mine, theirs: mine in ("*", theirs)
        if known["category"] == category and fits(known["address"], path) and fits(known["parameter"], parameter):
            return known
    return None


def main(room):
    base = Base(room)
    begun = time.monotonic()
    try:
        report = scan(base, room)
        # The scanner asked what it wanted to ask, as somebody who may.
        host = base.url.split("//")[1]
        connection = http.client.HTTPConnection(host, timeout=60)
        connection.request("GET", "/account", headers={"Cookie": base.cookie()})
        assert connection.getresponse().status == 200, "the server stands"
    finally:
        ended = base.stop()
    known, new = set(), set()
    for kind, category, method, path, parameter, info in findings(report):
        (known if explained(category, path, parameter) else new).add((kind, category, method, path, parameter, info))
    for what in sorted(new):
        print("NEW      ", *what, sep="  ")
    print(f"{len(known)} known findings, {len(new)} new ones, {report['infos'].get('crawled_pages_nbr', '?')} pages, "
          f"{time.monotonic() - begun:.0f} s")
    failures = (pathlib.Path(room) / "log").read_text()
    broken = [line for line in failures.splitlines() if "ERROR" in line or "panic" in line]
    for line in broken[:20]:
        print("the server said:", line)
    print(f"{2 - (not not new) - (not not broken)} passed, {(not not new) + (not not broken)} failed, 0 skipped")
    return 1 if new or broken or ended else 0


with tempfile.TemporaryDirectory() as room:
    sys.exit(main(room))
