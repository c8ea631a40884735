// What staff do in a day.

import Foundation
import Wayside

typealias Test = (String, () async throws -> Void)

func dayTests(_ base: Base) -> [Test] {
    [
        ("a day recorded offline reaches base as it is", {
            let team = try base.team()
            let tablet = try await base.tablet(team)
            base.stop()
            let recorded = try tablet.recordDay(seed: 11, count: 40)
            try expect(recorded.contains { $0.person == nil }, "somebody gave no details")
            let someone = recorded.first { $0.person != nil }!
            let before = try tablet.person(id: someone.person!)
            try expectEqual(before.person.ext, #"{"queue":7}"#)
            let moved = Person(name: Name(family: "Kahn-Ellis"), phone: "0113 496 0000")
            _ = try tablet.updatePerson(id: someone.person!, person: moved, by: by, base: before.about.heads)
            let reading = try tablet.contact(id: someone.contact).contact.bp.readings[0].id!
            let entry = try tablet.correctReading(
                contact: someone.contact, reading: reading, right: ReadingCorrection(systolic: 133), by: by, reason: "Misread.")
            try tablet.tally(session: someone.session, name: "leaflets", n: 12, by: by)
            try tablet.tally(session: someone.session, name: "leaflets", n: -2, by: by)
            let wrong = try tablet.contact(id: recorded[39].contact).contact.bp.readings[0].id!
            try tablet.strikeOut(id: recorded[39].contact, entry: wrong, reason: "The cuff slipped.", by: by)
            let offline = await tablet.sync()
            try expectEqual(offline.error?.code, "server_unreachable")
            try expectEqual(offline.error?.retry, true)
            let waiting = try tablet.status().waiting
            try expect(waiting >= 44, "\(waiting)")

            try base.start()
            let report = try await tablet.synced()
            try expectEqual([report.pushed, report.accepted, report.quarantined], [waiting, waiting, 0])
            print("      \(report.bytesUp) bytes up, \(report.bytesDown) down, for \(waiting) changes")
            try expectEqual(try tablet.status().waiting, 0)
            for each in Set(recorded.flatMap { [$0.contact, $0.session] + ($0.person.map { [$0] } ?? []) }).sorted().prefix(12) {
                try expectEqual(try base.show(each), try tablet.shown(each))
            }
            let readings = try tablet.contact(id: someone.contact).contact.bp.readings
            try expectEqual(readings.first { $0.id == entry }?.systolic, 133)
            try expectEqual(try tablet.person(id: someone.person!).person.name.family, "Kahn-Ellis")
            try expectEqual(try tablet.session(id: someone.session).session.tallies, ["leaflets": 10])
        }),
        ("a conflict is shown on both tablets until it is settled", {
            let team = try base.team()
            let (left, right) = (try await base.tablet(team), try await base.tablet(team))
            var dice = Dice(state: 4)
            let made = try left.createPerson(person: person(&dice), by: by)
            try await left.synced()
            try await right.synced()
            _ = try left.updatePerson(id: made, person: Person(name: Name(family: "Kahn")), by: By(staff: "left"))
            _ = try right.updatePerson(id: made, person: Person(name: Name(family: "Cann")), by: By(staff: "right"))
            for tablet in [left, right, left] { try await tablet.synced() }
            for tablet in [left, right] {
                try expectEqual(try tablet.unsettled().map(\.about.id), [made])
                let conflicts = try tablet.person(id: made).about.conflicts
                try expectEqual(conflicts.map(\.path), ["name/family"])
                try expectEqual(Set(conflicts[0].values.map { "\($0.by ?? "") says \($0.text)" }), ["left says Kahn", "right says Cann"])
            }
            let about = try right.person(id: made).about
            try right.settle(id: made, path: "name/family", json: about.conflicts[0].values[0].json, by: by, base: about.heads)
            try await right.synced()
            try await left.synced()
            try expectEqual(try left.status().conflicts, 0)
            try expectEqual(try left.person(id: made).person.name.family, about.conflicts[0].values[0].text)
        }),
        ("a cancelled sync is taken up again", {
            let tablet = try await base.tablet(base.team())
            _ = try tablet.recordDay(seed: 15, count: 40)
            let holds = Holds()
            let sync = Task { await tablet.sync(progress: holds) }
            await holds.begun()
            sync.cancel()
            holds.goOn()
            _ = await sync.value
            try await tablet.syncedAgain()
            try expectEqual(try tablet.status().records.contact, 40)
        }),
        ("a sync is stopped from another thread, and says so", {
            let tablet = try await base.tablet(base.team())
            _ = try tablet.recordDay(seed: 16, count: 20)
            let holds = Holds()
            let sync = Task { await tablet.sync(progress: holds) }
            await holds.begun()
            tablet.cancelSync()
            holds.goOn()
            try expectEqual(await sync.value.error?.code, "sync_cancelled")
            try await tablet.syncedAgain()
        }),
        ("the status is a stream, and the tablet keeps itself in sync", {
            let tablet = try await base.tablet(base.team())
            let statuses = try tablet.statuses()
            try tablet.startSyncing()
            let recorded = try tablet.recordDay(seed: 17, count: 3)
            for await status in statuses where status.inSync && status.records.contact == 3 { break }
            try expectEqual(try base.show(recorded[2].contact), try tablet.shown(recorded[2].contact))
            tablet.stopSyncing()
            try expect(!tablet.keepsSyncing(), "it was stopped")
        }),
        ("locked, unlocked, wiped", {
            let (directory, keys) = (base.directory(), Kept())
            let tablet = try Tablet.openWith(dir: directory, keys: keys)
            let first = keys.key
            try expectEqual(first?.count, 32)
            let contact = try tablet.recordDay(seed: 18, count: 1)[0].contact
            tablet.lock()
            try await refused("tablet_locked") { _ = try tablet.contact(id: contact) }
            try await refused("tablet_locked") { _ = try tablet.statuses() }
            try tablet.unlock()
            try expectEqual(try tablet.contact(id: contact).about.id, contact)
            try await refused("records_unsent") { try tablet.wipe() }
            _ = try await tablet.enrol(code: base.code(base.team()), name: "Van")
            try await tablet.synced()
            try tablet.wipe()
            try expect(keys.key == nil && tablet.isLocked(), "the key went with the records")
            try tablet.unlock()
            try expect(keys.key != first && keys.key?.count == 32, "a new key")
            try expectEqual(try tablet.status().records.contact, 0)
            try expect(try !tablet.status().enrolled, "its enrolment went with the records")
        }),
        ("errors have codes, and name the field and its limit", {
            let tablet = try await base.tablet()
            var dice = Dice(state: 5)
            let details = try await refused("out_of_range") {
                _ = try tablet.record(check: check(&dice, systolic: 301, person: nil), by: by)
            }
            try expect(details.path.hasSuffix("systolic") && details.message.contains("300"), "\(details)")
            try await refused("wrong_key") { _ = try Tablet.open(dir: base.directory(), key: Data([1, 2, 3])) }
            try expectEqual(await tablet.sync().error?.code, "not_enrolled")
            try expectEqual(try tablet.status().waiting, 0)
        }),
    ]
}

/// Stops at its first call until it is told to go on.
final class Holds: SyncProgress, @unchecked Sendable {
    private let waiting = DispatchSemaphore(value: 0)
    private let (stream, told) = AsyncStream.makeStream(of: Void.self)

    func onProgress(progress: SyncState) {
        told.yield()
        _ = waiting.wait(timeout: .now() + 60)
        waiting.signal()
    }

    func begun() async {
        for await _ in stream { return }
    }

    func goOn() { waiting.signal() }
}

/// A key store in memory.
final class Kept: TabletKeys, @unchecked Sendable {
    var key: Data?

    func load() -> Data? { key }
    func save(key: Data) { self.key = key }
    func forget() { key = nil }
}
