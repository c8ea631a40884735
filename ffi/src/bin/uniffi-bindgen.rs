//! Generates the bindings from the built library: see `docs/integrating.md`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
