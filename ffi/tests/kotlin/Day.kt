// A day with the Kotlin bindings, on the JVM: run by ffi/tests/run-kotlin, which builds and compiles what this needs.

import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.TimeUnit
import kotlin.concurrent.thread
import kotlin.random.Random
import kotlin.system.exitProcess
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.json.JSONArray
import org.json.JSONObject
import uniffi.wayside.By
import uniffi.wayside.Kind
import uniffi.wayside.Phase
import uniffi.wayside.Progress
import uniffi.wayside.SyncProgress
import uniffi.wayside.Tablet
import uniffi.wayside.WaysideException
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

fun tests(base: Base): List<Pair<String, () -> Unit>> = listOf(
    "a day recorded offline reaches base as it is" to {
        val team = base.team()
        val tablet = base.tablet(team)
        base.stop()
        val (recorded, waiting) = try {
            val recorded = tablet.recordDay(seed = 11, count = 40)
            expect(recorded.any { it.person == null }) { "somebody gave no details" }
            val someone = recorded.first { it.person != null }
            tablet.edit(someone.person!!, mapOf("name/family" to "\"Kahn-Ellis\"", "phone" to "\"0113 496 0000\""), BY)
            val reading = tablet.shown(someone.contact).getJSONObject("bp").getJSONObject("readings").keys().next()
            tablet.correct(someone.contact, reading, mapOf("systolic" to "133"), BY, "Misread.")
            tablet.tally(someone.session, "leaflets", 12, BY)
            tablet.tally(someone.session, "leaflets", -2, BY)
            val wrong = tablet.shown(recorded.last().contact).getJSONObject("bp").getJSONObject("readings").keys().next()
            tablet.strikeOut(recorded.last().contact, wrong, "The cuff slipped.", BY)
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
    },
    "a conflict is shown on both tablets until it is settled" to {
        val team = base.team()
        val (left, right) = listOf(base.tablet(team), base.tablet(team))
        val made = left.create(Kind.PERSON, person(Random(4)).toString(), BY)
        left.synced()
        right.synced()
        left.edit(made, mapOf("name/family" to "\"Kahn\""), By("left", null))
        right.edit(made, mapOf("name/family" to "\"Cann\""), By("right", null))
        left.synced()
        right.synced()
        left.synced()
        for (tablet in listOf(left, right)) {
            val values = tablet.shown(made).getJSONArray("conflicts").getJSONObject(0).getJSONArray("values")
            expectEqual((0 until values.length()).map { values.getJSONObject(it).getString("value") }.toSet(), setOf("Kahn", "Cann"))
        }
        right.edit(made, mapOf("name/family" to "\"Khan\""), BY, right.show(made).heads)
        right.synced()
        left.synced()
        expectEqual(left.status().conflicts, 0uL)
        expectEqual(left.shown(made).getJSONObject("name").getString("family"), "Khan")
    },
    "a cancelled sync is taken up again" to {
        val tablet = base.tablet(base.team())
        tablet.recordDay(seed = 15, count = 40)
        val (begun, cancelled) = listOf(CountDownLatch(1), CountDownLatch(1))
        val holds = Heard { begun.countDown(); cancelled.await(30, TimeUnit.SECONDS) }
        runBlocking(Dispatchers.Default) {
            val sync = launch { tablet.sync(holds) }
            begun.await()
            sync.cancelAndJoin()
            cancelled.countDown()
        }
        // As an app would: the step that was under way ends by itself.
        val until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30)
        var report = runBlocking { tablet.sync() }
        while (report.error?.code == "sync_running" && System.nanoTime() < until) report = runBlocking { tablet.sync() }
        expect(report.error == null && report.inSync) { report }
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
                    repeat(10) { recorded.add(tablet.record(line(dice, it), BY).contact) }
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
        val error = refused("out_of_range") { tablet.record(line(Random(5), systolic = 301), BY) }
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
        val list = JSONArray(tablet.list(Kind.CONTACT))
        val kept = (0 until list.length()).map { list.getJSONObject(it).getString("id") }.toSet()
        expect(acknowledged.all { it in kept }) { "lost: ${acknowledged - kept}" }
        tablet.record(line(Random(6)), BY)
    },
    "the example of the guide runs as it stands" to {
        val team = base.team()
        val keep = System.`in`
        System.setIn((base.code(team) + "\n").byteInputStream())
        try {
            example(File(base.directory()).apply { mkdirs() })
        } finally {
            System.setIn(keep)
        }
    },
    "what a call costs" to {
        val tablet = base.tablet()
        repeat(2000) { tablet.id() }
        val begun = System.nanoTime()
        repeat(10_000) { tablet.id() }
        println("      a call and back: ${(System.nanoTime() - begun) / 10_000 / 1000.0} µs")
    },
)

/** Records until it is killed, and says what it has recorded. */
fun recordForEver(directory: String, key: String) {
    val tablet = Tablet.open(directory, key.chunked(2).map { it.toInt(16).toByte() }.toByteArray())
    val dice = Random(7)
    generateSequence(0) { it + 1 }.forEach { println(tablet.record(line(dice, it), BY).contact) }
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
