//! Has the service compiled anew when the dashboard that is embedded in it was built anew.

fn main() {
    println!("cargo:rerun-if-changed=../dashboard/dist");
    println!("cargo:rerun-if-changed=build.rs");
}
