// The screen of docs/integrating.md, used as staff would.

import Foundation
import Wayside

func guideTests(_ base: Base) -> [Test] {
    [
        ("the screen of the guide takes a check from its beginning to base", { @MainActor in
            let directory = URL(fileURLWithPath: base.directory())
            let tablet = try open(directory: directory, keys: Kept())
            try expectEqual(statusLine(try tablet.status()), "0 not at base yet")
            let screen = CheckScreen(tablet: tablet, by: by, site: "Masjid Al-Noor")
            var dice = Dice(state: 9)
            await screen.begin(.new(person: person(&dice)))
            var asked: [StepCode] = []
            while let step = screen.drawn.step, step.code != .takeReading {
                asked.append(step.code)
                if step.code == .askPulseRhythm { await screen.pulse("regular") } else { await screen.skip() }
                try expect(asked.count < 10, "it asks for ever: \(asked)")
            }
            try expect(asked.contains(.askPulseRhythm), "\(asked)")
            await screen.reading(301, 100)
            try expect(screen.drawn.problem.contains("300"), screen.drawn.problem)
            await screen.reading(152, 94)
            try expectEqual(screen.drawn.problem, "")
            try expectEqual(screen.drawn.step?.code, .takeReading)
            await screen.reading(148, 35)
            try expect(screen.drawn.isUnusual, "\(screen.drawn)")
            await screen.reading(148, 92)
            try expect(!screen.drawn.isUnusual, "\(screen.drawn)")
            try expectEqual(screen.drawn.result?.category?.code, "HIGH")
            try expect(statusLine(try tablet.status()).hasSuffix("not at base yet"), statusLine(try tablet.status()))

            _ = try await tablet.enrol(code: base.code(base.team()), name: "Van")
            try tablet.startSyncing()
            let (lines, told) = AsyncStream.makeStream(of: String.self)
            let following = Task { try await follow(tablet) { told.yield($0) } }
            for await line in lines where line == "Everything is at base" { break }
            following.cancel()
            tablet.stopSyncing()
            let session = try tablet.sessions()[0].about.id
            let contact = try tablet.contactsOfSession(session: session)[0].about.id
            try expectEqual(try base.show(contact), try tablet.shown(contact))
        }),
    ]
}
