#if canImport(Security)
    // Was never compiled where Wayside is developed: Linux has no Keychain.
    import Foundation
    import Security

    /// Keeps the records' key in the Keychain of this device: it goes into no backup and to no other device, and can be read
    /// from the first unlocking after a start on, also by a sync in the background.
    public final class Keychain: TabletKeys {
        private let account: String

        public init(account: String = "wayside") { self.account = account }

        public func load() throws -> Data? {
            var found: CFTypeRef?
            let query = item.merging([kSecReturnData: true, kSecMatchLimit: kSecMatchLimitOne]) { $1 }
            switch SecItemCopyMatching(query as CFDictionary, &found) {
            case errSecSuccess: return found as? Data
            case errSecItemNotFound: return nil
            case let status: throw failed(status)
            }
        }

        public func save(key: Data) throws {
            let reach = kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly
            let entry = item.merging([kSecValueData: key, kSecAttrAccessible: reach]) { $1 }
            let status = SecItemAdd(entry as CFDictionary, nil)
            if status != errSecSuccess { throw failed(status) }
        }

        public func forget() throws {
            let status = SecItemDelete(item as CFDictionary)
            if status != errSecSuccess && status != errSecItemNotFound { throw failed(status) }
        }

        private var item: [CFString: Any] {
            [kSecClass: kSecClassGenericPassword, kSecAttrService: "wayside", kSecAttrAccount: account]
        }

        private func failed(_ status: OSStatus) -> Error { NSError(domain: NSOSStatusErrorDomain, code: Int(status)) }
    }
#endif
