"""A day with the Python bindings: run by ffi/tests/run-python, which builds and generates what this needs."""

import asyncio
import gc
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wayside
from base import BY, Base, record, shown, sync
from generator import day, line, person

ROOT = Path(__file__).resolve().parents[3]
GUIDE = ROOT / "docs" / "integrating.md"
KINDS = [wayside.Kind.SITE, wayside.Kind.SESSION, wayside.Kind.PERSON, wayside.Kind.CONTACT]

base = Base()


def setUpModule():
    base.start()


class Heard(wayside.SyncProgress):
    def __init__(self):
        self.all = []

    def on_progress(self, progress):
        self.all.append(progress)


class Throws(wayside.SyncProgress):
    def __init__(self):
        self.calls = 0

    def on_progress(self, progress):
        self.calls += 1
        raise RuntimeError("The screen could not be drawn.")


class Case(unittest.TestCase):
    def refused(self, code, call, *arguments, retry=False):
        """What a call that must fail said."""
        with self.assertRaises(wayside.WaysideError) as caught:
            call(*arguments)
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

    def assert_same_at_base(self, tablet):
        """Base holds the records of this tablet's team, and shows them like the tablet."""
        [team] = tablet.status().teams
        for kind in KINDS:
            here = {item["id"]: item for item in json.loads(tablet.list(kind))}
            there = base.json("list", "--kind", kind.name.lower())
            there = {item["id"]: item for item in there if item["team"] == team.id}
            self.assertEqual(here, there)
        return {item["id"] for item in json.loads(tablet.list(wayside.Kind.CONTACT))}


class ADay(Case):
    def test_forty_contacts_recorded_offline_reach_base_as_they_are(self):
        team = base.team()
        tablet = base.tablet(team)
        before = tablet.status()
        self.assertTrue(before.enrolled)
        self.assertEqual([each.name for each in before.teams], [team])
        self.assertEqual(before.tablet, tablet.id())
        self.assertEqual(before.name, "Van")
        self.assertIsNone(before.last_synced_at)

        base.stop()
        try:
            recorded = [record(tablet, each) for each in day(seed=11, count=40)]
            self.assertEqual(len({each.contact for each in recorded}), 40)
            self.assertEqual(len({each.session for each in recorded}), 1)
            self.assertIn(None, {each.person for each in recorded}, "somebody gave no details")

            someone = next(each for each in recorded if each.person)
            heads = tablet.edit(someone.person, {"name/family": '"Kahn-Ellis"', "phone": '"0113 496 0000"'}, BY)
            self.assertEqual(heads, tablet.show(someone.person).heads)
            [reading] = list(shown(tablet, someone.contact)["bp"]["readings"])[:1]
            entry = tablet.correct(someone.contact, reading, {"systolic": "133"}, BY, reason="Misread.")
            tablet.tally(someone.session, "leaflets", 12, BY)
            tablet.tally(someone.session, "leaflets", -2, BY)
            other = recorded[-1].contact
            [wrong] = list(shown(tablet, other)["bp"]["readings"])[:1]
            tablet.strike_out(other, wrong, "The cuff slipped.", BY)

            status = tablet.status()
            self.assertEqual(status.records.contact, 40)
            self.assertEqual((status.records.session, status.records.site), (1, 1))
            self.assertGreaterEqual(status.waiting, 40 + 4)
            self.assertFalse(status.in_sync)
            report = sync(tablet)
            self.assertEqual(report.error.code, "server_unreachable")
            self.assertTrue(report.error.retry)
            self.assertEqual(tablet.status().waiting, status.waiting, "nothing is lost by trying")
        finally:
            base.start()

        report = self.synced(tablet)
        self.assertEqual((report.pushed, report.accepted, report.quarantined), (status.waiting, status.waiting, 0))
        after = tablet.status()
        self.assertEqual((after.waiting, after.quarantined, after.conflicts), (0, 0, 0))
        self.assertTrue(after.in_sync)
        self.assertIsNotNone(after.last_synced_at)
        self.assertIsNotNone(after.clock_skew_ms)

        self.assertEqual(self.assert_same_at_base(tablet), {each.contact for each in recorded})
        for each in (someone.contact, someone.person, someone.session, other):
            self.assertEqual(base.json("show", each), shown(tablet, each))
        at_base = base.json("show", someone.person)
        self.assertEqual(at_base["name"]["family"], "Kahn-Ellis")
        self.assertEqual(base.json("show", someone.contact)["bp"]["readings"][entry]["systolic"], 133)
        self.assertEqual(base.json("show", someone.session)["tallies"]["leaflets"], 10)
        self.assertIn("struck_out", base.json("show", other)["bp"]["readings"][wrong])

    def test_what_was_recorded_before_enrolment_goes_to_the_first_team(self):
        tablet = base.tablet()
        recorded = record(tablet, line(random.Random(1)))
        self.assertFalse(tablet.status().enrolled)
        self.assertEqual(sync(tablet).error.code, "not_enrolled")
        team = base.team()
        enrolment = asyncio.run(tablet.enrol(base.code(team), "Van"))
        self.assertEqual(enrolment.team_name, team)
        self.synced(tablet)
        self.assertEqual(base.json("show", recorded.contact)["team"], enrolment.team)

    def test_records_are_there_after_opening_again(self):
        directory, key = base.directory(), secrets.token_bytes(32)
        tablet = wayside.Tablet.open(directory, key)
        identity = tablet.id()
        contact = record(tablet, line(random.Random(2))).contact
        before = shown(tablet, contact)
        del tablet
        gc.collect()
        again = wayside.Tablet.open(directory, key)
        self.assertEqual(again.id(), identity)
        self.assertEqual(shown(again, contact), before)
        self.refused("wrong_key", wayside.Tablet.open, directory, secrets.token_bytes(32))

    def test_search_list_and_create(self):
        tablet = base.tablet()
        someone = person(random.Random(3)) | {"name": {"given": "Zoë", "family": "Quill"}}
        made = tablet.create(wayside.Kind.PERSON, json.dumps(someone), BY)
        site = tablet.create(wayside.Kind.SITE, '{"name": "Kirkgate Market", "type": "market"}', BY)
        self.assertEqual([found["id"] for found in json.loads(tablet.search("zoe quill"))], [made])
        number = someone["nhs_number"]
        spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
        self.assertEqual([found["id"] for found in json.loads(tablet.search(spaced))], [made])
        self.assertEqual([each["id"] for each in json.loads(tablet.list())], [site, made])
        self.assertEqual([each["id"] for each in json.loads(tablet.list(offset=1, limit=1))], [made])
        self.assertEqual(json.loads(tablet.list(wayside.Kind.CONTACT)), [])


class TwoTablets(Case):
    def test_a_conflict_is_shown_everywhere_until_it_is_settled(self):
        team = base.team()
        left, right = base.tablet(team), base.tablet(team)
        made = record(left, line(random.Random(4)) | {"person": person(random.Random(4))})
        self.synced(left)
        # A change each for site, session, person and contact, beside the team's own.
        self.assertGreaterEqual(self.synced(right).pulled, 4)

        left.edit(made.person, {"name/family": '"Kahn"'}, wayside.By(staff="left"))
        right.edit(made.person, {"name/family": '"Cann"'}, wayside.By(staff="right"))
        self.synced(left)
        self.synced(right)
        self.synced(left)
        at_base = base.json("show", made.person)
        self.assertEqual(shown(left, made.person), at_base)
        self.assertEqual(shown(right, made.person), at_base)
        [conflict] = at_base["conflicts"]
        self.assertEqual(conflict["path"], "name/family")
        self.assertEqual({(each["value"], each["by"]) for each in conflict["values"]}, {("Kahn", "left"), ("Cann", "right")})
        self.assertEqual((left.status().conflicts, right.status().conflicts), (1, 1))

        right.edit(made.person, {"name/family": '"Khan"'}, BY, base=right.show(made.person).heads)
        self.synced(right)
        self.synced(left)
        self.assertEqual(left.status().conflicts, 0)
        self.assertEqual(shown(left, made.person)["name"]["family"], "Khan")
        self.assertEqual(base.json("show", made.person), shown(left, made.person))

    def test_an_edit_on_an_old_screen_overwrites_nothing(self):
        tablet = base.tablet()
        made = tablet.create(wayside.Kind.PERSON, json.dumps(person(random.Random(5))), BY)
        old = tablet.show(made).heads
        tablet.edit(made, {"phone": '"0113 496 0001"'}, BY, base=old)
        tablet.edit(made, {"phone": '"0113 496 0002"'}, BY, base=old)
        [conflict] = shown(tablet, made)["conflicts"]
        self.assertEqual(len(conflict["values"]), 2)


class Progress(Case):
    def test_progress_is_told_and_grows(self):
        tablet = base.tablet(base.team())
        for each in day(seed=12, count=40):
            record(tablet, each)
        waiting = tablet.status().waiting
        heard = Heard()
        report = self.synced(tablet, heard)
        self.assertGreaterEqual(len(heard.all), 3)
        self.assertEqual(heard.all[0].phase, wayside.Phase.CONNECTING)
        self.assertEqual(heard.all[-1].phase, wayside.Phase.DONE)
        for name in ("pushed", "pulled", "exchanges", "bytes_up", "bytes_down"):
            numbers = [getattr(each, name) for each in heard.all]
            self.assertEqual(numbers, sorted(numbers), name)
            self.assertEqual(numbers[-1], getattr(report, name), name)
        self.assertEqual((heard.all[-1].pushed, heard.all[-1].to_push), (waiting, waiting))
        self.assertGreater(heard.all[-1].bytes_up, 0)
        self.assertGreater(heard.all[-1].bytes_down, 0)

    def test_a_callback_that_throws_does_not_break_the_sync(self):
        tablet = base.tablet(base.team())
        for each in day(seed=13, count=5):
            record(tablet, each)
        throws = Throws()
        report = self.synced(tablet, throws)
        self.assertGreaterEqual(throws.calls, 3)
        self.assertEqual(report.pushed, report.accepted)
        self.assert_same_at_base(tablet)

    def test_a_callback_may_ask_the_tablet(self):
        tablet = base.tablet(base.team())
        record(tablet, line(random.Random(6)))
        statuses = []

        class Asks(wayside.SyncProgress):
            def on_progress(self, progress):
                statuses.append(tablet.status().syncing)

        self.synced(tablet, Asks())
        self.assertTrue(statuses[0])

    def test_the_loop_stays_free_during_a_sync(self):
        tablet = base.tablet(base.team())
        for each in day(seed=14, count=20):
            record(tablet, each)
        here = threading.get_ident()
        threads = set()

        class Where(wayside.SyncProgress):
            def on_progress(self, progress):
                threads.add(threading.get_ident())

        self.synced(tablet, Where())
        self.assertTrue(threads)
        self.assertNotIn(here, threads)


class Errors(Case):
    def test_a_value_out_of_range_names_field_and_limit(self):
        tablet = base.tablet()
        bad = line(random.Random(7), systolic=301, diastolic=100)
        error = self.refused("out_of_range", record, tablet, bad)
        self.assertIsInstance(error, wayside.WaysideError.Entry)
        self.assertIn("300", error.message)
        self.assertTrue(error.path.startswith("contact/bp/readings"), error.path)
        self.assertTrue(error.path.endswith("systolic"), error.path)
        self.assertEqual(error.details().path, error.path)
        self.assertEqual(json.loads(tablet.list()), [], "neither contact nor person nor session was saved")

    def test_what_is_typed_wrong_has_a_code(self):
        tablet = base.tablet()
        made = record(tablet, line(random.Random(8)) | {"person": person(random.Random(8))})
        self.refused("bad_json", tablet.record, "{", BY)
        self.refused("missing_field", tablet.record, "{}", BY)
        self.refused("wrong_type", tablet.record, "[]", BY)
        error = self.refused("bad_json", tablet.edit, made.person, {"name/family": "Khan"}, BY)
        self.assertEqual(error.path, "name/family")
        self.assertNotIn("Khan", str(error))
        self.refused("bad_id", tablet.show, "nonsense")
        self.refused("record_not_found", tablet.show, "01930000-0000-7000-8000-000000000000")
        self.refused("entry_not_found", tablet.strike_out, made.contact, "zzzzzzzz", "Wrong.", BY)
        self.refused("wrong_kind", tablet.tally, made.person, "leaflets", 1, BY)
        self.refused("heads_unknown", tablet.edit, made.person, {"sex": "null"}, BY, [b"short"])
        mistyped = person(random.Random(8)) | {"nhs_number": "999 000 0019"}
        self.refused("nhs_number_invalid", tablet.create, wayside.Kind.PERSON, json.dumps(mistyped), BY)
        self.refused("record_refused", tablet.create, wayside.Kind.TEAM, '{"name": "Ours"}', BY)

    def test_enrolment_errors_have_codes(self):
        code = base.code(base.team())
        first, second = base.tablet(), base.tablet()
        asyncio.run(first.enrol(code, "Van"))
        enrol = lambda tablet, code: asyncio.run(tablet.enrol(code, "Van"))
        self.refused("code_used", enrol, second, code)
        self.refused("code_malformed", enrol, second, "nonsense")
        report = sync(second)
        self.assertEqual((report.error.code, report.error.retry), ("not_enrolled", False))
        self.assertTrue(report.error.message.strip())
        base.stop()
        try:
            self.refused("server_unreachable", enrol, second, code, retry=True)
        finally:
            base.start()

    def test_a_key_of_the_wrong_length_is_refused(self):
        self.refused("wrong_key", wayside.Tablet.open, base.directory(), b"too short")


class AtOnce(Case):
    def test_eight_threads_record_on_one_tablet(self):
        tablet = base.tablet(base.team())

        def work(seed):
            return [record(tablet, each).contact for each in day(seed, 10)]

        with ThreadPoolExecutor(8) as pool:
            recorded = {contact for contacts in pool.map(work, range(100, 108)) for contact in contacts}
        self.assertEqual(len(recorded), 80)
        status = tablet.status()
        self.assertEqual((status.records.contact, status.records.session, status.records.site), (80, 1, 1))
        self.synced(tablet)
        self.assertEqual(self.assert_same_at_base(tablet), recorded)

    def test_recording_goes_on_during_syncs(self):
        tablet = base.tablet(base.team())

        async def both():
            recording = asyncio.gather(*[
                asyncio.to_thread(lambda seed=seed: [record(tablet, each).contact for each in day(seed, 15)])
                for seed in (21, 22)
            ])
            syncs = 0
            while not recording.done():
                report = await tablet.sync()
                self.assertIsNone(report.error)
                syncs += 1
            return syncs, {contact for contacts in await recording for contact in contacts}

        syncs, recorded = asyncio.run(both())
        self.assertGreaterEqual(syncs, 1)
        self.assertEqual(len(recorded), 30)
        self.synced(tablet)
        self.assertEqual(self.assert_same_at_base(tablet), recorded)

    def test_of_two_syncs_at_once_one_is_told_so(self):
        tablet = base.tablet(base.team())
        record(tablet, line(random.Random(9)))

        async def both():
            return await asyncio.gather(tablet.sync(), tablet.sync())

        errors = [report.error for report in asyncio.run(both())]
        self.assertEqual(sorted(error.code if error else "" for error in errors), ["", "sync_running"])

    def test_a_cancelled_sync_is_taken_up_again(self):
        tablet = base.tablet(base.team())
        for each in day(seed=15, count=40):
            record(tablet, each)

        async def cancel():
            begun, cancelled = asyncio.Event(), threading.Event()
            loop = asyncio.get_running_loop()

            class Holds(wayside.SyncProgress):
                def on_progress(self, progress):
                    loop.call_soon_threadsafe(begun.set)
                    cancelled.wait(30)

            task = asyncio.create_task(tablet.sync(Holds()))
            await begun.wait()
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                return True
            finally:
                cancelled.set()
            return False

        self.assertTrue(asyncio.run(cancel()), "it was under way when it was cancelled")
        until = time.monotonic() + 30
        # As an app would: the step that was under way ends by itself.
        while (report := sync(tablet)).error and report.error.code == "sync_running" and time.monotonic() < until:
            pass
        self.assertIsNone(report.error)
        self.assertTrue(report.in_sync)
        self.assertEqual(len(self.assert_same_at_base(tablet)), 40)


class Ending(Case):
    """A program that ends does not wait for a sync, and is not killed by one."""

    PROGRAM = """
import asyncio, json, sys, threading, time, wayside

begun = threading.Event()

class Draws(wayside.SyncProgress):
    def on_progress(self, progress):
        begun.set()
        # Still at it when the program has come to its end.
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            time.sleep(0.001)

async def main():
    directory, key, code = json.load(sys.stdin)
    tablet = wayside.Tablet.open(directory, bytes.fromhex(key))
    await tablet.enrol(code, "Van")
    sync = asyncio.create_task(tablet.sync(Draws()))
    await asyncio.to_thread(begun.wait)

asyncio.run(main())
print("ended")
"""

    def test_a_program_may_end_in_the_middle_of_a_sync(self):
        given = json.dumps([base.directory(), secrets.token_hex(32), base.code(base.team())])
        done = subprocess.run(
            [sys.executable, "-c", self.PROGRAM], input=given, capture_output=True, text=True, timeout=120,
        )
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "ended\n", ""))


class Bindings(Case):
    def test_stale_bindings_do_not_load(self):
        module = Path(wayside.__file__).parent / "bindings.py"
        with tempfile.TemporaryDirectory() as room:
            package = Path(room) / "wayside"
            package.mkdir()
            for file in module.parent.iterdir():
                # The library is large, and the loader does not mind.
                (package / file.name).symlink_to(file) if file.suffix != ".py" else shutil.copy(file, package)
            stale = package / module.name
            text, found = re.subn(r"(checksum_method_tablet_record\(\) != )\d+", r"\g<1>70000", module.read_text())
            self.assertEqual(found, 1)
            stale.write_text(text)
            done = subprocess.run(
                [sys.executable, "-c", "import wayside"], cwd=room, env=os.environ | {"PYTHONPATH": room},
                capture_output=True, text=True, timeout=60,
            )
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("checksum mismatch", done.stderr)

    def test_documentation_arrives(self):
        self.assertIn("one-time code", wayside.Tablet.enrol.__doc__)
        self.assertIn("How things stand", wayside.Status.__doc__)

    def test_kotlin_and_swift_are_generated(self):
        for language, file, found in [
            ("kotlin", "uniffi/wayside/wayside.kt", "val `text`: kotlin.String"),
            ("swift", "wayside.swift", "enum WaysideError"),
        ]:
            with self.subTest(language), tempfile.TemporaryDirectory() as out:
                subprocess.run(
                    [os.environ["WAYSIDE_BINDGEN"], "generate", os.environ["WAYSIDE_LIBRARY"], "--language", language,
                     "--no-format", "--out-dir", out],
                    cwd=ROOT, check=True, capture_output=True, timeout=120,
                )
                self.assertIn(found, (Path(out) / file).read_text())


class Guide(Case):
    """docs/integrating.md says what is true."""

    def test_the_example_runs_as_it_stands(self):
        [example] = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
        team = base.team()
        with tempfile.TemporaryDirectory() as room:
            done = subprocess.run(
                [sys.executable, "-c", example], cwd=room, input=base.code(team) + "\n", env=os.environ,
                capture_output=True, text=True, timeout=120,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 sent", done.stdout)
        self.assertIn("HIGH", done.stdout)
        self.assertIn(team, {each["name"] for each in base.json("list", "--kind", "team")})

    def test_the_codes_it_names_exist(self):
        known = set(re.findall(r'= "([a-z_]+)", retry', (ROOT / "protocol" / "src" / "error.rs").read_text()))
        [table] = re.findall(r"^\| code \|.*\n\| ---.*\n((?:\|.*\n)+)", GUIDE.read_text(), re.MULTILINE)
        named = {code for row in table.splitlines() for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
        self.assertGreaterEqual(len(named), 10)
        self.assertEqual(named - known, set())


class Lines(unittest.TestResult):
    """A line for each test."""

    passed = 0

    def say(self, word, test, why=""):
        print(f"{word:<5} {test.id().removeprefix('__main__.')}", f" ({why})" if why else "", sep="", flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self.say("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.say("FAIL", test)

    def addError(self, test, error):
        super().addError(test, error)
        self.say("FAIL", test)

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error:
            self.say("FAIL", subtest)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("skip", test, reason)


def main():
    result = Lines()
    try:
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]).run(result)
    finally:
        base.close()
    broken = result.failures + result.errors
    for test, text in broken:
        print(f"\n{test}\n{text}")
    print(f"{result.passed} passed, {len(broken)} failed, {len(result.skipped)} skipped")
    return 1 if broken or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main())
