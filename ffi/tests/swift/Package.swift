// swift-tools-version:5.9
// The tests of the Swift package, and the example of docs/integrating.md. ffi/tests/run-swift puts the package beside it.
import PackageDescription

let package = Package(
    name: "Day",
    platforms: [.macOS(.v13)],
    dependencies: [.package(name: "Wayside", path: "../Wayside")],
    targets: [.executableTarget(name: "Day", dependencies: ["Wayside"])]
)
