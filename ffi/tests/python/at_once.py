"""Threads, syncs in the background and cancelled, callbacks, and programs that end or are killed."""

import asyncio
import json
import queue
import random
import secrets
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import wayside
from base import BY, Case, base, sync
from generator import check, day


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


class Statuses(wayside.StatusListener):
    """Every status that was told, and on which thread; then throws, as a screen may."""

    def __init__(self, tablet):
        self.tablet = tablet
        self.told = queue.Queue()
        self.threads = set()

    def on_status(self, status):
        self.threads.add(threading.get_ident())
        self.tablet.status()
        self.told.put(status)
        raise RuntimeError("The screen could not be drawn.")

    def until(self, holds):
        """Waits for the first status of which this holds."""
        while not holds(status := self.told.get(timeout=300)):
            pass
        return status


class Progress(Case):
    def test_progress_is_told_and_grows(self):
        tablet = base.tablet(base.team())
        for each in day(seed=12, count=40):
            tablet.record(each, BY)
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
            tablet.record(each, BY)
        throws = Throws()
        report = self.synced(tablet, throws)
        self.assertGreaterEqual(throws.calls, 3)
        self.assertEqual(report.pushed, report.accepted)
        self.assert_same_at_base(tablet)

    def test_a_callback_may_ask_the_tablet_and_is_on_no_thread_of_the_app(self):
        tablet = base.tablet(base.team())
        tablet.record(check(random.Random(6)), BY)
        here = threading.get_ident()
        statuses, threads = [], set()

        class Asks(wayside.SyncProgress):
            def on_progress(self, progress):
                statuses.append(tablet.status().syncing)
                threads.add(threading.get_ident())

        self.synced(tablet, Asks())
        self.assertTrue(statuses[0])
        self.assertNotIn(here, threads)


class Watching(Case):
    def test_how_things_stand_is_told_whenever_it_changes(self):
        tablet = base.tablet(base.team())
        listener = Statuses(tablet)
        watch = tablet.watch_status(listener)
        self.assertEqual(listener.told.get(timeout=300).records.contact, 0)
        tablet.record(check(random.Random(51)), BY)
        self.assertGreater(listener.until(lambda status: status.records.contact == 1).waiting, 0)
        self.synced(tablet)
        listener.until(lambda status: status.in_sync and not status.syncing)
        self.assertNotIn(threading.get_ident(), listener.threads)
        watch.stop()
        # Another that begins now hears what the first does not.
        second = Statuses(tablet)
        watching = tablet.watch_status(second)
        tablet.record(check(random.Random(52)), BY)
        second.until(lambda status: status.records.contact == 2)
        while not listener.told.empty():
            self.assertEqual(listener.told.get().records.contact, 1)
        watching.stop()

    def test_eight_threads_and_a_listener_do_not_stand_in_each_others_way(self):
        tablet = base.tablet()
        listener = Statuses(tablet)
        watch = tablet.watch_status(listener)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda seed: [tablet.record(each, BY) for each in day(seed, 5)], range(60, 68)))
        listener.until(lambda status: status.records.contact == 40)
        watch.stop()


class InTheBackground(Case):
    class Reports(wayside.SyncListener):
        def __init__(self):
            self.told = queue.Queue()

        def on_progress(self, progress):
            raise RuntimeError("The screen could not be drawn.")

        def on_report(self, report):
            self.told.put(report)

    def test_what_one_records_comes_to_the_other_until_it_is_stopped(self):
        team = base.team()
        left, right = base.tablet(team), base.tablet(team)
        reports, seen = self.Reports(), Statuses(right)
        watch = right.watch_status(seen)
        left.start_syncing()
        right.start_syncing(reports)
        self.assertTrue(left.keeps_syncing() and right.keeps_syncing())
        self.assertIsNone(reports.told.get(timeout=300).error)
        made = left.record(check(random.Random(71)), BY)
        seen.until(lambda status: status.records.contact == 1)
        self.assertEqual(right.contact(made.contact).contact, left.contact(made.contact).contact)

        right.stop_syncing()
        self.assertFalse(right.keeps_syncing())
        late = left.record(check(random.Random(72)), BY)
        ids = lambda tablet: {each["id"] for each in json.loads(tablet.list_json(wayside.Kind.CONTACT))}
        self.assertEqual(ids(right), {made.contact})
        # Stopped, it is free for a sync by hand.
        while late.contact not in ids(right):
            sync(right)
        left.lock()
        self.assertFalse(left.keeps_syncing())
        watch.stop()

    def test_without_signal_it_goes_on_trying_and_nothing_is_lost(self):
        tablet = base.tablet(base.team())
        reports = self.Reports()
        base.stop()
        try:
            tablet.start_syncing(reports)
            report = reports.told.get(timeout=300)
            self.assertEqual((report.error.code, report.error.retry), ("server_unreachable", True))
            made = tablet.record(check(random.Random(73)), BY)
        finally:
            base.start()
        while (report := reports.told.get(timeout=300)).error or not report.in_sync:
            pass
        tablet.stop_syncing()
        self.assertEqual(base.json("show", made.contact)["id"], made.contact)


class AtOnce(Case):
    def test_eight_threads_record_on_one_tablet(self):
        tablet = base.tablet(base.team())

        def work(seed):
            return [tablet.record(each, BY).contact for each in day(seed, 10)]

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
                asyncio.to_thread(lambda seed=seed: [tablet.record(each, BY).contact for each in day(seed, 15)])
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

    def test_locking_while_threads_record_saves_what_was_acknowledged(self):
        key = secrets.token_bytes(32)
        tablet = wayside.Tablet.open(base.directory(), key)
        begun = threading.Barrier(5)

        def work(seed):
            recorded = []
            for number, each in enumerate(day(seed, 1000)):
                try:
                    recorded.append(tablet.record(each, BY).contact)
                except wayside.WaysideError as error:
                    return recorded, error.code
                if number == 2:
                    begun.wait(300)
            return recorded, "never locked"

        with ThreadPoolExecutor(4) as pool:
            threads = [pool.submit(work, seed) for seed in range(110, 114)]
            begun.wait(300)
            tablet.lock()
            ended = [thread.result() for thread in threads]
        self.assertEqual({code for _, code in ended}, {"tablet_locked"})
        tablet.unlock(key)
        kept = {each["id"] for each in json.loads(tablet.list_json(wayside.Kind.CONTACT))}
        self.assertEqual(kept, {contact for recorded, _ in ended for contact in recorded})

    def test_of_two_syncs_at_once_one_is_told_so(self):
        tablet = base.tablet(base.team())
        tablet.record(check(random.Random(9)), BY)

        async def both():
            return await asyncio.gather(tablet.sync(), tablet.sync())

        errors = [report.error for report in asyncio.run(both())]
        self.assertEqual(sorted(error.code if error else "" for error in errors), ["", "sync_running"])


class Cancelled(Case):
    """A sync is held in its first callback, cancelled there, and taken up again."""

    def test_a_task_that_is_cancelled(self):
        tablet = base.tablet(base.team())
        for each in day(seed=15, count=40):
            tablet.record(each, BY)

        async def cancel():
            begun, cancelled = asyncio.Event(), threading.Event()
            loop = asyncio.get_running_loop()

            class Holds(wayside.SyncProgress):
                def on_progress(self, progress):
                    loop.call_soon_threadsafe(begun.set)
                    cancelled.wait(300)

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
        self.synced_after_cancel(tablet)
        self.assertEqual(len(self.assert_same_at_base(tablet)), 40)

    def test_from_another_thread(self):
        tablet = base.tablet(base.team())
        for each in day(seed=16, count=20):
            tablet.record(each, BY)

        class Cancels(wayside.SyncProgress):
            def on_progress(self, progress):
                tablet.cancel_sync()

        report = sync(tablet, Cancels())
        self.assertEqual((report.error.code, report.error.retry), ("sync_cancelled", True))
        self.assertFalse(report.in_sync)
        self.synced_after_cancel(tablet)
        self.assertEqual(len(self.assert_same_at_base(tablet)), 20)


class Ending(Case):
    def program(self, text, given):
        command = [sys.executable, "-c", text]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parent,
        ), json.dumps(given) + "\n"

    IN_A_SYNC = """
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
        given = [base.directory(), secrets.token_hex(32), base.code(base.team())]
        program, given = self.program(self.IN_A_SYNC, given)
        said, complained = program.communicate(given, timeout=300)
        self.assertEqual((program.returncode, said, complained), (0, "ended\n", ""))

    RECORDS = """
import json, random, sys, wayside
from generator import check

directory, key = json.loads(sys.stdin.readline())
tablet = wayside.Tablet.open(directory, bytes.fromhex(key))
dice = random.Random(7)
number = 0
while True:
    print(tablet.record(check(dice, number), wayside.By(staff="nurse-1")).contact, flush=True)
    number += 1
"""

    def test_what_a_killed_program_had_recorded_is_there(self):
        directory, key = base.directory(), secrets.token_hex(32)
        program, given = self.program(self.RECORDS, [directory, key])
        program.stdin.write(given)
        program.stdin.flush()
        acknowledged = [program.stdout.readline().strip() for _ in range(25)]
        # In the middle of some call: it never stops recording.
        program.kill()
        rest, _ = program.communicate(timeout=300)
        acknowledged += [line for line in rest.splitlines() if len(line) == 36]
        tablet = wayside.Tablet.open(directory, bytes.fromhex(key))
        kept = {each["id"] for each in json.loads(tablet.list_json(wayside.Kind.CONTACT))}
        self.assertTrue(all(acknowledged))
        self.assertEqual(set(acknowledged) - kept, set())
        tablet.record(check(random.Random(6)), BY)
