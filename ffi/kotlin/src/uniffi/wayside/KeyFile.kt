package uniffi.wayside

import java.io.File
import java.io.FileOutputStream
import java.nio.file.Files
import java.nio.file.StandardCopyOption
import javax.crypto.Cipher
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/**
 * Keeps the records' key in a file, encrypted (AES-GCM) by a key that the platform guards: on Android `keystoreKey`.
 * The file must not get into a backup: it is of no use on another device.
 */
class KeyFile(private val file: File, private val guard: () -> SecretKey) : TabletKeys {
    override fun load(): ByteArray? {
        if (!file.exists()) return null
        val kept = file.readBytes()
        return cipher(Cipher.DECRYPT_MODE, GCMParameterSpec(TAG_BITS, kept, 0, NONCE)).doFinal(kept, NONCE, kept.size - NONCE)
    }

    override fun save(key: ByteArray) {
        val cipher = cipher(Cipher.ENCRYPT_MODE)
        val half = File(file.path + ".new")
        FileOutputStream(half).use {
            it.write(cipher.iv)
            it.write(cipher.doFinal(key))
            it.fd.sync()
        }
        Files.move(half.toPath(), file.toPath(), StandardCopyOption.ATOMIC_MOVE)
    }

    override fun forget() {
        Files.deleteIfExists(file.toPath())
    }

    private fun cipher(mode: Int, nonce: GCMParameterSpec? = null) =
        // To encrypt, the platform draws the nonce itself: Android's Keystore takes none from outside.
        Cipher.getInstance("AES/GCM/NoPadding").apply { if (nonce == null) init(mode, guard()) else init(mode, guard(), nonce) }

    private companion object {
        const val NONCE = 12
        const val TAG_BITS = 128
    }
}
