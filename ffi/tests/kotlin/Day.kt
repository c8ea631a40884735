// A day with the Kotlin bindings, on the JVM: run by ffi/tests/run-kotlin, which builds and compiles what this needs.

import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.LinkedBlockingQueue
import java.util.concurrent.TimeUnit
import javax.crypto.KeyGenerator
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.system.exitProcess
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.json.JSONArray
import uniffi.wayside.BloodPressure
import uniffi.wayside.By
import uniffi.wayside.Check
import uniffi.wayside.Contact
import uniffi.wayside.KeyFile
import uniffi.wayside.Name
import uniffi.wayside.Person
import uniffi.wayside.Phase
import uniffi.wayside.Progress
import uniffi.wayside.Reading
import uniffi.wayside.ReadingCorrection
import uniffi.wayside.Status
import uniffi.wayside.StatusListener
import uniffi.wayside.StepCode
import uniffi.wayside.SyncListener
import uniffi.wayside.SyncProgress
import uniffi.wayside.SyncReport
import uniffi.wayside.Tablet
import uniffi.wayside.WaysideException
import uniffi.wayside.WhichPerson
import uniffi.wayside.surfaceVersion
import uniffi.wayside.uniffiEnsureInitialized

fun expect(holds: Boolean, said: () -> Any?) {
    if (!holds) throw AssertionError(said().toString())
}

fun <T> expectEqual(a: T, b: T) = expect(a == b) { "$a is not $b" }

fun refused(code: String, call: () -> Unit): WaysideException {
    try {
        call()
    } catch (error: WaysideException) {
        expectEqual(error.details().code, code)
        expect(error.details().message.isNotBlank()) { "no message" }
        return error
    }
    throw AssertionError("$code was not thrown")
}

class Heard(private val also: () -> Unit = {}) : SyncProgress {
    val all = mutableListOf<Progress>()

    override fun onProgress(progress: Progress) {
        all.add(progress)
        also()
    }
}

/** Waits for the first status of which this holds. */
fun LinkedBlockingQueue<Status>.until(holds: (Status) -> Boolean) {
    while (true) if (holds(poll(300, TimeUnit.SECONDS) ?: throw AssertionError("nothing was told"))) return
}

/** As an app would: the step that was under way when a sync was cancelled ends by itself. */
fun Tablet.syncedAfterCancel() {
    var report = runBlocking { sync() }
    while (report.error?.code == "sync_running") report = runBlocking { sync() }
    expect(report.error == null && report.inSync) { report }
}

fun tests(base: Base): List<Pair<String, () -> Unit>> = listOf(
    "a day recorded offline reaches base as it is" to {
        val team = base.team()
        val tablet = base.tablet(team)
        base.stop()
        val (recorded, waiting) = try {
            val recorded = tablet.recordDay(seed = 11, count = 40)
            expect(recorded.any { it.person == null }) { "somebody gave no details" }
            val someone = recorded.first { it.person != null }
            val seen = tablet.person(someone.person!!)
            val form = seen.person.copy(name = seen.person.name.copy(family = "Kahn-Ellis"), phone = "0113 496 0000")
            tablet.updatePerson(someone.person!!, form, BY, seen.about.heads)
            val reading = tablet.contact(someone.contact).contact.bp.readings.first().id!!
            tablet.correctReading(someone.contact, reading, ReadingCorrection(systolic = 133), BY, "Misread.")
            tablet.tally(someone.session, "leaflets", 12, BY)
            tablet.tally(someone.session, "leaflets", -2, BY)
            val last = recorded.last().contact
            tablet.strikeOut(last, tablet.contact(last).contact.bp.readings.first().id!!, "The cuff slipped.", BY)
            val error = runBlocking { tablet.sync() }.error!!
            expectEqual(error.code, "server_unreachable")
            expect(error.retry) { "a retry helps" }
            recorded to tablet.status().waiting
        } finally {
            base.start()
        }
        expect(waiting >= 44u) { waiting }
        val report = tablet.synced()
        expectEqual(listOf(report.pushed, report.accepted, report.quarantined), listOf(waiting, waiting, 0uL))
        expectEqual(tablet.status().waiting, 0uL)
        for (each in recorded.flatMap { listOfNotNull(it.contact, it.person, it.session) }.toSet().shuffled(Random(1)).take(12)) {
            expect(same(base.show(each), tablet.shown(each))) { "$each differs at base" }
        }
        val there = JSONArray(base.run("list", "--kind", "contact", "--json"))
        val mine = (0 until there.length()).map { there.getJSONObject(it) }.filter { it.getString("team") == tablet.status().teams.single().id }
        expectEqual(mine.map { it.getString("id") }.toSet(), recorded.map { it.contact }.toSet())
        tablet.wipe()
        refused("tablet_locked") { tablet.status() }
    },
    "a conflict is shown on both tablets until it is settled" to {
        val team = base.team()
        val (left, right) = listOf(base.tablet(team), base.tablet(team))
        val made = left.createPerson(person(Random(4)), BY)
        left.synced()
        right.synced()
        left.updatePerson(made, Person(name = Name(family = "Kahn")), By("left"), left.person(made).about.heads)
        right.updatePerson(made, Person(name = Name(family = "Cann")), By("right"), right.person(made).about.heads)
        left.synced()
        right.synced()
        left.synced()
        expectEqual(left.person(made), right.person(made))
        val unsettled = right.unsettled().single()
        val conflict = unsettled.about.conflicts.single()
        expectEqual(conflict.path to conflict.values.map { it.text to it.by }.toSet(), "name/family" to setOf("Kahn" to "left", "Cann" to "right"))
        right.settle(made, conflict.path, conflict.values.first { it.text == "Kahn" }.json, BY, unsettled.about.heads)
        right.synced()
        left.synced()
        expectEqual(left.status().conflicts, 0uL)
        expectEqual(left.person(made).person.name.family, "Kahn")
    },
    "a guided check takes a call for each step" to {
        val tablet = base.tablet()
        val dice = Random(31)
        val contact = tablet.record(Check(SESSION, WhichPerson.New(person(dice)), Contact(startedAt = "2026-11-20T13:00:00Z")), BY).contact
        var step = tablet.nextStep(contact)
        var calls = 2
        while (step.code != StepCode.DONE) {
            expect(step.text.isNotBlank() && calls < 9) { step }
            val given = when (step.code) {
                StepCode.TAKE_READING -> Contact(bp = BloodPressure(readings = listOf(Reading(
                    takenAt = "2026-11-20T13:0$calls:00Z", systolic = 118, diastolic = 74,
                    arm = step.reading!!.arm ?: "left", position = step.reading!!.position, setting = "clinic",
                ))))
                StepCode.ASK_PULSE_RHYTHM -> Contact(bp = BloodPressure(pulseRhythm = "regular"))
                else -> Contact(declined = listOf(step.skip!!))
            }
            step = tablet.answer(contact, given, BY, step.heads)
            calls++
        }
        tablet.finish(contact, BY)
        val card = tablet.resultCard(contact)
        expectEqual(listOf(card.systolic, card.diastolic), listOf(118, 74))
        expectEqual(tablet.contact(contact).contact.ended!!.how, "completed")
        println("      a guided check: ${calls + 2} calls")
    },
    "a key is made once and never replaced, and a wipe forgets it" to {
        val (keys, directory) = Keys() to base.directory()
        val tablet = Tablet.openWith(directory, keys)
        val made = tablet.record(check(Random(41)), BY).contact
        tablet.lock()
        refused("tablet_locked") { tablet.contact(made) }
        tablet.unlock()
        expectEqual(tablet.contact(made).about.id, made)
        tablet.lock()
        val key = keys.key
        keys.key = null
        refused("key_missing") { tablet.unlock() }
        refused("key_missing") { Tablet.openWith(directory, keys) }
        val throws = object : Keys() {
            override fun load() = throw IllegalStateException("hunter2")
        }
        val error = refused("key_store_failed") { Tablet.openWith(directory, throws) }
        expect("hunter2" !in error.toString()) { error }
        keys.key = key
        tablet.unlock()
        refused("records_unsent") { tablet.wipe() }
        tablet.wipe(unsentToo = true)
        expect(keys.key == null && tablet.isLocked()) { "the key is still there" }
        tablet.unlock()
        expectEqual(tablet.status().records.contact, 0uL)
    },
    "how things stand is told whenever it changes, and a listener may throw" to {
        val tablet = base.tablet(base.team())
        val told = LinkedBlockingQueue<Status>()
        val threads = java.util.Collections.synchronizedSet(mutableSetOf<Thread>())
        val watch = tablet.watchStatus(object : StatusListener {
            override fun onStatus(status: Status) {
                threads.add(Thread.currentThread())
                tablet.status()
                told.add(status)
                throw IllegalStateException("a screen that cannot draw")
            }
        })
        tablet.record(check(Random(51)), BY)
        told.until { it.records.contact == 1uL && it.waiting > 0uL }
        tablet.synced()
        told.until { it.inSync && !it.syncing }
        expect(Thread.currentThread() !in threads) { threads }
        watch.stop()
    },
    "what one records comes to the other in the background" to {
        val team = base.team()
        val (left, right) = listOf(base.tablet(team), base.tablet(team))
        val told = LinkedBlockingQueue<Status>()
        val watch = right.watchStatus(object : StatusListener {
            override fun onStatus(status: Status) {
                told.add(status)
            }
        })
        left.startSyncing()
        right.startSyncing(object : SyncListener {
            override fun onProgress(progress: Progress) = throw IllegalStateException("a screen that cannot draw")
            override fun onReport(report: SyncReport) = throw IllegalStateException("a screen that cannot draw")
        })
        val made = left.record(check(Random(71)), BY).contact
        told.until { it.records.contact == 1uL }
        expectEqual(right.contact(made).contact, left.contact(made).contact)
        left.stopSyncing()
        right.lock()
        expect(!left.keepsSyncing() && !right.keepsSyncing()) { "still syncing" }
        watch.stop()
    },
    "a sync is cancelled from anywhere" to {
        val tablet = base.tablet(base.team())
        tablet.recordDay(seed = 16, count = 10)
        val report = runBlocking { tablet.sync(Heard { tablet.cancelSync() }) }
        expectEqual(report.error!!.code to report.error!!.retry, "sync_cancelled" to true)
        tablet.syncedAfterCancel()
    },
    "a cancelled sync is taken up again" to {
        val tablet = base.tablet(base.team())
        tablet.recordDay(seed = 15, count = 40)
        val (begun, cancelled) = listOf(CountDownLatch(1), CountDownLatch(1))
        val holds = Heard { begun.countDown(); cancelled.await(300, TimeUnit.SECONDS) }
        runBlocking(Dispatchers.Default) {
            val sync = launch { tablet.sync(holds) }
            begun.await()
            sync.cancelAndJoin()
            cancelled.countDown()
        }
        tablet.syncedAfterCancel()
        expectEqual(tablet.status().records.contact, 40uL)
    },
    "eight threads record on one tablet while it syncs" to {
        val tablet = base.tablet(base.team())
        val failed = mutableListOf<Throwable>()
        val recorded = java.util.Collections.synchronizedSet(mutableSetOf<String>())
        val threads = (0 until 8).map { n ->
            thread {
                try {
                    val dice = Random(100 + n)
                    repeat(10) { recorded.add(tablet.record(check(dice, it), BY).contact) }
                } catch (error: Throwable) {
                    synchronized(failed) { failed.add(error) }
                }
            }
        }
        while (threads.any { it.isAlive }) runBlocking { tablet.sync() }
        threads.forEach { it.join() }
        expect(failed.isEmpty()) { failed }
        tablet.synced()
        expectEqual(recorded.size, 80)
        expectEqual(tablet.status().records.contact, 80uL)
    },
    "progress is told, and a callback that throws breaks nothing" to {
        val tablet = base.tablet(base.team())
        tablet.recordDay(seed = 12, count = 5)
        val throws = Heard { throw IllegalStateException("a screen that cannot draw") }
        val report = tablet.synced(throws)
        expectEqual(report.pushed, report.accepted)
        expectEqual(throws.all.first().phase, Phase.CONNECTING)
        expectEqual(throws.all.last().phase, Phase.DONE)
        tablet.recordDay(seed = 13, count = 5)
        val syncing = mutableListOf<Boolean>()
        tablet.synced(Heard { syncing.add(tablet.status().syncing) })
        expect(syncing.first()) { "a callback may ask the tablet" }
    },
    "errors have codes, and name the field and its limit" to {
        val tablet = base.tablet()
        val error = refused("out_of_range") { tablet.record(check(Random(5), systolic = 301), BY) }
        expect(error is WaysideException.Entry && "systolic" in error.path && "300" in error.text) { error }
        refused("wrong_key") { Tablet.open(base.directory(), ByteArray(9)) }
        expectEqual(runBlocking { tablet.sync() }.error!!.code, "not_enrolled")
        expectEqual(tablet.status().waiting, 0uL)
    },
    "what a killed app had recorded is there" to {
        val (directory, key) = base.directory() to Random.nextBytes(32)
        val process = ProcessBuilder(
            "java", "-Djna.library.path=" + System.getProperty("jna.library.path"),
            "-Djna.boot.library.path=" + System.getProperty("jna.boot.library.path"), "DayKt", "record", directory,
            key.joinToString("") { "%02x".format(it) },
        ).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val said = process.inputStream.bufferedReader()
        val acknowledged = (0 until 25).map { said.readLine() }.toMutableSet()
        // Not the process's own destroyForcibly, which would close what it said.
        process.toHandle().destroyForcibly()
        process.waitFor()
        acknowledged.addAll(said.readLines().filter { it.length == 36 })
        val tablet = Tablet.open(directory, key)
        val kept = tablet.contacts()
        expect(acknowledged.all { it in kept }) { "lost: ${acknowledged - kept}" }
        tablet.record(check(Random(6)), BY)
    },
    "a key file keeps the key encrypted, and no file is no key" to {
        val guard = KeyGenerator.getInstance("AES").apply { init(256) }.generateKey()
        val file = File(base.directory())
        val keys = KeyFile(file) { guard }
        val directory = base.directory()
        val tablet = Tablet.openWith(directory, keys)
        val key = keys.load()!!
        expect(key.size == 32 && key.toList() !in file.readBytes().toList().windowed(32)) { "it lies there as it is" }
        tablet.lock()
        Tablet.openWith(directory, KeyFile(file) { guard }).lock()
        file.writeBytes(file.readBytes().also { it[it.size - 1] = (it.last() + 1).toByte() })
        refused("key_store_failed") { tablet.unlock() }
        file.delete()
        refused("key_missing") { tablet.unlock() }
    },
    "the screen of the guide takes a check from its beginning to base" to {
        val tablet = open(File(base.directory()), Keys())
        val screen = CheckScreen(tablet, BY, "Masjid Al-Noor")
        val step = { screen.drawn.value.step!! }
        runBlocking {
            val someone = person(Random(9))
            expectEqual(screen.alreadyHere(someone), listOf())
            screen.begin(WhichPerson.New(someone))
            expectEqual(screen.alreadyHere(someone).size, 1)
            val asked = mutableListOf<StepCode>()
            while (step().code != StepCode.TAKE_READING) {
                asked.add(step().code)
                expect(asked.size < 10) { "it asks for ever: $asked" }
                if (step().code == StepCode.ASK_PULSE_RHYTHM) screen.pulse("regular") else screen.skip()
            }
            screen.reading(301, 100)
            expect("300" in screen.drawn.value.problem && !screen.drawn.value.isUnusual) { screen.drawn.value }
            screen.reading(148, 35)
            expect(screen.drawn.value.isUnusual) { screen.drawn.value }
            screen.reading(152, 94)
            expectEqual(screen.drawn.value.problem, "")
            expectEqual(screen.drawn.value.result!!.category!!.code, "HIGH")
            val line = statusLine(tablet).first()
            expect(line.endsWith("not at base yet")) { line }
            tablet.enrol(base.code(base.team()), "Van")
            tablet.startSyncing()
            statusLine(tablet).first { it == "Everything is at base" }
            tablet.stopSyncing()
        }
        val contact = tablet.contacts().single()
        expect(same(base.show(contact), tablet.shown(contact))) { "it differs at base" }
    },
    "what a call costs" to {
        val tablet = base.tablet()
        val contact = tablet.record(check(Random(82)), BY).contact
        fun microseconds(times: Int, call: () -> Unit): Double {
            val begun = System.nanoTime()
            repeat(times) { call() }
            return (System.nanoTime() - begun) / times / 1000.0
        }
        repeat(2000) { surfaceVersion() }
        val empty = microseconds(10_000) { surfaceVersion() }
        println("      a call and back: $empty µs; a contact read: ${microseconds(100) { tablet.contact(contact) }} µs (debug build)")
    },
)

/** Records until it is killed, and says what it has recorded. */
fun recordForEver(directory: String, key: String) {
    val tablet = Tablet.open(directory, key.chunked(2).map { it.toInt(16).toByte() }.toByteArray())
    val dice = Random(7)
    generateSequence(0) { it + 1 }.forEach { println(tablet.record(check(dice, it), BY).contact) }
}

fun main(arguments: Array<String>) {
    // Only this checks that the bindings and the library belong together.
    uniffiEnsureInitialized()
    if (arguments.firstOrNull() == "record") return recordForEver(arguments[1], arguments[2])
    val base = Base()
    base.start()
    var (passed, failed) = 0 to 0
    base.use {
        for ((name, test) in tests(base)) {
            try {
                test()
                passed++
                println("ok    $name")
            } catch (error: Throwable) {
                failed++
                println("FAIL  $name")
                error.printStackTrace(System.out)
            }
        }
    }
    println("\n$passed passed, $failed failed, 0 skipped")
    exitProcess(if (failed == 0) 0 else 1)
}
