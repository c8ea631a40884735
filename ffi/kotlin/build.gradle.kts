plugins {
    // From version 9 on it compiles Kotlin by itself.
    id("com.android.library") version "9.0.0" apply false
    kotlin("jvm") version "2.4.20" apply false
}
