// A real server for the tests, tablets enrolled with it, and an invented day. Nobody in it exists; NHS numbers are from the
// 999 range, which is never issued.

import Foundation
import Wayside

let by = By(staff: "nurse-1")

struct Failure: Error {
    let said: String
    init(_ said: String) { self.said = said }
}

func expect(_ holds: Bool, _ said: @autoclosure () throws -> String, line: Int = #line) throws {
    if !holds { throw Failure("line \(line): \(try said())") }
}

func expectEqual<T: Equatable>(_ a: T, _ b: T, line: Int = #line) throws {
    try expect(a == b, "\(a) is not \(b)", line: line)
}

/// The error of a call that must fail.
@discardableResult
func refused(_ code: String, line: Int = #line, _ call: () async throws -> Void) async throws -> Details {
    do {
        try await call()
    } catch let error as WaysideError {
        try expectEqual(error.details().code, code, line: line)
        try expect(!error.details().message.isEmpty, "no message", line: line)
        return error.details()
    }
    throw Failure("line \(line): \(code) was not thrown")
}

/// `wayside serve` in a directory that goes away. It can be stopped and started again at the same address.
final class Base: @unchecked Sendable {
    private let room = FileManager.default.temporaryDirectory.appendingPathComponent("wayside-swift-\(UUID())")
    private let program = URL(fileURLWithPath: ProcessInfo.processInfo.environment["WAYSIDE"]!)
    private var listen = "127.0.0.1:0"
    private var running: Child?
    private var numbers = 0

    private var data: String { room.appendingPathComponent("server").path }

    init() throws {
        try FileManager.default.createDirectory(at: room, withIntermediateDirectories: true)
        try start()
    }

    func start() throws {
        let process = Child(program, ["serve", "--data", data, "--listen", listen])
        let log = room.appendingPathComponent("server.log")
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        process.process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
        running = process
        // It says so once it serves; if it ends instead, this is the empty end of its output.
        let said = process.readLine()
        try expect(said.contains("https://"), "The server did not start: \((try? String(contentsOf: log, encoding: .utf8)) ?? "")")
        listen = said.components(separatedBy: "https://").last!
    }

    func stop() {
        running?.process.terminate()
        running?.process.waitUntilExit()
        running = nil
    }

    func close() {
        stop()
        try? FileManager.default.removeItem(at: room)
    }

    @discardableResult
    func run(_ arguments: String...) throws -> String {
        let child = Child(program, arguments + ["--data", data])
        child.process.standardError = child.output
        try child.run()
        let said = String(decoding: child.output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        child.process.waitUntilExit()
        try expect(child.process.terminationStatus == 0, said)
        return said.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func show(_ record: String) throws -> NSDictionary { try json(run("show", record, "--json")) }

    func team() throws -> String {
        numbers += 1
        try run("team", "add", "Team \(numbers)")
        return "Team \(numbers)"
    }

    func code(_ team: String) throws -> String { try run("enrol-code", "--team", team) }

    func directory() -> String {
        numbers += 1
        return room.appendingPathComponent("tablet-\(numbers)").path
    }

    func tablet(_ team: String? = nil) async throws -> Tablet {
        let tablet = try Tablet.open(dir: directory(), key: key())
        if let team { _ = try await tablet.enrol(code: code(team), name: "Van") }
        return tablet
    }
}

func key() -> Data { Data((0..<32).map { _ in UInt8.random(in: 0...255) }) }

func json<T>(_ text: String) throws -> T {
    guard let value = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? T else { throw Failure("not as expected: \(text)") }
    return value
}

/// A program and what it says.
final class Child {
    let process = Process()
    let output = Pipe()

    init(_ program: URL, _ arguments: [String]) {
        process.executableURL = program
        process.arguments = arguments
        process.standardOutput = output
    }

    func run() throws {
        // Threads that run tasks block signals, and a child that inherits this cannot be told to end.
        var none = sigset_t(), before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    /// A line without its end; empty at the end of what there is.
    func readLine() -> String {
        var line = Data()
        while let byte = try? output.fileHandleForReading.read(upToCount: 1)?.first, byte != UInt8(ascii: "\n") { line.append(byte) }
        return String(decoding: line, as: UTF8.self)
    }
}

/// The same numbers for the same seed (SplitMix64).
struct Dice: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// Nine digits from 999 and their check digit, modulo 11; some nine digits have none.
func nhsNumber(_ dice: inout Dice) -> String {
    while true {
        let digits = [9, 9, 9] + (0..<6).map { _ in Int.random(in: 0...9, using: &dice) }
        let check = 11 - digits.enumerated().reduce(0) { $0 + $1.element * (10 - $1.offset) } % 11
        if check != 10 { return digits.map(String.init).joined() + String(check % 11) }
    }
}
