"""Guided checks, staff, what is due, keys: what a screen does beside recording."""

import random
import secrets

import wayside
from base import BY, Case, Keys, base
from generator import check, person, reading
from wayside import BloodPressure, Check, Contact, FollowUp, StepCode, WhichPerson, WhichSession


class Counts:
    """Counts the calls of a tablet."""

    def __init__(self, tablet):
        self.tablet = tablet
        self.calls = 0

    def __getattr__(self, name):
        call = getattr(self.tablet, name)

        def counted(*arguments, **named):
            self.calls += 1
            return call(*arguments, **named)

        return counted


class Guided(Case):
    def answer(self, step, dice, minute):
        """What somebody answers who is well."""
        if step.code in (StepCode.TAKE_READING, StepCode.TAKE_STANDING, StepCode.TAKE_LYING):
            at = f"2026-11-20T13:{minute:02}:00Z"
            next_one = reading(dice, at, systolic=118, diastolic=74, arm=step.reading.arm or "left",
                               position=step.reading.position)
            return Contact(bp=BloodPressure(readings=[next_one]))
        if step.code == StepCode.ASK_PULSE_RHYTHM:
            self.assertIn("regular", [choice.value for choice in step.choices])
            return Contact(bp=BloodPressure(pulse_rhythm="regular"))
        return Contact(declined=[step.skip])

    def test_a_guided_check_takes_a_call_for_each_step(self):
        tablet = Counts(base.tablet())
        dice = random.Random(31)
        who = WhichPerson.NEW(person=person(dice, sex="male"))
        begun = Check(
            session=WhichSession.AT(session=wayside.Session(site="Kirkgate Market", date="2026-11-20")), person=who,
            contact=Contact(started_at="2026-11-20T13:00:00Z"),
        )
        contact = tablet.record(begun, BY).contact
        step, steps = tablet.next_step(contact), []
        while step.code != StepCode.DONE:
            self.assertTrue(step.text)
            steps.append(step.code)
            self.assertLess(len(steps), 12, steps)
            step = tablet.answer(contact, self.answer(step, dice, len(steps)), BY, base=step.heads)
        self.assertIn(StepCode.TAKE_READING, steps)
        tablet.finish(contact, BY)
        card = tablet.result_card(contact)
        self.assertEqual((card.systolic, card.diastolic), (118, 74))
        self.assertIn("118", card.figures)
        # To begin, to see the first step, to end, the card; and one for each step.
        self.assertEqual(tablet.calls, 4 + len(steps))
        self.assertLessEqual(tablet.calls, 9, steps)
        self.assertEqual(tablet.contact(contact).contact.ended.how, "completed")

    def test_a_check_of_somebody_who_is_here_is_one_call(self):
        tablet = base.tablet()
        known = tablet.create_person(person(random.Random(32)), BY)
        session = tablet.open_session(wayside.Session(site="Kirkgate Market", date="2026-11-20"), BY)
        counted = Counts(tablet)
        one = check(random.Random(32), who=WhichPerson.KNOWN(id=known), session=WhichSession.KNOWN(id=session))
        made = counted.record(one, BY)
        self.assertEqual(counted.calls, 1)
        self.assertEqual((made.person, made.session), (known, session))
        [contact] = tablet.contacts_of_session(session)
        self.assertEqual([contact], tablet.contacts_of_person(known))
        readings = [(each.systolic, each.diastolic, each.pulse) for each in contact.contact.bp.readings]
        self.assertEqual(readings, [(each.systolic, each.diastolic, each.pulse) for each in one.contact.bp.readings])

    def test_red_flags_interrupt(self):
        tablet = base.tablet()
        contact = tablet.record(check(random.Random(33), systolic=194, diastolic=122), BY).contact
        step = tablet.next_step(contact)
        self.assertEqual((step.code, step.interrupts), (StepCode.ASK_RED_FLAGS, True))
        flags = [wayside.RedFlag(flag=choice.value, present=choice.value == "chest_pain") for choice in step.choices]
        step = tablet.answer(contact, Contact(bp=BloodPressure(red_flags=flags)), BY, base=step.heads)
        self.assertEqual((step.code, step.interrupts), (StepCode.CALL_EMERGENCY, True))
        seen = tablet.contact(contact)
        self.assertEqual(seen.derived.urgency, wayside.Urgency.EMERGENCY)
        self.assertTrue(all(flag.asked_at for flag in seen.contact.bp.red_flags), "who and when are filled in")
        self.assertTrue(tablet.result_card(contact).nobody_at_base)

    def test_half_done_is_parked_and_taken_up_again(self):
        tablet = base.tablet()
        who = WhichPerson.NEW(person=person(random.Random(34)))
        contact = tablet.record(check(random.Random(34), who=who), BY).contact
        tablet.park(contact, BY)
        [parked] = tablet.half_done()
        self.assertEqual((parked.contact, parked.parked, parked.site), (contact, True, "Masjid Al-Noor"))
        tablet.resume(contact, BY)
        self.assertFalse(tablet.half_done()[0].parked)
        tablet.finish(contact, BY, left_early=True)
        self.assertEqual(tablet.contact(contact).contact.ended.how, "left_early")

    def test_follow_ups_are_due_and_done_and_in_the_story(self):
        tablet = base.tablet()
        who = WhichPerson.NEW(person=person(random.Random(35)))
        made = tablet.record(check(random.Random(35), who=who, systolic=152, diastolic=96), BY)
        self.assertTrue(tablet.suggestions(made.contact))
        entry = tablet.add_follow_up(made.contact, FollowUp(what="call", due_on="2026-11-27"), BY)
        [due] = tablet.due("2026-11-28")
        self.assertEqual((due.contact, due.task.entry, due.task.state), (made.contact, entry, wayside.TaskState.OVERDUE))
        self.assertEqual(due.person.id, made.person)
        self.assertEqual([each.task for each in tablet.due_of(made.person, "2026-11-28")], [due.task])
        tablet.add_call(made.contact, wayside.Call(outcome="reached", spoke_to="the person"), BY)
        tablet.add_follow_up_event(made.contact, wayside.FollowUpEvent(follow_up=entry, status="done"), BY)
        self.assertEqual(tablet.due("2026-11-28"), [])
        [task] = tablet.tasks(made.contact, "2026-11-28")
        self.assertEqual((task.state, task.last_status), (wayside.TaskState.DONE, "done"))
        story = [event.kind for event in tablet.timeline(made.person)]
        kinds = wayside.EventKind
        for kind in (kinds.REGISTERED, kinds.READING, kinds.RESULT, kinds.FOLLOW_UP, kinds.CALL, kinds.FOLLOW_UP_EVENT):
            self.assertIn(kind, story)

    def test_likely_duplicates_are_named_before_saving(self):
        tablet = base.tablet()
        someone = person(random.Random(36))
        known = tablet.create_person(someone, BY)
        [likely] = tablet.likely_duplicates(someone)
        self.assertEqual((likely.person.id, likely.likeness), (known, wayside.Likeness.LIKELY))
        self.assertTrue(likely.reasons)
        self.assertEqual(tablet.likely_duplicates(someone, id=known), [])
        mistyped = wayside.Person(nhs_number=wayside.NhsNumber(value="999 000 0019"), date_of_birth="3 feb 1968")
        findings = {finding.path: finding for finding in tablet.check_person(mistyped)}
        self.assertEqual(findings["date_of_birth"].value, "1968-02-03")
        self.assertTrue(any(not finding.can_save or finding.ask for finding in findings.values()), findings)


class Staff(Case):
    def test_signing_in_wrong_pins_the_lock_and_a_coordinators_code(self):
        team = base.team()
        member = base.run("staff", "add", "Imani Test", "--role", "nurse", "--team", team).split()[0]
        base.run("staff", "pin", member, "--typed", "--team", team, typed="482915\n")
        tablet = base.tablet(team)
        self.synced(tablet)
        [known] = tablet.staff()
        self.assertEqual((known.id, known.name, known.has_pin, known.locked_seconds), (member, "Imani Test", True, 0))
        self.assertEqual(tablet.sign_in(member, "482915").name, "Imani Test")
        error = self.refused("pin_wrong", tablet.sign_in, member, "482916")
        self.assertIsInstance(error, wayside.WaysideError.SignIn)
        self.assertEqual(error.tries_left, known.tries_left - 1)
        for _ in range(error.tries_left):
            self.assertRaises(wayside.WaysideError, tablet.sign_in, member, "482916")
        error = self.refused("staff_locked", tablet.sign_in, member, "482915", retry=True)
        self.assertGreater(error.locked_seconds, 0)
        self.assertEqual(tablet.staff()[0].tries_left, 0)
        digits = tablet.unlock_challenge(member).digits
        code = base.run("staff", "unlock", member, *digits.split(), "--team", team).split("\t")[0]
        tablet.unlock_staff(member, code, "739164")
        self.assertEqual(tablet.sign_in(member, "739164").id, member)
        self.assertEqual(tablet.staff_name(member), "Imani Test")
        self.refused("staff_unknown", tablet.sign_in, "nobody", "482915")


class KeyStores(Case):
    def test_a_key_is_made_once_and_never_replaced(self):
        keys, directory = Keys(), base.directory()
        tablet = wayside.Tablet.open_with(directory, keys)
        self.assertEqual(len(keys.key), 32)
        made = tablet.record(check(random.Random(41)), BY).contact
        tablet.lock()
        self.refused("tablet_locked", tablet.contact, made)
        tablet.unlock()
        self.assertEqual(tablet.contact(made).about.id, made)
        tablet.lock()
        key, keys.key = keys.key, None
        self.refused("key_missing", tablet.unlock)
        self.refused("key_missing", wayside.Tablet.open_with, directory, keys)
        self.assertIsNone(keys.key)
        tablet.unlock(key)
        self.refused("records_unsent", tablet.wipe)
        keys.key = key
        tablet.wipe(unsent_too=True)
        self.assertIsNone(keys.key)
        tablet.unlock()
        self.assertNotIn(keys.key, (None, key))
        self.assertEqual(tablet.status().records.contact, 0)

    def test_a_key_store_that_throws_is_an_error_without_its_text(self):
        class Throws(wayside.TabletKeys):
            def load(self):
                raise RuntimeError("hunter2")

        error = self.refused("key_store_failed", wayside.Tablet.open_with, base.directory(), Throws(), retry=True)
        self.assertNotIn("hunter2", str(error))

        class Lies(Keys):
            def load(self):
                return b"no key"

        self.refused("key_store_failed", wayside.Tablet.open_with, base.directory(), Lies(), retry=True)

    def test_an_apps_clock_counts_and_one_that_throws_does_not(self):
        class Clock(wayside.TabletClock):
            broken = False

            def now_ms(self):
                if self.broken:
                    raise RuntimeError("no clock")
                return 1_795_179_600_000

            def uptime_ms(self):
                raise RuntimeError("no clock")

            def offset_minutes(self):
                return 0

        clock = Clock()
        tablet = wayside.Tablet.open_with(base.directory(), Keys(secrets.token_bytes(32)), clock)
        created = lambda: tablet.person(tablet.create_person(wayside.Person(), BY)).about.created.at
        self.assertEqual(created(), "2026-11-20T13:00:00Z")
        clock.broken = True
        self.assertNotEqual(created(), "2026-11-20T13:00:00Z")
