// Many threads, callbacks that throw, an app that is killed, and what a call costs.

import Foundation
import Wayside

struct Broken: Error {}

func threadTests(_ base: Base) -> [Test] {
    [
        ("eight tasks record on one tablet while it syncs", {
            let tablet = try await base.tablet(base.team())
            let recorded = try await withThrowingTaskGroup(of: [String].self) { group in
                for n in 0..<8 {
                    group.addTask {
                        var dice = Dice(state: UInt64(100 + n))
                        return try (0..<10).map { try tablet.record(check: check(&dice, number: $0, person: nil), by: by).contact }
                    }
                }
                group.addTask {
                    for _ in 0..<3 { _ = await tablet.sync() }
                    return []
                }
                return try await group.reduce(into: Set<String>()) { $0.formUnion($1) }
            }
            try expectEqual(recorded.count, 80)
            try await tablet.synced()
            let status = try tablet.status()
            try expectEqual([status.records.contact, status.records.session, status.records.site], [80, 1, 1])
        }),
        ("callbacks that throw break nothing", {
            final class Throws: SyncProgress, StatusListener, SyncListener, @unchecked Sendable {
                let lock = NSLock()
                var phases: [Phase] = []
                let (statuses, told) = AsyncStream.makeStream(of: Status.self)

                func onProgress(progress: SyncState) throws {
                    lock.withLock { phases.append(progress.phase) }
                    throw Broken()
                }
                func onStatus(status: Status) throws {
                    told.yield(status)
                    throw Broken()
                }
                func onReport(report: SyncReport) throws { throw Broken() }
            }
            let (tablet, throwing) = (try await base.tablet(base.team()), Throws())
            let watch = try tablet.watchStatus(listener: throwing)
            _ = try tablet.recordDay(seed: 12, count: 5)
            let report = try await tablet.synced(throwing)
            try expectEqual(report.pushed, report.accepted)
            try expectEqual(throwing.lock.withLock { [throwing.phases.first, throwing.phases.last] }, [.connecting, .done])
            for await status in throwing.statuses where status.inSync { break }
            watch.stop()
            try tablet.startSyncing(listener: throwing)
            _ = try tablet.recordDay(seed: 13, count: 1)
            for await status in try tablet.statuses() where status.inSync { break }
            tablet.stopSyncing()

            final class NoStore: TabletKeys, @unchecked Sendable {
                func load() throws -> Data? { throw Broken() }
                func save(key: Data) throws { throw Broken() }
                func forget() throws { throw Broken() }
            }
            try await refused("key_store_failed") { _ = try Tablet.openWith(dir: base.directory(), keys: NoStore()) }
        }),
        ("a callback may ask the tablet", {
            final class Asks: SyncProgress, @unchecked Sendable {
                let tablet: Tablet
                var syncing: [Bool] = []
                init(_ tablet: Tablet) { self.tablet = tablet }
                func onProgress(progress: SyncState) throws { syncing.append(try tablet.status().syncing) }
            }
            let tablet = try await base.tablet(base.team())
            let asks = Asks(tablet)
            try await tablet.synced(asks)
            try expectEqual(asks.syncing.first, true)
        }),
        ("what a killed app had recorded is there", {
            let (directory, secret) = (base.directory(), key())
            let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
            let child = Child(own, ["record", directory, secret.base64EncodedString()])
            try child.run()
            var acknowledged = (0..<25).map { _ in child.readLine() }
            // In the middle of a call, very likely: it does nothing else.
            kill(child.process.processIdentifier, SIGKILL)
            while case let line = child.readLine(), !line.isEmpty { acknowledged.append(line) }
            child.process.waitUntilExit()
            try expectEqual(child.process.terminationReason, .uncaughtSignal)
            let tablet = try Tablet.open(dir: directory, key: secret)
            let kept: [NSDictionary] = try json(tablet.listJson(kind: .contact))
            let lost = Set(acknowledged.filter { $0.count == 36 }).subtracting(kept.map { $0["id"] as! String })
            try expect(lost.isEmpty, "lost: \(lost)")
            _ = try tablet.recordDay(seed: 6, count: 1)
        }),
        ("what a call costs", {
            let tablet = try await base.tablet()
            for _ in 0..<2000 { _ = tablet.isLocked() }
            let begun = Date()
            for _ in 0..<10_000 { _ = tablet.isLocked() }
            print("      a call and back: \((Date().timeIntervalSince(begun) * 100 * 1000).rounded() / 1000) µs")
        }),
    ]
}

/// Records until it is killed, and says what it has recorded.
func recordForEver(directory: String, key: String) throws -> Never {
    let tablet = try Tablet.open(dir: directory, key: Data(base64Encoded: key)!)
    var dice = Dice(state: 7)
    for number in 0... {
        let recorded = try tablet.record(check: check(&dice, number: number, person: nil), by: by)
        FileHandle.standardOutput.write(Data("\(recorded.contact)\n".utf8))
    }
    exit(0)
}
