//! Tells the linker where the worker's programs find libtorch, so that nobody has to set LD_LIBRARY_PATH: beside a
//! checkout's build (`.deps`, laid out by deploy/local/bootstrap) or beside an installed program.

/// Folders that hold libtorch's libraries, relative to the folder of the program.
const RPATHS: [&str; 3] = [
    // target/release/lookalike-worker
    "$ORIGIN/../../.deps/libtorch/lib",
    // target/release/deps and target/release/examples: tests, benchmarks, examples
    "$ORIGIN/../../../.deps/libtorch/lib",
    // /usr/local/bin/lookalike-worker
    "$ORIGIN/../lib/lookalike",
];

fn main() {
    for rpath in RPATHS {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{rpath}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
