"""A day with the Python bindings: run by ffi/tests/run-python, which builds and generates what this needs."""

import asyncio
import dataclasses
import gc
import json
import random
import secrets
import shutil
import sys
import unittest

import at_once
import bindings
import care
import wayside
from base import BY, Case, base, shown, sync
from generator import check, day, person
from wayside import Check, Contact, Name, ReadingCorrection, WhichPerson, WhichSession


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
            recorded = [tablet.record(each, BY) for each in day(seed=11, count=40)]
            self.assertEqual(len({each.contact for each in recorded}), 40)
            self.assertEqual(len({each.session for each in recorded}), 1)
            self.assertIn(None, {each.person for each in recorded}, "somebody gave no details")

            someone = next(each for each in recorded if each.person)
            seen = tablet.person(someone.person)
            seen.person.name.family = "Kahn-Ellis"
            seen.person.phone = "0113 496 0000"
            heads = tablet.update_person(someone.person, seen.person, BY, base=seen.about.heads)
            self.assertEqual(heads, tablet.person(someone.person).about.heads)
            reading = tablet.contact(someone.contact).contact.bp.readings[0].id
            right = ReadingCorrection(systolic=133)
            entry = tablet.correct_reading(someone.contact, reading, right, BY, reason="Misread.")
            tablet.tally(someone.session, "leaflets", 12, BY)
            tablet.tally(someone.session, "leaflets", -2, BY)
            other = recorded[-1].contact
            wrong = tablet.contact(other).contact.bp.readings[0].id
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
        self.assertEqual((report.notices, report.retry_after), ([], None))
        after = tablet.status()
        self.assertEqual((after.waiting, after.quarantined, after.conflicts, after.notices), (0, 0, 0, []))
        self.assertTrue(after.in_sync)
        self.assertIsNotNone(after.last_synced_at)
        self.assertIsNotNone(after.clock_skew_ms)

        self.assertEqual(self.assert_same_at_base(tablet), {each.contact for each in recorded})
        for each in (someone.contact, someone.person, someone.session, other):
            self.assertEqual(base.json("show", each), shown(tablet, each))
        at_base = base.json("show", someone.person)
        self.assertEqual(at_base["name"]["family"], "Kahn-Ellis")
        at_base = base.json("show", someone.contact)
        self.assertEqual(at_base["bp"]["readings"][entry]["systolic"], 133)
        self.assertIn("number", at_base["ext"]["queue"], "what an app adds is kept as it is")
        self.assertEqual(base.json("show", someone.session)["tallies"]["leaflets"], 10)
        self.assertIn("struck_out", base.json("show", other)["bp"]["readings"][wrong])

        self.refused("records_unsent", self.with_one_more(tablet).wipe)
        self.synced(tablet)
        tablet.wipe()
        self.assertTrue(tablet.is_locked())
        self.refused("tablet_locked", tablet.status)

    def with_one_more(self, tablet):
        tablet.create_person(person(random.Random(1)), BY)
        return tablet

    def test_what_was_recorded_before_enrolment_goes_to_the_first_team(self):
        tablet = base.tablet()
        recorded = tablet.record(check(random.Random(1)), BY)
        self.assertFalse(tablet.status().enrolled)
        self.assertEqual(sync(tablet).error.code, "not_enrolled")
        team = base.team()
        enrolment = asyncio.run(tablet.enrol(base.code(team), "Van"))
        self.assertEqual(enrolment.team_name, team)
        self.synced(tablet)
        self.assertEqual(base.json("show", recorded.contact)["team"], enrolment.team)
        self.assertEqual(tablet.contact(recorded.contact).about.team, enrolment.team)

    def test_a_new_key_locks_out_a_copy_and_loses_nothing(self):
        team, key = base.team(), secrets.token_bytes(32)
        directory = base.directory()
        tablet = wayside.Tablet.open(directory, key)
        renew = lambda tablet: asyncio.run(tablet.renew_key())
        self.refused("not_enrolled", renew, tablet)
        asyncio.run(tablet.enrol(base.code(team), "Van"))
        self.synced(tablet)
        tablet.lock()
        copied = base.directory()
        shutil.copytree(directory, copied)
        tablet.unlock(key)
        before = tablet.id()
        recorded = tablet.record(check(random.Random(4)), BY)
        renew(tablet)
        self.assertNotEqual(tablet.id(), before)
        self.synced(tablet)
        self.assertEqual(base.json("show", recorded.contact)["id"], recorded.contact)
        copy = wayside.Tablet.open(copied, key)
        self.assertEqual(copy.id(), before)
        self.assertEqual(sync(copy).error.code, "key_replaced")
        self.refused("key_replaced", renew, copy)

    def test_people_are_looked_up_at_base_with_a_reason_and_only_with_signal(self):
        team = base.team()
        tablet = base.tablet(team)
        known = tablet.record(check(random.Random(3)), BY).person
        self.synced(tablet)

        def look_up(reason):
            return asyncio.run(tablet.look_up("nobody of this name", "nurse-1", reason))

        found = look_up("Came back after a year")
        self.assertEqual((found.people, found.more), ([], False))
        self.refused("missing_field", look_up, " ")

        def fetch(*people):
            return asyncio.run(tablet.fetch(list(people), "nurse-1", "Came back after a year"))

        self.assertEqual(fetch(known), [known], "who is here already is found, too")
        self.refused("bad_id", fetch, "somebody")
        acts = [row["act"] for row in base.json("audit") if row["reason"] == "Came back after a year"]
        self.assertEqual(acts, ["look_up", "fetch"])
        base.stop()
        try:
            self.refused("server_unreachable", look_up, "Came back after a year", retry=True)
        finally:
            base.start()

    def test_records_are_there_after_opening_again(self):
        directory, key = base.directory(), secrets.token_bytes(32)
        tablet = wayside.Tablet.open(directory, key)
        identity = tablet.id()
        contact = tablet.record(check(random.Random(2)), BY).contact
        before = tablet.contact(contact)
        del tablet
        gc.collect()
        again = wayside.Tablet.open(directory, key)
        self.assertEqual(again.id(), identity)
        self.assertEqual(again.contact(contact), before)
        self.refused("wrong_key", wayside.Tablet.open, directory, secrets.token_bytes(32))

    def test_search_list_and_create(self):
        tablet = base.tablet()
        someone = person(random.Random(3), name=Name(given="Zoë", family="Quill"))
        made = tablet.create_person(someone, BY)
        site = tablet.create_site(wayside.Site(name="Kirkgate Market", venue="market"), BY)
        self.assertEqual([found.id for found in tablet.search("zoe quill")], [made])
        number = someone.nhs_number.value
        spaced = f"{number[:3]} {number[3:6]} {number[6:]}"
        self.assertEqual([found.nhs_number for found in tablet.search(spaced)], [spaced])
        self.assertEqual([each["id"] for each in json.loads(tablet.list_json())], [site, made])
        self.assertEqual([each["id"] for each in json.loads(tablet.list_json(offset=1, limit=1))], [made])
        self.assertEqual(json.loads(tablet.list_json(wayside.Kind.CONTACT)), [])
        [market] = tablet.sites()
        self.assertEqual((market.about.id, market.site.venue, market.sensitive), (site, "market", False))


class TwoTablets(Case):
    def test_a_conflict_is_shown_everywhere_until_it_is_settled(self):
        team = base.team()
        left, right = base.tablet(team), base.tablet(team)
        made = left.create_person(person(random.Random(4)), BY)
        self.synced(left)
        self.synced(right)

        for tablet, family in ((left, "Kahn"), (right, "Cann")):
            change = wayside.Person(name=Name(family=family))
            tablet.update_person(made, change, wayside.By(staff=family), base=tablet.person(made).about.heads)
        self.synced(left)
        self.synced(right)
        self.synced(left)
        self.assertEqual(shown(left, made), base.json("show", made))
        self.assertEqual(left.person(made), right.person(made))
        self.assertEqual((left.status().conflicts, right.status().conflicts), (1, 1))
        [unsettled] = right.unsettled()
        self.assertEqual((unsettled.kind, unsettled.about.id), (wayside.Kind.PERSON, made))
        [conflict] = unsettled.about.conflicts
        self.assertEqual((conflict.path, conflict.can_settle), ("name/family", True))
        self.assertEqual({(each.text, each.by) for each in conflict.values}, {("Kahn", "Kahn"), ("Cann", "Cann")})

        kahn = next(each for each in conflict.values if each.text == "Kahn")
        right.settle(made, conflict.path, kahn.json, BY, base=unsettled.about.heads)
        self.synced(right)
        self.synced(left)
        self.assertEqual((left.status().conflicts, left.unsettled()), (0, []))
        self.assertEqual(left.person(made).person.name.family, "Kahn")
        self.assertEqual(base.json("show", made), shown(left, made))

    def test_two_corrections_made_offline_stay_until_one_is_said_to_be_right(self):
        team = base.team()
        left, right = base.tablet(team), base.tablet(team)
        made = left.record(check(random.Random(5), systolic=150, diastolic=95), BY).contact
        reading = left.contact(made).contact.bp.readings[0].id
        self.synced(left)
        self.synced(right)
        left.correct_reading(made, reading, ReadingCorrection(systolic=140), BY)
        right.correct_reading(made, reading, ReadingCorrection(systolic=145), BY)
        self.synced(left)
        self.synced(right)
        seen = right.contact(made)
        [conflict] = seen.about.conflicts
        self.assertEqual({json.loads(each.json)["systolic"] for each in conflict.values}, {140, 145})
        self.assertIsNotNone(seen.derived.disputed)
        chosen = next(each for each in conflict.values if json.loads(each.json)["systolic"] == 140)
        right.settle(made, conflict.path, chosen.json, BY, base=seen.about.heads)
        self.synced(right)
        self.synced(left)
        self.assertEqual(left.contact(made).about.conflicts, [])

    def test_a_save_on_an_old_screen_overwrites_nothing(self):
        tablet = base.tablet()
        made = tablet.create_person(person(random.Random(5)), BY)
        old = tablet.person(made)
        # The whole of what was shown goes back, with one field changed: only that is saved.
        for phone in ("0113 496 0001", "0113 496 0002"):
            tablet.update_person(made, dataclasses.replace(old.person, phone=phone), BY, base=old.about.heads)
        [conflict] = tablet.person(made).about.conflicts
        self.assertEqual((conflict.path, len(conflict.values)), ("phone", 2))


class Errors(Case):
    def test_a_value_out_of_range_names_field_and_limit(self):
        tablet = base.tablet()
        error = self.refused("out_of_range", tablet.record, check(random.Random(7), systolic=301, diastolic=100), BY)
        self.assertIsInstance(error, wayside.WaysideError.Entry)
        self.assertIn("300", error.message)
        self.assertTrue(error.path.startswith("contact/bp/readings"), error.path)
        self.assertTrue(error.path.endswith("systolic"), error.path)
        self.assertEqual(error.details().path, error.path)
        self.assertEqual(json.loads(tablet.list_json()), [], "neither contact nor person nor session was saved")

    def test_what_is_typed_wrong_has_a_code(self):
        tablet = base.tablet()
        known = WhichPerson.NEW(person=person(random.Random(8)))
        made = tablet.record(check(random.Random(8), who=known), BY)
        self.refused("bad_json", tablet.record_json, "{", BY)
        self.refused("missing_field", tablet.record_json, "{}", BY)
        self.refused("wrong_type", tablet.record_json, "[]", BY)
        nothing = Check(session=WhichSession.KNOWN(id=made.session), person=known, contact=Contact())
        self.assertEqual(self.refused("missing_field", tablet.record, nothing, BY).path, "contact/started_at")
        error = self.refused("bad_json", tablet.edit_json, made.person, {"name/family": "Khan"}, BY)
        self.assertEqual(error.path, "name/family")
        self.assertNotIn("Khan", str(error))
        self.assertEqual(self.refused("bad_json", tablet.update_person, made.person, wayside.Person(ext="Khan"), BY).path, "ext")
        self.refused("bad_id", tablet.contact, "nonsense")
        self.refused("record_not_found", tablet.contact, "01930000-0000-7000-8000-000000000000")
        self.refused("wrong_kind", tablet.contact, made.person)
        self.refused("entry_not_found", tablet.strike_out, made.contact, "zzzzzzzz", "Wrong.", BY)
        self.refused("wrong_kind", tablet.tally, made.person, "leaflets", 1, BY)
        self.refused("heads_unknown", tablet.update_person, made.person, wayside.Person(), BY, base="short")
        self.refused("wrong_type", tablet.due, "20 November")
        mistyped = person(random.Random(8), nhs_number=wayside.NhsNumber(value="999 000 0019"))
        self.refused("nhs_number_invalid", tablet.create_person, mistyped, BY)
        self.refused("record_refused", tablet.create_json, wayside.Kind.TEAM, '{"name": "Ours"}', BY)

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


def main(names):
    """All tests, or those whose names hold one of these words."""
    loader = unittest.TestLoader()
    suites = [loader.loadTestsFromModule(module) for module in (sys.modules[__name__], care, at_once, bindings)]
    cases = [case for suite in suites for group in suite for case in group]
    chosen = [case for case in cases if not names or any(name in case.id() for name in names)]
    result = Lines()
    base.start()
    try:
        unittest.TestSuite(chosen).run(result)
    finally:
        base.close()
    broken = result.failures + result.errors
    for test, text in broken:
        print(f"\n{test}\n{text}")
    print(f"{result.passed} passed, {len(broken)} failed, {len(result.skipped)} skipped")
    return 1 if broken or not result.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
