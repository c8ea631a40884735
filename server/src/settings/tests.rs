use std::path::Path;

use super::*;

fn said(environment: &[(&str, &str)], arguments: &[(&'static str, &'static str, &str)]) -> Said {
    Said {
        file: None,
        environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        arguments: arguments.iter().map(|(key, flag, text)| (*key, *flag, (*text).into())).collect(),
    }
}

fn of(text: &str) -> Settings {
    Settings::of(text, &said(&[], &[])).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    Settings::of(text, &said(&[], &[])).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn an_argument_overrides_the_environment_which_overrides_the_file_which_overrides_the_default() {
    let file = "listen = '0.0.0.0:1'\n[tablets]\narchive_after_days = 60\n";
    let settings = of(file);
    assert_eq!(settings.text("listen").as_deref(), Some("0.0.0.0:1"));
    assert_eq!(
        (settings.number("tablets.archive_after_days"), settings.number("tablets.oldest_version")),
        (60, 1)
    );
    let environment =
        [("WAYSIDE_LISTEN", "0.0.0.0:2"), ("WAYSIDE_TABLETS_ARCHIVE_AFTER_DAYS", "61"), ("WAYSIDE_NAME", "")];
    let settings = Settings::of(file, &said(&environment, &[])).unwrap();
    assert_eq!(settings.number("tablets.archive_after_days"), 61);
    assert_eq!(settings.text("name").as_deref(), Some("Wayside"), "an empty variable says nothing");
    let settings = Settings::of(file, &said(&environment, &[("listen", "--listen", "0.0.0.0:3")])).unwrap();
    assert_eq!(settings.text("listen").as_deref(), Some("0.0.0.0:3"));
    let from: Vec<String> = settings
        .shown()
        .filter_map(|(setting, value)| Some(format!("{} {}", setting.key, value?.1)))
        .filter(|line| !line.ends_with("default"))
        .collect();
    assert_eq!(from, ["listen --listen", "tablets.archive_after_days WAYSIDE_TABLETS_ARCHIVE_AFTER_DAYS"]);
    let line = of(file)
        .shown()
        .find(|(setting, _)| setting.key == "tablets.archive_after_days")
        .unwrap()
        .1
        .unwrap()
        .1
        .clone();
    assert_eq!(line, From::Line(3));
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_line_and_the_nearest_right_name() {
    let file = "\
lisen = '0.0.0.0:8443'
name = 7
pages = '0.0.0.0:8080'

[tls]
cert = '/etc/tls.crt'
[tablets]
archive_after_day = 3
oldest_version = 99
[loging]
format = 'json'
[accounts]
administrators_need_second_factor = 'yes'
colour = 'red'
";
    assert_eq!(
        problems(file),
        [
            "Line 1: There is no setting lisen. Did you mean listen?",
            "Line 2: name is a text in quotes.",
            "Line 3: pages is an address of this machine with a port, as in \"127.0.0.1:8080\".",
            "Line 8: There is no setting tablets.archive_after_day. Did you mean tablets.archive_after_days?",
            "Line 9: tablets.oldest_version is a whole number from 1 to 2.",
            "Line 10: There is no setting loging. Did you mean logging?",
            "Line 13: accounts.administrators_need_second_factor is true or false.",
            "Line 14: There is no setting accounts.colour.",
            "Line 6: tls.cert needs tls.key beside it.",
        ]
    );
    // In a table where it does not belong, and in one that is a value.
    assert_eq!(
        problems("[logging]\nlisten = ':1'"),
        ["Line 2: There is no setting logging.listen. Did you mean metrics.listen?"]
    );
    assert_eq!(problems("tls = 'x'"), ["Line 1: [tls] is a table of settings."]);
    // Not TOML at all: said with the line, and what can be read is judged all the same.
    let broken = problems("name = 'x\nlisten = 5\n");
    assert!(broken.iter().any(|line| line.starts_with("Line 1:")), "{broken:?}");
    assert!(broken.iter().any(|line| line.starts_with("Line 2: listen is an address")), "{broken:?}");
    let wrong =
        Settings::of("", &said(&[("WAYSIDE_LISTEN", "8443")], &[("url", "--url", "base")])).unwrap_err();
    let wrong: Vec<_> = wrong.iter().map(|problem| problem.place.as_str()).collect();
    assert_eq!(wrong, ["WAYSIDE_LISTEN", "--url"]);
}

#[test]
fn a_password_is_never_shown_nor_quoted() {
    let secret = "[database]\nlog = 'postgres://u:geheim@db/log'\nledger = 'file:/etc/ledger.url'\n";
    let settings = of(secret);
    let shown: Vec<_> = settings.shown().filter_map(|(_, value)| Some(value?.0)).collect();
    assert!(!shown.join(" ").contains("geheim") && shown.contains(&"\"(hidden)\"".to_owned()));
    assert!(shown.contains(&"\"file:/etc/ledger.url\"".to_owned()), "a file's name is no secret");
    for wrong in [
        "[database]\nlog = 'mysql://u:geheim@db'",
        "[database]\nlog = ['geheim']",
        "database = 'geheim'",
        "x = 'geheim",
    ] {
        let said = refusal(&Settings::of(wrong, &said(&[], &[])).unwrap_err()).to_json().to_string();
        assert!(!said.contains("geheim"), "{said}");
    }
}

#[test]
fn credentials_come_from_the_directory_that_systemd_names_and_from_nowhere_else() {
    let file = "[tls]\ncert = '/etc/tls.crt'\nkey = 'credential:tls.key'\n";
    let with = Settings::of(file, &said(&[("CREDENTIALS_DIRECTORY", "/run/credentials/x")], &[])).unwrap();
    assert_eq!(with.tls().unwrap().unwrap().key, Path::new("/run/credentials/x/tls.key"));
    assert_eq!(of(file).tls().unwrap_err().code(), Code::ConfigInvalid);
    let out = file.replace("tls.key'", "../tls.key'");
    let out = Settings::of(&out, &said(&[("CREDENTIALS_DIRECTORY", "/run/credentials/x")], &[])).unwrap();
    assert_eq!(out.tls().unwrap_err().code(), Code::ConfigInvalid);
}

#[test]
fn the_example_is_the_documented_file_and_says_what_holds_anyway() {
    let (path, written) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wayside.toml"), example());
    if std::env::var_os("WAYSIDE_EXAMPLE").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let held = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(held, written, "WAYSIDE_EXAMPLE=write cargo test -p wayside-server --lib settings");
    // Every line that is commented out can be taken as it stands.
    let settings = of(&written);
    let plain: String = written
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let taken = of(&plain);
    for setting in SETTINGS {
        assert!(matches!(taken.values[setting.key].1, From::Line(_)), "{}", setting.key);
        let held = settings.values.get(setting.key).map(|(value, _)| value);
        assert!(held.is_none_or(|value| *value == taken.values[setting.key].0), "{}", setting.key);
    }
}
