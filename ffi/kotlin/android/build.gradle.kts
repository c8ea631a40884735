plugins { id("com.android.library") }

android {
    namespace = "uniffi.wayside.android"
    compileSdk = 36

    defaultConfig {
        // Android 8: Keystore, WorkManager and java.time without desugaring.
        minSdk = 26
        consumerProguardFiles("consumer-rules.pro")
        // What ffi/kotlin/build makes: every telephone and tablet of the last ten years, and the emulator.
        ndk { abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64") }
    }

    sourceSets["main"].kotlin.directories.addAll(listOf("src/main/kotlin", "../src", "../generated"))
    sourceSets["main"].jniLibs.directories.add("../natives/android")

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    // The one with Android's native half.
    api("net.java.dev.jna:jna:5.18.1@aar")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.10.2")
}
