"""The bindings themselves: stale ones, their surface, what an older one left behind, what a call costs, the guide."""

import asyncio
import difflib
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import wayside
from base import BY, ROOT, Case, base, shown
from generator import check, person

GUIDE = ROOT / "docs" / "integrating.md"
SURFACE = ROOT / "ffi" / "surface.txt"
OLD = ROOT / "tests" / "old" / "version-1"


class Bindings(Case):
    def test_stale_bindings_do_not_load(self):
        installed = Path(wayside.__file__).parent
        with tempfile.TemporaryDirectory() as room:
            # The library is large, and the loader does not mind.
            package = Path(room) / "wayside"
            shutil.copytree(installed, package, ignore=shutil.ignore_patterns("lib*"))
            library = Path(os.environ["WAYSIDE_LIBRARY"]).name
            (package / "bindings" / library).symlink_to(installed / "bindings" / library)
            stale = package / "bindings" / "wayside.py"
            text, found = re.subn(r"(checksum_method_tablet_record\(\) != )\d+", r"\g<1>70000", stale.read_text())
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

    def test_the_surface_is_the_one_that_was_agreed_on(self):
        command = [Path(os.environ["WAYSIDE_BINDGEN"]).parent / "surface", os.environ["WAYSIDE_LIBRARY"]]
        listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
        known = SURFACE.read_text()
        changed = difflib.unified_diff(known.splitlines(), listed.splitlines(), "ffi/surface.txt", "the library", lineterm="", n=1)
        renew = f"\nIs it meant? Raise SURFACE_VERSION in ffi/src/lib.rs, then: {' '.join(map(str, command))} --renew ffi/surface.txt"
        self.assertEqual(known, listed, "\n".join([*changed, renew]))
        self.assertEqual(known.splitlines()[0], "version " + wayside.surface_version())

    def test_a_database_of_an_older_version_opens(self):
        with tempfile.TemporaryDirectory() as room:
            tablet = Path(room) / "tablet"
            shutil.copytree(OLD / "tablet", tablet)
            key = bytes.fromhex((OLD / "tablet.key").read_text())
            opened = wayside.Tablet.open(str(tablet), key)
            status = opened.status()
            self.assertTrue(status.enrolled)
            self.assertGreater(status.records.person + status.records.contact, 0)
            for session in opened.sessions():
                for contact in opened.contacts_of_session(session.about.id):
                    self.assertTrue(contact.contact.started_at)
            made = opened.record(check(random.Random(81)), wayside.By(staff="nurse-1", team=status.teams[0].id))
            self.assertEqual(opened.contact(made.contact).about.team, status.teams[0].id)

    def test_what_a_call_costs(self):
        tablet = base.tablet()
        contact = tablet.record(check(random.Random(82)), BY).contact

        def microseconds(call, times):
            begun = time.perf_counter()
            for _ in range(times):
                call()
            return (time.perf_counter() - begun) / times * 1e6

        empty = microseconds(wayside.surface_version, 10_000)
        read = microseconds(lambda: tablet.contact(contact), 100)
        print(f"      a call and back: {empty:.1f} µs; a contact read: {read:.0f} µs (debug build)")
        self.assertGreater(read, 0)


class Guide(Case):
    """docs/integrating.md says what is true."""

    def setUp(self):
        self.short, self.screen = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)

    def test_the_ten_lines_run_as_they_stand(self):
        team = base.team()
        with tempfile.TemporaryDirectory() as room:
            done = subprocess.run(
                [sys.executable, "-c", self.short], cwd=room, input=base.code(team) + "\n", env=os.environ,
                capture_output=True, text=True, timeout=300,
            )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("4 sent Raised reading", done.stdout)
        self.assertIn(team, {each["name"] for each in base.json("list", "--kind", "team")})

    def test_the_screen_takes_a_check_from_its_beginning_to_base(self):
        guide = {}
        exec(self.screen, guide)
        tablet = base.tablet(base.team())
        screen = guide["CheckScreen"](tablet, BY, "Masjid Al-Noor")

        async def use():
            await screen.begin(wayside.WhichPerson.NEW(person(random.Random(9))))
            asked = []
            while screen.drawn.step.code != wayside.StepCode.TAKE_READING:
                asked.append(screen.drawn.step.code)
                self.assertLess(len(asked), 10)
                rhythm = asked[-1] == wayside.StepCode.ASK_PULSE_RHYTHM
                await (screen.pulse("regular") if rhythm else screen.skip())
            await screen.reading(301, 100)
            self.assertIn("300", screen.drawn.problem)
            await screen.reading(148, 35)
            self.assertTrue(screen.drawn.is_unusual)
            await screen.reading(152, 94)

        asyncio.run(use())
        self.assertEqual((screen.drawn.problem, screen.drawn.result.category.code), ("", "HIGH"))
        self.assertRegex(guide["status_line"](tablet.status()), r"^\d+ not at base yet$")
        self.synced(tablet)
        self.assertEqual(guide["status_line"](tablet.status()), "Everything is at base")
        self.assertEqual(shown(tablet, screen.contact), base.json("show", screen.contact))

    def test_the_codes_it_names_exist(self):
        known = set(re.findall(r'= "([a-z_]+)", retry', (ROOT / "protocol" / "src" / "error.rs").read_text()))
        [table] = re.findall(r"^\| code \|.*\n\| ---.*\n((?:\|.*\n)+)", GUIDE.read_text(), re.MULTILINE)
        named = {code for row in table.splitlines() for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])}
        self.assertGreaterEqual(len(named), 10)
        self.assertEqual(named - known, set())
