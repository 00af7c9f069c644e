//! A new migration must be built in: `sqlx::migrate!` alone does not tell cargo of new files.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
