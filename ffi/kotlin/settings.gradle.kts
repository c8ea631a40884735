// Two libraries of the same sources: `android` for apps, `jvm` for desktops, servers and tests.
//
// THIS BUILD WAS NEVER RUN: where Wayside is developed neither Gradle's plugins nor the Android SDK can be had. The Kotlin in
// src/ and the generated bindings are compiled by the same Kotlin and run on the JVM by ffi/tests/run-kotlin.
// First run ffi/kotlin/build: it makes generated/ and natives/.

pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "wayside"
include(":android", ":jvm")
