"""Takes everything that a server gives as FHIR, as somebody who keeps a copy would, and checks each resource: by the
models of fhir.resources (R4), and by our own rules. Then bad variants of what was taken must all be refused.

Usage: check.py LINK, the sign-in link of a coordinator. Prints a line for each test, `N passed, N failed, N skipped`."""

import copy
import http.cookiejar
import json
import pathlib
import sys
import urllib.error
import urllib.request
import xml.etree.ElementTree
from collections import Counter

from fhir.resources import __fhir_version__, get_fhir_model_class

import rules

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from checks import end, test

TYPES = ["Organization", "Location", "Patient", "Consent", "Encounter", "Observation", "ServiceRequest", "Task",
         "Provenance"]


class Server:
    def __init__(self, link):
        self.base = link.split("/sign-in/")[0]
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(cookies)
        self.browser.open(link).read()

    def get(self, path):
        return self.browser.open(self.base + path)

    def json(self, path):
        return json.load(self.get(path))

    def act(self, record, body):
        """As a program of a coordinator's acts on what it was shown."""
        headers = {"Origin": self.base, "Content-Type": "application/json"}
        address = f"{self.base}/api/v1/records/{record}/act"
        self.browser.open(urllib.request.Request(address, json.dumps(body).encode(), headers)).read()

    def feed(self, resource_type, after=""):
        """The resources of a type, and from where to ask next."""
        answer = self.get(f"/api/v1/fhir/{resource_type}.ndjson?after={after}")
        return [json.loads(line) for line in answer], answer.headers["wayside-next"]


def parse(resource):
    get_fhir_model_class(resource["resourceType"]).parse_obj(resource)


def refused(resource):
    try:
        parse(resource)
    except Exception:
        return True
    return bool(rules.faults(resource))


server = Server(sys.argv[1])
everything, places = {}, {}


@test("every resource is R4 and keeps the rules")
def _():
    assert __fhir_version__ == "4.0.1"
    count = Counter()
    for resource_type in TYPES:
        resources, places[resource_type] = server.feed(resource_type)
        for resource in resources:
            assert resource["resourceType"] == resource_type
            parse(resource)
            found = rules.faults(resource)
            assert not found, f"{found}: {json.dumps(resource)}"
            everything[f"{resource_type}/{resource['id']}"] = resource
            count[resource_type] += 1
    assert count["Encounter"] >= 2000, count
    assert all(count[resource_type] for resource_type in TYPES), count
    assert sum(count.values()) == len(everything), "an id twice"
    return dict(count)


@test("every reference leads to something that was sent")
def _():
    for own, resource in everything.items():
        for reference in rules.references(resource):
            # A session or a site may not have arrived yet, or be in quarantine.
            assert reference in everything or reference.startswith("Location/"), f"{own}: {reference}"


@test("every blood pressure has both its numbers")
def _():
    pressures = [r for r in everything.values() if "component" in r]
    assert len(pressures) > 1000 and all(len(r["component"]) == 2 for r in pressures)
    return len(pressures)


@test("asking again brings nothing")
def _():
    for resource_type, place in places.items():
        assert server.feed(resource_type, place) == ([], place)


@test("what coordinators put right comes again, and nothing else")
def _():
    measured = sorted({r["encounter"]["reference"].split("/")[1] for r in everything.values() if "component" in r})
    struck, corrected, disputed, mistaken = measured[10], measured[20], measured[30], measured[40]

    def shown(check):
        found = server.json(f"/api/v1/checks/{check}")
        readings = found["record"]["bp"]["readings"]
        return next(iter(readings)), found["heads"]

    def correction(reading, heads, systolic):
        return {"act": "correct", "reading": reading, "systolic": systolic, "diastolic": 91, "reason": "typed wrongly",
                "heads": heads}

    reading, heads = shown(struck)
    server.act(struck, {"act": "strike_out", "path": f"bp/readings/{reading}", "reason": "slipped", "heads": heads})
    reading, heads = shown(corrected)
    server.act(corrected, correction(reading, heads, 149))
    # Two at once, on what both were shown.
    reading, heads = shown(disputed)
    server.act(disputed, correction(reading, heads, 151))
    server.act(disputed, correction(reading, heads, 161))
    server.act(mistaken, {"act": "entered_in_error", "reason": "wrong person", "heads": shown(mistaken)[1]})
    # Two who are one, of one team.
    seen = {}
    for r in list(everything.values()):
        if r["resourceType"] == "Encounter" and everything.get(r["subject"]["reference"], {}).get("active"):
            patient = r["subject"]["reference"].split("/")[1]
            if "name" in everything[f"Patient/{patient}"]:
                seen.setdefault(r["serviceProvider"]["reference"], set()).add(patient)
    one, other = sorted(next(people for people in seen.values() if len(people) > 1))[:2]
    server.act(one, {"act": "merge", "with": other, "heads": server.json(f"/api/v1/people/{one}")["heads"]})

    came = {}
    for resource_type in TYPES:
        resources, places[resource_type] = server.feed(resource_type, places[resource_type])
        for resource in resources:
            parse(resource)
            found = rules.faults(resource)
            assert not found, f"{found}: {json.dumps(resource)}"
            came[f"{resource_type}/{resource['id']}"] = resource
    everything.update(came)

    def of(check):
        return [r for r in came.values() if r.get("encounter", {}).get("reference") == f"Encounter/{check}"]

    assert any(r["status"] == "entered-in-error" and "slipped" in r["note"][0]["text"] for r in of(struck))
    assert any(r["status"] == "corrected" and r["component"][0]["valueQuantity"]["value"] == 149
               for r in of(corrected) if "component" in r)
    unsettled = [r for r in of(disputed) if r["status"] == "preliminary"]
    assert unsettled and "151/91" in unsettled[0]["note"][0]["text"] and "161/91" in unsettled[0]["note"][0]["text"]
    assert {r["status"] for r in of(mistaken)} == {"entered-in-error"}
    # Whoever stands for both stands in the checks of both.
    merged = [came[f"Patient/{patient}"] for patient in (one, other)]
    assert sorted(r["link"][0]["type"] for r in merged) == ["replaced-by", "replaces"]
    gone = next(r for r in merged if not r["active"])
    assert not any(r.get("subject", {}).get("reference") == f"Patient/{gone['id']}" for r in everything.values())
    encounters = [key for key in came if key.startswith("Encounter/")]
    assert 5 <= len(encounters) < 20, encounters
    return f"{len(came)} of {len(everything)} resources"


checks = [key.split("/")[1] for key in everything if key.startswith("Encounter/")]


@test("transactions of checks, twice the same, loading twice doubles nothing")
def _():
    held, puts = {}, 0
    for check in checks[::40]:
        bundle = server.json(f"/api/v1/checks/{check}/fhir")
        parse(bundle)
        found = rules.faults_of_bundle(bundle)
        assert not found, found
        assert bundle == server.json(f"/api/v1/checks/{check}/fhir")
        for _ in range(2):
            for entry in bundle["entry"]:
                before = held.setdefault(entry["request"]["url"], entry["resource"])
                puts += 1
                # References differ by what is beside them; the rest is the same in every bundle.
                assert before["id"] == entry["resource"]["id"]
    assert set(held) <= set(everything), sorted(set(held) - set(everything))[:5]
    return f"{puts} puts, {len(held)} resources"


@test("transactions of sessions")
def _():
    sessions = sorted({entry["location"]["reference"].split("/")[1] for key, r in everything.items()
                       if key.startswith("Encounter/") for entry in r.get("location", [])})
    for session in sessions[:: max(1, len(sessions) // 10)]:
        try:
            bundle = server.json(f"/api/v1/sessions/{session}/fhir")
        except urllib.error.HTTPError as problem:
            # One whose record is not here.
            assert problem.code == 404 and f"Location/{session}" not in everything
            continue
        parse(bundle)
        found = rules.faults_of_bundle(bundle)
        assert not found, found


@test("summaries for the practice, of those who agreed")
def _():
    sent = kept = 0
    for check in checks[::20]:
        try:
            bundle = server.json(f"/api/v1/checks/{check}/gp-summary")
        except urllib.error.HTTPError as problem:
            assert json.load(problem)["code"] == "consent_missing"
            kept += 1
            continue
        parse(bundle)
        found = rules.faults_of_bundle(bundle)
        assert not found, found
        composition = bundle["entry"][0]["resource"]
        for narrative in [composition["text"]] + [section["text"] for section in composition["section"]]:
            div = xml.etree.ElementTree.fromstring(narrative["div"])
            assert div.tag == "{http://www.w3.org/1999/xhtml}div"
        sent += 1
    assert sent and kept, (sent, kept)
    return f"{sent} sent, {kept} kept back"


@test("bad variants are refused")
def _():
    def first(wanted):
        return copy.deepcopy(next(r for r in everything.values() if wanted(r)))

    def pressure():
        return first(lambda r: r.get("status") == "final" and "component" in r)

    def patient():
        return first(lambda r: r["resourceType"] == "Patient" and len(r["identifier"]) == 2)

    def pulse():
        return first(lambda r: "8867-4" in json.dumps(r.get("code", {})) and "valueQuantity" in r)

    def bad(make, change):
        resource = make()
        assert not refused(resource), "what it was made from is good"
        change(resource)
        assert refused(resource), json.dumps(resource)[:500]

    variants = [
        (pressure, lambda r: r["component"].pop()),
        (pressure, lambda r: r["component"].pop(0)),
        (pressure, lambda r: r["component"][1].pop("valueQuantity")),
        (pressure, lambda r: r["component"].append(r["component"][0])),
        (pressure, lambda r: r["component"][0]["valueQuantity"].update(code="mmHg")),
        (pressure, lambda r: r["component"][0]["valueQuantity"].update(unit="mmHg")),
        (pressure, lambda r: r["component"][0]["valueQuantity"].update(value="high")),
        (pressure, lambda r: r["component"][0]["code"].update(text="Systolic")),
        (pressure, lambda r: r.update(valueQuantity=r["component"][0]["valueQuantity"])),
        (pressure, lambda r: r.pop("status")),
        (pressure, lambda r: r.update(status="preliminary")),
        (pressure, lambda r: r.pop("subject")),
        (pressure, lambda r: r.pop("code")),
        (pressure, lambda r: r.update(effectiveDateTime="yesterday")),
        (pressure, lambda r: r.update(effectiveDateTime=r["effectiveDateTime"][:-6] + "Z")),
        (pressure, lambda r: r["code"]["coding"][0].update(code="75367003")),
        (pressure, lambda r: r.update(surprise=1)),
        (pulse, lambda r: r["valueQuantity"].update(code="bpm")),
        (patient, lambda r: r["identifier"][0].update(value="9990000019")),
        (patient, lambda r: r["identifier"][0].update(value="999 000 0018")),
        (patient, lambda r: r["identifier"][0].pop("extension")),
        (patient, lambda r: r.update(birthDate="3/2/1968")),
        (patient, lambda r: r.update(name="Amina")),
    ]
    for make, change in variants:
        bad(make, change)
    # What a bundle points to must be in it.
    bundle = server.json(f"/api/v1/checks/{checks[0]}/fhir")
    dropped = copy.deepcopy(bundle)
    dropped["entry"] = [e for e in dropped["entry"] if e["resource"]["resourceType"] != "Patient"]
    assert not rules.faults_of_bundle(bundle) and rules.faults_of_bundle(dropped)
    doubled = copy.deepcopy(bundle)
    doubled["entry"].append(doubled["entry"][0])
    assert rules.faults_of_bundle(doubled)
    return f"{len(variants) + 2} of them"


end()
