// swift-tools-version:5.9
// The package that an app depends on. It is complete only where ffi/swift/build (Linux) or ffi/swift/xcframework (Apple's
// systems) put the generated bindings and the library beside it.
import PackageDescription

#if os(Linux)
    // Header and module map; the linker is told where the library is: `swift build -Xlinker -LOUT/lib`.
    let library = Target.systemLibrary(name: "waysideFFI")
#else
    let library = Target.binaryTarget(name: "waysideFFI", path: "waysideFFI.xcframework")
#endif

let package = Package(
    name: "Wayside",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [.library(name: "Wayside", targets: ["Wayside"])],
    targets: [library, .target(name: "Wayside", dependencies: ["waysideFFI"])]
)
