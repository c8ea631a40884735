// An invented day, the same for the same seed.

import Foundation
import Wayside

func person(_ dice: inout Dice) -> Person {
    let born = String(format: "19%02d-%02d-%02d", Int.random(in: 40..<99, using: &dice), Int.random(in: 1..<13, using: &dice), Int.random(in: 1..<29, using: &dice))
    let name = Name(given: ["Amina", "Łukasz", "Grace"].randomElement(using: &dice), family: ["Khan", "O'Brien", "Żak"].randomElement(using: &dice))
    return Person(name: name, dateOfBirth: born, nhsNumber: NhsNumber(value: nhsNumber(&dice)), ext: #"{"queue": 7}"#)
}

/// A check of one reading with somebody new; nobody gives details where `person` is nil.
func check(_ dice: inout Dice, number: Int = 0, systolic: Int32? = nil, person: Person?) -> Check {
    let at = String(format: "2026-11-20T%02d:%02d", 10 + number / 12 % 12, number % 12 * 5)
    let reading = Reading(
        takenAt: "\(at):30Z", systolic: systolic ?? Int32.random(in: 105..<178, using: &dice),
        diastolic: Int32.random(in: 62..<100, using: &dice), arm: "left", position: "sitting", setting: "clinic")
    return Check(
        session: .at(session: Session(site: "Masjid Al-Noor", date: "2026-11-20")),
        person: person.map { .new(person: $0) } ?? .noDetails,
        contact: Contact(startedAt: "\(at):00Z", checkType: "bp_only", bp: BloodPressure(readings: [reading])))
}

extension Tablet {
    func recordDay(seed: UInt64, count: Int) throws -> [Recorded] {
        var dice = Dice(state: seed)
        return try (0..<count).map { number in
            let someone = number % 7 == 6 ? nil : Day.person(&dice)
            return try record(check: check(&dice, number: number, person: someone), by: by)
        }
    }

    @discardableResult
    func synced(_ progress: SyncProgress? = nil, line: Int = #line) async throws -> SyncReport {
        let report = await sync(progress: progress)
        try expect(report.error == nil && report.inSync, "not in sync: \(report)", line: line)
        return report
    }

    /// Syncs as an app would after one was cancelled: the step that was under way ends by itself.
    func syncedAgain() async throws {
        let until = Date().addingTimeInterval(60)
        var report = await sync()
        while report.error?.code == "sync_running" && Date() < until { report = await sync() }
        try expect(report.error == nil && report.inSync, "not in sync: \(report)")
    }

    func shown(_ record: String) throws -> NSDictionary { try json(showJson(id: record)) }
}
