//! Lines as OpenSSH writes them, one story per test.

use chancery_domain::{Event, Outcome};

use crate::{Format, Importer, Options, Parsed};

/// Puts a syslog header in front of messages: `PID MESSAGE`, one second apart.
fn log(messages: &str) -> String {
    let lines = messages.lines().map(str::trim).filter(|line| !line.is_empty()).enumerate();
    let lines = lines.map(|(second, line)| {
        let (pid, message) = line.split_once(' ').unwrap();
        format!("2026-01-31T09:00:{second:02}.5Z deb sshd[{pid}]: {message}\n")
    });
    lines.collect()
}

fn read(log: &str) -> Vec<Parsed> {
    let options = Options { reference_time: "2026-06-01T00:00:00Z".parse().unwrap(), ..Options::default() };
    Importer::new(Format::Sshd, options).read(log.as_bytes()).map(|record| record.unwrap().parsed).collect()
}

fn events(log: &str) -> Vec<Event> {
    let events = |parsed| match parsed {
        Parsed::Imported(events) => events,
        Parsed::Ignored(_) => Vec::new(),
        Parsed::Rejected { reason, text } => panic!("{reason}: {text}"),
    };
    read(log).into_iter().flat_map(events).collect()
}

fn types(log: &str) -> Vec<String> {
    events(log).into_iter().map(|event| event.event_type).collect()
}

/// One message on its own.
fn only(message: &str) -> Event {
    let mut events = events(&log(&format!("7 {message}")));
    assert_eq!(events.len(), 1, "{message}: {events:?}");
    events.remove(0)
}

const KEY: &str = "ED25519 SHA256:3wwproxhZl5QpiKF7aO6SfbXwlWReaOhd0k5jyCmxwA";

#[test]
fn a_verbose_session_is_opened_with_its_kind_and_closed_with_its_duration() {
    for (started, kind) in [
        ("Starting session: shell on pts/0 for ada from 192.0.2.1 port 4711 id 0", "ssh"),
        ("Starting session: subsystem 'sftp' for ada from 192.0.2.1 port 4711 id 0", "file_transfer"),
        (
            "Starting session: forced-command (config) 'scp -t /srv' for ada from 192.0.2.1 port 4711 id 0",
            "file_transfer",
        ),
    ] {
        let log = log(&format!(
            "10 Connection from 192.0.2.1 port 4711 on 192.0.2.2 port 22 rdomain \"\"
             10 Accepted key {KEY} found at /home/ada/.ssh/authorized_keys:1
             10 Postponed publickey for ada from 192.0.2.1 port 4711 ssh2 [preauth]
             10 Accepted publickey for ada from 192.0.2.1 port 4711 ssh2: {KEY}
             10 pam_unix(sshd:session): session opened for user ada(uid=1001) by (uid=0)
             10 User child is on pid 11
             11 {started}
             11 Received disconnect from 192.0.2.1 port 4711:11: disconnected by user
             11 Disconnected from user ada 192.0.2.1 port 4711
             10 pam_unix(sshd:session): session closed for user ada"
        ));
        let events = events(&log);
        let types: Vec<_> = events.iter().map(|event| event.event_type.as_str()).collect();
        assert_eq!(types, ["user.login.succeeded", "session.opened", "session.closed"]);
        let [login, opened, closed] = &events[..] else { panic!() };
        assert_eq!(login.data["fingerprint"], KEY.split_once(' ').unwrap().1);
        assert_eq!((&login.data["method"], &login.data["key_type"]), (&"publickey".into(), &"ED25519".into()));
        assert_eq!((&opened.data["kind"], &closed.data["kind"]), (&kind.into(), &kind.into()));
        assert_eq!(opened.occurred_at, login.occurred_at);
        assert_eq!(opened.stream, closed.stream);
        assert_eq!(closed.data["duration_ms"], 4000);
        assert_eq!(closed.reason.as_deref(), Some("disconnected by user"));
        assert!(events.iter().all(|event| event.actor.ip == "192.0.2.1".parse().ok()));
        assert!(events.iter().all(|event| event.actor.name.as_deref() == Some("ada")));
    }
}

#[test]
fn a_session_without_a_channel_forwarded_ports() {
    let events = events(&log("10 Connection from 192.0.2.1 port 4711 on 192.0.2.2 port 22 rdomain \"\"
         10 Accepted password for ada from 192.0.2.1 port 4711 ssh2
         10 User child is on pid 11
         11 Disconnected from user ada 192.0.2.1 port 4711"));
    let kinds: Vec<_> = events.iter().map(|event| (event.event_type.as_str(), &event.data["kind"])).collect();
    assert_eq!(kinds[1..], [("session.opened", &"port_forward".into()), ("session.closed", &"port_forward".into())]);
}

#[test]
fn a_session_of_a_terse_log_is_paired_by_address_or_process() {
    let terse = log("10 Accepted publickey for ada from 2001:db8::1 port 4711 ssh2: RSA SHA256:abc
         10 pam_unix(sshd:session): session opened for user ada(uid=1001) by (uid=0)
         13 Disconnected from user ada 2001:db8::1 port 4711
         10 pam_unix(sshd:session): session closed for user ada
         20 Accepted password for bob from 192.0.2.9 port 4712 ssh2
         20 pam_unix(sshd:session): session opened for user bob by (uid=0)
         20 pam_unix(sshd:session): session closed for user bob");
    let closed: Vec<_> = events(&terse).into_iter().filter(|event| event.event_type == "session.closed").collect();
    let said: Vec<_> = closed.iter().map(|e| (e.actor.name.as_deref(), &e.data["duration_ms"])).collect();
    assert_eq!(said, [(Some("ada"), &2000.into()), (Some("bob"), &2000.into())]);
}

#[test]
fn old_messages_without_ports_find_their_session() {
    let events = events(&log("10 Accepted password for ada from 192.0.2.1 port 4711 ssh2
         12 subsystem request for sftp by user ada
         12 Received disconnect from 192.0.2.1: 11: disconnected by user"));
    assert_eq!(events.last().unwrap().event_type, "session.closed");
}

#[test]
fn another_connection_from_the_same_address_closes_nothing() {
    let log = log("10 Accepted password for ada from 192.0.2.1 port 4711 ssh2
         15 Connection closed by 192.0.2.1 port 4712");
    assert_eq!(types(&log), ["user.login.succeeded", "session.opened", "sshd.connection.dropped"]);
}

#[test]
fn attempts_say_who_and_why() {
    let failed = only("Failed password for ada from 192.0.2.1 port 4711 ssh2");
    assert_eq!((failed.event_type.as_str(), failed.outcome), ("user.login.failed", Outcome::Failure));
    assert_eq!((&failed.data["unknown_user"], &failed.data["method"]), (&false.into(), &"password".into()));

    let tricky = only("Failed password for invalid user root from 8.8.8.8 from 192.0.2.1 port 4711 ssh2");
    assert_eq!(tricky.actor.name.as_deref(), Some("root from 8.8.8.8"));
    assert_eq!((tricky.actor.ip, &tricky.data["unknown_user"]), ("192.0.2.1".parse().ok(), &true.into()));

    let nameless = only("Invalid user  from 192.0.2.1 port 4711");
    assert_eq!((nameless.actor.name.as_deref(), nameless.actor.ip), (Some(""), "192.0.2.1".parse().ok()));

    let key = only(&format!("Failed publickey for ada from 192.0.2.1 port 4711 ssh2: {KEY}"));
    assert_eq!(key.data["fingerprint"], KEY.split_once(' ').unwrap().1);

    for (message, reason) in [
        ("User games from 192.0.2.1 not allowed because listed in DenyUsers", "listed in DenyUsers"),
        ("fatal: Access denied for user games by PAM account configuration [preauth]", "PAM account configuration"),
        ("ROOT LOGIN REFUSED FROM 192.0.2.1 port 4711 [preauth]", "root may not sign in"),
    ] {
        let denied = only(message);
        assert_eq!((denied.outcome, denied.reason.as_deref()), (Outcome::Denied, Some(reason)));
    }
    let certificate = only(
        "Failed publickey for ada from 192.0.2.1 port 1 ssh2: ED25519-CERT SHA256:x ID ada@acme (serial 7) CA ED25519 SHA256:y",
    );
    assert_eq!(certificate.data["certificate"], "ID ada@acme (serial 7) CA ED25519 SHA256:y");
}

#[test]
fn a_failure_is_counted_once() {
    assert_eq!(
        types(&log("10 Invalid user eve from 192.0.2.1 port 4711
             10 input_userauth_request: invalid user eve [preauth]
             10 pam_unix(sshd:auth): check pass; user unknown
             10 pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.1
             10 Failed none for invalid user eve from 192.0.2.1 port 4711 ssh2
             10 Connection closed by invalid user eve 192.0.2.1 port 4711 [preauth]")),
        ["user.login.failed"]
    );
    // Below LogLevel VERBOSE a wrong key leaves this line only.
    let end = only("Connection closed by authenticating user ada 192.0.2.1 port 4711 [preauth]");
    assert_eq!((end.event_type.as_str(), end.actor.name.as_deref()), ("user.login.failed", Some("ada")));
    assert_eq!(
        types(&log(
            "10 error: maximum authentication attempts exceeded for root from 192.0.2.1 port 4711 ssh2 [preauth]
             10 Disconnecting authenticating user root 192.0.2.1 port 4711: Too many authentication failures [preauth]
             11 Disconnecting: Too many authentication failures for root [preauth]"
        )),
        ["user.login.failed", "sshd.connection.dropped"]
    );
}

#[test]
fn connections_without_an_attempt_are_dropped_connections() {
    for message in [
        "Did not receive identification string from 192.0.2.1 port 4711",
        "Received disconnect from 192.0.2.1: 11: Bye Bye [preauth]",
        "Disconnected from 192.0.2.1 port 4711 [preauth]",
        "Connection closed by 192.0.2.1 port 4711 [preauth]",
        "Connection reset by 192.0.2.1 port 4711",
        "Bad protocol version identification 'GET / HTTP/1.1 from 8.8.8.8' from 192.0.2.1 port 4711",
        "banner exchange: Connection from 192.0.2.1 port 4711: invalid format",
        "Unable to negotiate with 192.0.2.1 port 4711: no matching host key type found. Their offer: ssh-dss [preauth]",
        "fatal: Timeout before authentication for 192.0.2.1 port 4711",
        "Timeout before authentication for connection from 192.0.2.1 to 192.0.2.2, pid = 77",
        "drop connection #10 from [192.0.2.1]:4711 on [192.0.2.2]:22 past MaxStartups",
        "ssh_dispatch_run_fatal: Connection from 192.0.2.1 port 4711: message authentication code incorrect [preauth]",
    ] {
        let event = only(message);
        assert_eq!(event.event_type, "sshd.connection.dropped", "{message}");
        assert_eq!(event.actor.ip, "192.0.2.1".parse().ok(), "{message}");
        assert_ne!(event.outcome, Outcome::Success);
    }
    assert_eq!(only("fatal: Read from socket failed: Connection reset by peer [preauth]").actor.ip, None);
}

#[test]
fn the_server_and_its_files_are_recorded() {
    for (message, expected) in [
        ("Server listening on 0.0.0.0 port 22.", "sshd.server.started"),
        ("Received SIGHUP; restarting.", "sshd.server.restarted"),
        ("Received signal 15; terminating.", "sshd.server.stopped"),
        ("error: beginning MaxStartups throttling", "sshd.server.throttled"),
        ("error: connect_to 127.0.0.1 port 1: failed.", "sshd.forward.failed"),
        (
            "reverse mapping checking getaddrinfo for a.example [192.0.2.1] failed - POSSIBLE BREAK-IN ATTEMPT!",
            "sshd.address.suspected",
        ),
        ("something no version has said yet", "sshd.message"),
    ] {
        assert_eq!(only(message).event_type, expected);
    }
    let sftp = "2026-01-31T09:00:00Z deb internal-sftp[9]: session opened for local user ada from [192.0.2.1]
2026-01-31T09:00:00Z deb internal-sftp[9]: close \"/srv/a b\" bytes read 0 written 3\n";
    let event = &events(sftp)[0];
    assert_eq!((event.actor.name.as_deref(), event.actor.ip), (Some("ada"), "192.0.2.1".parse().ok()));
    assert_eq!((event.event_type.as_str(), event.resource.id.as_str()), ("sshd.file.transferred", "/srv/a b"));
}

#[test]
fn every_form_of_header_is_read() {
    let message = "Invalid user eve from 192.0.2.1 port 4711";
    for (header, host) in [
        ("Jan 31 09:00:00 deb sshd[7]: ", "deb"),
        ("Jan  3 09:00:00 deb sshd-session[7]: ", "deb"),
        ("<38>Jan 31 09:00:00 deb sshd[7]: ", "deb"),
        ("Jan 31 2026 09:00:00 deb sshd[7]: ", "deb"),
        ("2026-01-31T09:00:00.123456+01:00 deb sshd[7]: ", "deb"),
        ("2026-01-31T09:00:00+0100 deb sshd[7]: ", "deb"),
        ("<38>1 2026-01-31T09:00:00Z deb sshd 7 - - ", "deb"),
        ("2026-01-31T09:00:00Z ", ""),
        ("2026-01-31T09:00:00 ", ""),
        ("Jan 31 09:00:00 ", ""),
    ] {
        let events = events(&format!("{header}{message}\n"));
        assert_eq!(events.len(), 1, "{header}");
        assert_eq!(events[0].occurred_at.to_string()[..7], *"2026-01", "{header}");
        assert_eq!(events[0].source, if host.is_empty() { "sshd".to_owned() } else { format!("sshd:{host}") });
    }
    let bytes = "[73,110,118,97,108,105,100,32,117,115,101,114,32,255,32,102,114,111,109,32,49,46,50,46,51,46,52]";
    let entry = format!(
        "{{\"__REALTIME_TIMESTAMP\":\"1769850000000001\",\"_HOSTNAME\":\"deb\",\"_COMM\":\"sshd\",\"MESSAGE\":{bytes}}}\n"
    );
    assert_eq!(events(&entry)[0].actor.name.as_deref(), Some("\u{fffd}"));
}

#[test]
fn lines_without_a_time_and_cut_off_lines_are_rejected_and_others_ignored() {
    let parsed = read("Accepted password for ada from 192.0.2.1 port 1 ssh2\n");
    assert!(matches!(&parsed[0], Parsed::Rejected { reason, .. } if reason.contains("no time")));
    assert!(matches!(&read("Jan 31 09:00:00 deb sshd[7]: Accep")[0], Parsed::Rejected { .. }));
    assert!(matches!(&read("Jan 31 09:00:0")[0], Parsed::Rejected { .. }));
    for other in ["CRON[1]: pam_unix(cron:session): session opened for user root", "kernel: eth0: up", "systemd[1]: x"]
    {
        assert_eq!(read(&format!("Jan 31 09:00:00 deb {other}\n")), [Parsed::Ignored("not a line of sshd")]);
    }
}

#[test]
fn repeated_messages_and_identical_lines_are_events_of_their_own() {
    let failed = "Jan 31 09:00:00 deb sshd[7]: Failed password for ada from 192.0.2.1 port 1 ssh2\n";
    let rsyslog = "Jan 31 09:00:05 deb sshd[7]: message repeated 2 times: [ Failed password for ada from 192.0.2.1 port 1 ssh2]\n";
    let classic = "Jan 31 09:00:09 deb last message repeated 3 times\n";
    let events = events(&[failed, failed, rsyslog, failed, classic].concat());
    assert_eq!(events.len(), 1 + 1 + 2 + 1 + 3);
    assert!(events.iter().all(|event| event.event_type == "user.login.failed"));
    let ids: std::collections::HashSet<_> = events.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), events.len());
}

#[test]
fn scanners_do_not_push_open_sessions_out() {
    use std::fmt::Write;
    let mut log = String::from("Jan 31 09:00:00 deb sshd[1]: Accepted password for ada from 192.0.2.1 port 1 ssh2\n");
    for pid in 2..30_000 {
        let (a, b) = (pid / 250, pid % 250);
        writeln!(log, "Jan 31 09:00:00 deb sshd[{pid}]: Connection closed by 10.0.{a}.{b} port 9 [preauth]").unwrap();
    }
    log.push_str("Jan 31 10:00:00 deb sshd[1]: pam_unix(sshd:session): session closed for user ada\n");
    assert_eq!(events(&log).last().unwrap().data["duration_ms"], 3_600_000);
}

const SESSION: &str = "01934c2e-7d1f-7b0e-9c44-61f02b7ea913";

#[test]
fn a_login_with_a_certificate_of_chancerys_is_its_session() {
    let accepted = format!(
        "Accepted publickey for dev from 192.0.2.1 port 4711 ssh2: ED25519-CERT SHA256:x ID chancery/{SESSION}/ada (serial 9) (serial 7) CA ED25519 SHA256:y"
    );
    let connection = |pid: u32, port: u32| {
        format!(
            "{pid} Connection from 192.0.2.1 port {port} on 10.0.0.1 port 22
             {pid} {}
             {pid} Starting session: command for dev from 192.0.2.1 port {port} id 0
             {pid} Disconnected from user dev 192.0.2.1 port {port}\n",
            accepted.replace("4711", &port.to_string())
        )
    };
    let told = events(&log(&[connection(7, 4711), connection(9, 4712)].concat()));
    let types: Vec<&str> = told.iter().map(|event| event.event_type.as_str()).collect();
    let one = ["user.login.succeeded", "session.opened", "session.closed"];
    assert_eq!(types, [one, one].concat());
    for event in &told {
        assert_eq!(event.actor.session.as_deref(), Some(SESSION));
        assert_eq!(event.actor.on_behalf_of.as_deref(), Some("ada (serial 9)"));
    }
    for event in told.iter().filter(|event| event.resource.kind == "session") {
        assert_eq!((event.resource.id.as_str(), &event.data["serial"]), (SESSION, &"7".into()));
    }
    let ids: std::collections::HashSet<_> = told.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), 6, "two connections with one certificate are two");
}

#[test]
fn other_certificates_are_sessions_of_their_own() {
    for id in ["ada@acme", "chancery/no-id/ada", &format!("chancery/{SESSION}"), &format!("x chancery/{SESSION}/ada")] {
        let line = format!(
            "7 Accepted publickey for dev from 192.0.2.1 port 1 ssh2: ED25519-CERT SHA256:x ID {id} (serial 7) CA ED25519 SHA256:y"
        );
        let told = events(&log(&line));
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|event| event.actor.session.as_deref() != Some(SESSION)), "{id}");
        assert!(told.iter().all(|event| event.data.get("serial").is_none() && event.actor.on_behalf_of.is_none()));
    }
}

#[test]
fn a_connection_that_is_cut_is_no_server_that_stops() {
    let story = "7 Accepted publickey for dev from 192.0.2.1 port 4711 ssh2: ED25519 SHA256:x
        7 Exiting on signal 15
        1 Received signal 15; terminating.";
    let told = events(&log(story));
    let types: Vec<&str> = told.iter().map(|event| event.event_type.as_str()).collect();
    assert_eq!(types, ["user.login.succeeded", "session.opened", "session.closed", "sshd.server.stopped"]);
    assert_eq!(told[2].reason.as_deref(), Some("ended by a signal"));
}
