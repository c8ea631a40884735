//! The server under a service manager: it says when it listens, that it is alive, and when it ends.
#![allow(clippy::unwrap_used)]

use std::{
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use wayside_tests::programs;

#[test]
fn a_service_manager_is_told_when_the_server_listens_is_alive_and_ends() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    // Far more than it takes; so nothing hangs for ever.
    manager.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let told = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned()
    };
    // The manager names the process that it wants to hear, which is known once it is there.
    let mut server = Command::new("sh")
        .args(["-c", r#"WATCHDOG_PID=$$ exec "$0" serve --listen 127.0.0.1:0 --data "$1""#])
        .arg(programs!().server)
        .arg(dir.path().join("base"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(told(), "READY=1");
    assert!(dir.path().join("base/log.db").exists());
    assert_eq!([told(), told(), told()], ["WATCHDOG=1"; 3]);
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    let last = std::iter::repeat_with(told).find(|told| told != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    assert!(server.wait().unwrap().success());
}
