// A real server for the tests, tablets enrolled with it, and an invented day. Nobody in it exists; NHS numbers are from
// the 999 range, which is never issued.

import java.io.File
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import kotlin.random.Random
import kotlinx.coroutines.runBlocking
import org.json.JSONArray
import org.json.JSONObject
import uniffi.wayside.BloodPressure
import uniffi.wayside.By
import uniffi.wayside.Check
import uniffi.wayside.Contact
import uniffi.wayside.Kind
import uniffi.wayside.Name
import uniffi.wayside.NhsNumber
import uniffi.wayside.Person
import uniffi.wayside.Reading
import uniffi.wayside.Recorded
import uniffi.wayside.Session
import uniffi.wayside.SyncProgress
import uniffi.wayside.SyncReport
import uniffi.wayside.Tablet
import uniffi.wayside.TabletKeys
import uniffi.wayside.WhichPerson
import uniffi.wayside.WhichSession

val BY = By(staff = "nurse-1", team = null)

/** `wayside serve` in a directory that goes away. It can be stopped and started again at the same address. */
class Base : AutoCloseable {
    private val room: File = Files.createTempDirectory("wayside-kotlin-").toFile()
    private val program = System.getenv("WAYSIDE")
    private val data = File(room, "server").path
    private var listen = "127.0.0.1:0"
    private var running: Process? = null
    private var numbers = 0

    fun start() {
        val process = ProcessBuilder(program, "serve", "--data", data, "--listen", listen)
            .redirectError(File(room, "server.log")).start()
        val said = process.inputStream.bufferedReader().readLine() ?: ""
        check("https://" in said) { "The server did not start: " + File(room, "server.log").readText() }
        listen = said.trim().substringAfterLast("https://")
        running = process
    }

    fun stop() {
        running?.let {
            it.destroy()
            if (!it.waitFor(60, TimeUnit.SECONDS)) it.destroyForcibly().waitFor()
        }
        running = null
    }

    override fun close() {
        stop()
        room.deleteRecursively()
    }

    fun run(vararg arguments: String): String {
        val process = ProcessBuilder(program, *arguments, "--data", data).redirectErrorStream(true).start()
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor() == 0) { said }
        return said.trim()
    }

    fun show(record: String) = JSONObject(run("show", record, "--json"))

    fun team(): String = "Team ${++numbers}".also { run("team", "add", it) }

    fun code(team: String) = run("enrol-code", "--team", team)

    fun directory() = File(room, "tablet-${++numbers}").path

    fun tablet(team: String? = null): Tablet {
        val tablet = Tablet.open(directory(), Random.nextBytes(32))
        if (team != null) runBlocking { tablet.enrol(code(team), "Van") }
        return tablet
    }
}

/** Nine digits from 999 and their check digit, modulo 11; some nine digits have none. */
fun nhsNumber(dice: Random): String {
    while (true) {
        val digits = listOf(9, 9, 9) + List(6) { dice.nextInt(10) }
        val check = 11 - digits.withIndex().sumOf { (i, digit) -> digit * (10 - i) } % 11
        if (check != 10) return digits.joinToString("") + check % 11
    }
}

fun person(dice: Random) = Person(
    name = Name(listOf("Amina", "Łukasz", "Grace").random(dice), listOf("Khan", "O'Brien", "Żak").random(dice)),
    dateOfBirth = "19%02d-%02d-%02d".format(dice.nextInt(40, 99), dice.nextInt(1, 13), dice.nextInt(1, 29)),
    nhsNumber = NhsNumber(nhsNumber(dice)), sex = "male",
)

val SESSION = WhichSession.At(Session(site = "Masjid Al-Noor", date = "2026-11-20"))

fun check(dice: Random, number: Int = 0, systolic: Int = dice.nextInt(105, 178), withPerson: Boolean = true): Check {
    val at = "2026-11-20T%02d:%02d".format(10 + number / 12 % 12, number % 12 * 5)
    val reading = Reading(
        takenAt = "$at:30Z", systolic = systolic, diastolic = dice.nextInt(62, 100), arm = "left", position = "sitting",
        setting = "clinic",
    )
    return Check(
        session = SESSION, person = if (withPerson) WhichPerson.New(person(dice)) else WhichPerson.NoDetails,
        contact = Contact(
            startedAt = "$at:00Z", checkType = "bp_only", bp = BloodPressure(readings = listOf(reading)),
            ext = """{"queue":{"number":$number}}""",
        ),
    )
}

fun Tablet.recordDay(seed: Int, count: Int): List<Recorded> {
    val dice = Random(seed)
    return (0 until count).map { record(check(dice, it, withPerson = it % 7 != 6), BY) }
}

fun Tablet.synced(progress: SyncProgress? = null): SyncReport {
    val report = runBlocking { sync(progress) }
    check(report.error == null && report.inSync) { "not in sync: $report" }
    return report
}

fun Tablet.shown(record: String) = JSONObject(showJson(record))

fun Tablet.contacts() = JSONArray(listJson(Kind.CONTACT)).let { list -> (0 until list.length()).map { list.getJSONObject(it).getString("id") }.toSet() }

/** Equal, in whatever order the members of objects stand. */
fun same(a: Any?, b: Any?): Boolean = when {
    a is JSONObject && b is JSONObject ->
        a.keys().asSequence().toSet() == b.keys().asSequence().toSet() && a.keys().asSequence().all { same(a.get(it), b.get(it)) }
    a is JSONArray && b is JSONArray -> a.length() == b.length() && (0 until a.length()).all { same(a.get(it), b.get(it)) }
    a is Number && b is Number -> a.toDouble() == b.toDouble()
    else -> a == b
}

/** A key store in memory. */
open class Keys(var key: ByteArray? = null) : TabletKeys {
    override fun load() = key

    override fun save(key: ByteArray) {
        this.key = key
    }

    override fun forget() {
        key = null
    }
}
