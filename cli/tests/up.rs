//! `lookalike up` as a user runs it: the real program, its private PostgreSQL, real signals.

#![expect(clippy::unwrap_used, reason = "a helper of tests fails like the test itself")]

mod running;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use running::{Folder, Up};

#[test]
fn a_first_start_is_ready_and_ends_with_0_at_sigterm() {
    let folder = Folder::new();
    let mut up = Up::start(&folder);
    let key = folder.path().join("admin.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, me) = up.get("/v1/me", Some(&fs::read_to_string(&key).unwrap()));
    assert_eq!(status, 200, "{me}");
    assert!(me.contains("\"admin\""), "{me}");
    assert_eq!(up.get("/v1/me", None).0, 401);
    assert_eq!(fs::read_to_string(folder.path().join("url")).unwrap().trim(), up.url());
    assert_eq!(up.terminate(), Some(0));
    assert!(!folder.path().join("url").exists(), "clients would look for a server that is gone");
    assert_eq!(folder.postgres_processes(), Vec::<i32>::new());
}

/// Root starts PostgreSQL as another user, who need not reach the program that starts it.
#[test]
fn a_program_that_others_cannot_reach_starts_its_database() {
    let folder = Folder::new();
    let (mut up, _closed) = Up::start_from_closed_folder(&folder);
    assert_eq!(up.get("/readyz", None).0, 200);
    up.kill();
    folder.wait_for_no_postgres();
}

#[test]
fn a_second_up_on_the_same_folder_names_the_first() {
    let folder = Folder::new();
    let mut first = Up::start(&folder);
    let (code, message) = Up::refused(&folder, &["--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    assert!(message.contains(&format!("process {}", first.pid())), "{message}");
    assert_eq!(first.get("/livez", None).0, 200, "the first one is not disturbed");
    first.terminate();
}

#[test]
fn a_taken_port_is_refused_before_anything_is_made() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (code, message) = Up::refused(&folder, &["--listen", &address.to_string()]);
    assert_eq!(code, Some(1));
    assert!(message.contains(&format!("port {} is taken", address.port())), "{message}");
    assert!(!folder.path().join("postgres").exists(), "the database was made before the port was looked at");
}

#[test]
fn a_folder_of_a_newer_version_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.path().join("VERSION"), "999\n").unwrap();
    let (code, message) = Up::refused(&folder, &["--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("format 999") && message.contains("newer version"), "{message}");
    assert!(!folder.path().join("postgres").exists());
}

#[test]
fn wrong_settings_are_told_together() {
    let folder = Folder::new();
    let (code, message) =
        Up::refused(&folder, &["--listen", "here", "--device", "tpu", "--source", "x=/no/such"]);
    assert_eq!(code, Some(2));
    for part in ["here", "tpu", "/no/such"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_killed_up_leaves_nothing_running_and_loses_nothing() {
    let folder = Folder::new();
    let mut up = Up::start(&folder);
    let key = folder.key();
    let (status, made) = up.post("/v1/keys", &key, r#"{"name": "kept", "scope": "read"}"#);
    assert_eq!(status, 201, "{made}");
    up.kill();
    folder.wait_for_no_postgres();
    let mut again = Up::start(&folder);
    assert_eq!(folder.key(), key, "the key is kept");
    let (_, keys) = again.get("/v1/keys", Some(&key));
    assert!(keys.contains("\"kept\""), "{keys}");
    assert_eq!(again.terminate(), Some(0));
}

#[test]
fn everything_killed_at_once_recovers() {
    let folder = Folder::new();
    let mut up = Up::start(&folder);
    let key = folder.key();
    assert_eq!(up.post("/v1/keys", &key, r#"{"name": "kept", "scope": "read"}"#).0, 201);
    // The postmaster first, so that it cannot end in order.
    folder.kill_postgres();
    up.kill();
    let mut again = Up::start(&folder);
    assert!(again.get("/v1/keys", Some(&key)).1.contains("\"kept\""));
    assert_eq!(again.terminate(), Some(0));
}

#[test]
fn a_killed_postmaster_is_replaced() {
    let folder = Folder::new();
    let mut up = Up::start(&folder);
    let key = folder.key();
    let before = folder.postmaster();
    folder.kill_postgres();
    folder.wait_for_postmaster_other_than(before);
    up.wait_until_ready();
    assert_eq!(up.get("/v1/keys", Some(&key)).0, 200);
    assert_eq!(up.terminate(), Some(0));
}

#[test]
fn a_lost_key_is_made_anew() {
    let folder = Folder::new();
    Up::start(&folder).terminate();
    let lost = folder.key();
    fs::remove_file(folder.path().join("admin.key")).unwrap();
    let mut up = Up::start(&folder);
    assert_ne!(folder.key(), lost);
    assert_eq!(up.get("/v1/keys", Some(&folder.key())).0, 200);
    up.terminate();
}

#[test]
fn client_commands_find_a_running_up_by_themselves() {
    let folder = Folder::new();
    let mut up = Up::start(&folder);
    let keys = folder.client(&["keys", "list", "--json"]);
    assert_eq!(keys.0, Some(0), "{keys:?}");
    assert!(keys.1.trim_start().starts_with('['), "{keys:?}");
    let unknown = "0193b0f2-6c1e-7b52-9a43-3f1f6c1a9b10";
    let missing = folder.client(&["jobs", "show", unknown]);
    assert_eq!(missing.0, Some(1));
    assert!(missing.2.contains(unknown) && missing.2.contains("request "), "{missing:?}");
    let foreign = folder.client(&["jobs", "list", "--key", "lka_wrong"]);
    assert_eq!(foreign.0, Some(4), "{foreign:?}");
    up.terminate();
    let gone = folder.client(&["jobs", "list"]);
    assert_eq!(gone.0, Some(3), "{gone:?}");
}
