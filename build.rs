//! The order of functions in the release binaries: the linker puts those first that src/bin/functions.ld names.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=src/bin/functions.ld");
    println!("cargo::rerun-if-env-changed=FUNCTION_ORDER");
    let is = |variable, value| env::var(variable).is_ok_and(|set| set == value);
    if let Ok(directory) = env::var("CARGO_MANIFEST_DIR")
        && is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && !is("FUNCTION_ORDER", "none")
    {
        println!("cargo::rustc-link-arg-bins=-T{directory}/src/bin/functions.ld");
    }
}
