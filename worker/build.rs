//! Tells the linker where the worker's programs find libtorch and OpenVINO, so that nobody has to set LD_LIBRARY_PATH: beside a
//! checkout's build (`.deps`, laid out by deploy/local/bootstrap) or beside an installed program.

/// Folders that hold their libraries, relative to the folder of the program.
const RPATHS: [&str; 6] = [
    // target/release/lookalike-worker
    "$ORIGIN/../../.deps/libtorch/lib",
    "$ORIGIN/../../.deps/openvino/lib",
    // target/release/deps and target/release/examples: tests, benchmarks, examples
    "$ORIGIN/../../../.deps/libtorch/lib",
    "$ORIGIN/../../../.deps/openvino/lib",
    // /usr/local/bin/lookalike-worker
    "$ORIGIN/../lib/lookalike",
    "$ORIGIN/../lib/lookalike/openvino",
];

fn main() {
    for rpath in RPATHS {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{rpath}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
