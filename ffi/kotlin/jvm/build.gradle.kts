plugins {
    kotlin("jvm")
    `java-library`
}

kotlin { jvmToolchain(17) }

sourceSets["main"].apply {
    kotlin.srcDirs("../src", "../generated")
    // JNA looks for the library in here by the system's name.
    resources.srcDir("../natives/jvm")
}

dependencies {
    api("net.java.dev.jna:jna:5.18.1")
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
}
