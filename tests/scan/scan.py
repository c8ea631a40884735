"""Runs wapiti against pages and API of a real server, signed in, and holds what it finds against explained.json.

Usage: scan.py WAYSIDE TABLET, the two programs. Prints a line for each finding, and `N passed, N failed, N skipped`.

explained.json lists what is known and why it is no weakness: {category, info, proof, why}. `info` is what the scanner says of
it, word for word. `proof` is a question that is asked at each address where it was found: what is not proven there is new."""

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
# All attacks that need no place elsewhere to call back to, no list from elsewhere, and no other server's own faults. Not
# `ldap`: no directory is asked here, and it takes a page for weak that changes by itself while it compares answers.
MODULES = ("backup,cookieflags,crlf,csp,csrf,exec,file,htaccess,http_headers,methods,permanentxss,"
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


def ask(base, cookie, method, path, **headers):
    """The status of an answer; headers with `_` for `-`."""
    connection = http.client.HTTPConnection(base.url.split("//")[1], timeout=60)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    form = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
    connection.request(method, path, headers={"Cookie": cookie, **form, **headers})
    return connection.getresponse().status


def refused_from_elsewhere(base, cookie, path):
    """A form of another page is refused, and one of our own gets further: it is refused for what is not in it, or done."""
    elsewhere = [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": base.url, "Sec_Fetch_Site": "cross-site"},
        {"Origin": base.url, "Sec_Fetch_Site": "same-site"},
        {},
    ]
    refused = all(ask(base, cookie, "POST", path, **headers) == 403 for headers in elsewhere)
    return refused and ask(base, cookie, "POST", path, Origin=base.url) not in (401, 403)


def takes_no_other_method(base, cookie, path):
    """Refused by its method, whoever asks; not for want of a login."""
    others = ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"]
    return all(ask(base, cookie, method, path, Origin=base.url) == 405 for method in others)


PROOFS = {proof.__name__: proof for proof in (refused_from_elsewhere, takes_no_other_method)}


def findings(report):
    for kind in ("vulnerabilities", "anomalies", "additionals"):
        for category, found in report.get(kind, {}).items():
            for one in found:
                yield kind, category, one.get("method", ""), one["path"], one.get("parameter") or "", one.get("info", "")


def explained(base, cookie, category, path, info):
    said = re.sub(r"http://\S+(?=: )", "{address}", info)
    known = [one for one in EXPLAINED if (one["category"], one["info"]) == (category, said)]
    return any(PROOFS[one["proof"]](base, cookie, path.split("?")[0]) for one in known)


def main(room):
    base = Base(room)
    begun = time.monotonic()
    try:
        report = scan(base, room)
        cookie = base.cookie()
        assert ask(base, cookie, "GET", "/account") == 200, "the server stands, and the scanner is still somebody who may"
        known, new = set(), set()
        for kind, category, method, path, parameter, info in findings(report):
            group = known if explained(base, cookie, category, path, info) else new
            group.add((kind, category, method, address(path), parameter, info))
    finally:
        ended = base.stop()
    for what in sorted(known):
        print("explained", *what, sep="  ")
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
