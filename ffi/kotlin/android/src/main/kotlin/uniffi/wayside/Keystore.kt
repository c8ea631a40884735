// Was never compiled where Wayside is developed: it needs the Android SDK.

package uniffi.wayside

import android.content.Context
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.io.File
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey

/** Keeps the records' key on this device, outside backups, encrypted by the Android Keystore. */
fun keyFile(context: Context) = KeyFile(File(context.noBackupFilesDir, "wayside.key"), ::keystoreKey)

/** The key that encrypts the records' key. It never leaves the Keystore; made at the first call. */
fun keystoreKey(): SecretKey {
    val keystore = java.security.KeyStore.getInstance("AndroidKeyStore").apply { load(null) }
    keystore.getKey("wayside", null)?.let { return it as SecretKey }
    val uses = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
    // No user authentication: a sync in the background reads the key, too. Who may record is decided by the PIN.
    val spec = KeyGenParameterSpec.Builder("wayside", uses)
        .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
        .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
        .setKeySize(256)
        .build()
    return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, "AndroidKeyStore").apply { init(spec) }.generateKey()
}
