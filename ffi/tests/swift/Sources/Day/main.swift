// A day with the Swift package: run by ffi/tests/run-swift, which builds and compiles what this needs.

import Foundation
import Wayside

// A line is out when it is printed, also into a pipe.
setvbuf(stdout, nil, _IOLBF, 0)
if CommandLine.arguments.count == 4, CommandLine.arguments[1] == "record" {
    try recordForEver(directory: CommandLine.arguments[2], key: CommandLine.arguments[3])
}

let base = try Base()
let tests = dayTests(base) + threadTests(base) + guideTests(base)
var failed = 0
for (name, test) in tests {
    do {
        try await test()
        print("ok    \(name)")
    } catch let error as Failure {
        failed += 1
        print("FAIL  \(name)\n      \(error.said)")
    } catch let error as WaysideError {
        failed += 1
        print("FAIL  \(name)\n      \(error.details())")
    } catch {
        failed += 1
        print("FAIL  \(name)\n      \(error)")
    }
}
base.close()
print("\(tests.count - failed) passed, \(failed) failed, 0 skipped")
exit(failed == 0 ? 0 : 1)
