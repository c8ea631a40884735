extension Tablet {
    /// How things stand: now, and whenever it changes, as long as somebody listens. Who listens slowly gets the newest. Throws
    /// `tablet_locked` on a tablet that is locked, and says nothing more once it is: ask anew after `unlock`.
    public func statuses() throws -> AsyncStream<Status> {
        let (stream, continuation) = AsyncStream.makeStream(of: Status.self, bufferingPolicy: .bufferingNewest(1))
        let watch = try watchStatus(listener: Teller { continuation.yield($0) })
        continuation.onTermination = { _ in watch.stop() }
        return stream
    }
}

private final class Teller: StatusListener {
    private let tell: @Sendable (Status) -> Void

    init(_ tell: @escaping @Sendable (Status) -> Void) { self.tell = tell }

    func onStatus(status: Status) { tell(status) }
}
