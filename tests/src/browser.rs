//! Screens with somebody in front of them: headless Chromium, driven over WebDriver.
//!
//! The protocol is JSON over HTTP to a program on this machine, of which we need a dozen commands: the client here is
//! shorter than what any WebDriver crate drags in. It blocks: so does a person who waits for a page.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longer than anything takes on a busy machine; only failures wait as long.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often chromedriver may fail to find a port.
const TRIES: usize = 3;

/// Clicks what can be seen and lies on top. WebDriver takes all that a closed `<details>` holds for hidden, also where the
/// style sheet shows it.
const HIT: &str = "const box = arguments[0].getBoundingClientRect(); \
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2); \
    if (!arguments[0].checkVisibility() || !arguments[0].contains(top)) return false; \
    top.click(); return true";

/// How WebDriver marks an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Whether somebody said that there is no browser here.
pub fn skipped() -> bool {
    env::var_os("WAYSIDE_BROWSER").is_some_and(|said| said == "skip")
}

/// A chromedriver of our own on a free port.
pub struct Driver {
    child: Child,
    addr: SocketAddr,
}

impl Driver {
    pub fn start() -> Arc<Driver> {
        // It wants the same port twice, for both versions of IP, and gives up where the second is somebody's already.
        let driver = (0..TRIES).find_map(|_| Driver::try_start());
        Arc::new(driver.expect("chromedriver says its port"))
    }

    /// `None` where it ends before it says its port.
    fn try_start() -> Option<Driver> {
        let missing = "there is no chromedriver. Install Debian's chromium and chromium-driver (tests/run does), \
            or set WAYSIDE_BROWSER=skip";
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(missing);
        let mut said = BufReader::new(child.stdout.take().expect("chromedriver's output")).lines();
        let port = said.by_ref().map_while(Result::ok).find_map(|line| {
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        });
        let Some(port) = port else {
            let _ = child.wait();
            return None;
        };
        // Nobody must close its output while it may still say something.
        thread::spawn(move || said.for_each(drop));
        Some(Driver { child, addr: (Ipv4Addr::LOCALHOST, port).into() })
    }

    /// One command; what WebDriver answered, or its error in words.
    fn command(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let answer = self.exchange(method, path, &body).map_err(|error| format!("chromedriver: {error}"))?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        match answer["value"]["error"].as_str() {
            None => Ok(answer["value"].clone()),
            Some(error) => {
                Err(format!("{error}: {}", answer["value"]["message"].as_str().unwrap_or_default()))
            }
        }
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.addr)?;
        stream.set_nodelay(true)?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{body}",
            self.addr,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap_or_default();
            }
            line.clear();
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One window of a browser of its own, with an empty profile.
pub struct Screen {
    driver: Arc<Driver>,
    session: String,
    /// Clicks, keys and text fields since it was last asked.
    taps: AtomicU32,
    _profile: TempDir,
}

impl Screen {
    pub fn open(driver: &Arc<Driver>, width: u32, height: u32) -> Screen {
        let profile = tempfile::tempdir().expect("a temporary folder");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--lang=en-GB",
        ];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let opened = driver.command("POST", "/session", Some(&capabilities));
        let session = opened.expect("Chromium starts")["sessionId"].as_str().expect("a session").to_owned();
        let screen = Screen { driver: driver.clone(), session, taps: AtomicU32::new(0), _profile: profile };
        screen.resize(width, height);
        screen
    }

    fn try_command(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        self.driver.command(method, &format!("/session/{}{path}", self.session), body)
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.try_command("POST", path, Some(&body)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn get(&self, path: &str) -> Value {
        self.try_command("GET", path, None).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A window cannot be as narrow as a phone, but what is shown in it can.
    pub fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.post("/goog/cdp/execute", json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size}));
    }

    /// `print`: as on paper; empty: as on the screen.
    pub fn media(&self, media: &str) {
        let params = json!({"media": media});
        self.post("/goog/cdp/execute", json!({"cmd": "Emulation.setEmulatedMedia", "params": params}));
    }

    pub fn go(&self, url: &str) {
        self.post("/url", json!({"url": url}));
    }

    pub fn url(&self) -> String {
        self.get("/url").as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function body in the page; a promise is waited for.
    pub fn run(&self, script: &str, arguments: Value) -> Value {
        self.try_run(script, arguments).unwrap_or_else(|error| panic!("{script}\n{error}"))
    }

    fn try_run(&self, script: &str, arguments: Value) -> Result<Value, String> {
        self.try_command("POST", "/execute/sync", Some(&json!({"script": script, "args": arguments})))
    }

    /// Waits until a function body returns something that counts as true.
    pub fn until(&self, what: &str, script: &str, arguments: Value) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // A page that is just being left has nothing to say.
            if let Ok(found) = self.try_run(script, arguments.clone())
                && !matches!(found, Value::Null | Value::Bool(false))
            {
                return found;
            }
            assert!(Instant::now() < deadline, "waited for {what} at {}:\n{}", self.url(), self.text());
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whatever is downloaded from now on goes to this folder.
    pub fn downloads_to(&self, dir: &Path) {
        let params = json!({"behavior": "allow", "downloadPath": dir});
        self.post("/goog/cdp/execute", json!({"cmd": "Page.setDownloadBehavior", "params": params}));
    }

    /// Waits for a file to be there whole, and takes it away: the next one may be called the same.
    pub fn downloaded(&self, dir: &Path, name: &str) -> Vec<u8> {
        let (path, deadline) = (dir.join(name), Instant::now() + PATIENCE);
        // It has its name once all of it is there.
        while !path.exists() {
            let there = || {
                std::fs::read_dir(dir).map(|all| all.flatten().map(|one| one.file_name()).collect::<Vec<_>>())
            };
            assert!(
                Instant::now() < deadline,
                "waited for {name} at {}, and there is {:?}:\n{}",
                self.url(),
                there(),
                self.text()
            );
            thread::sleep(LOOK_AGAIN);
        }
        let bytes = std::fs::read(&path).expect("a file that was downloaded");
        std::fs::remove_file(&path).expect("a file that was downloaded");
        bytes
    }

    /// What can be read on the page.
    pub fn text(&self) -> String {
        self.run("return document.body.innerText", json!([])).as_str().unwrap_or_default().to_owned()
    }

    pub fn shows(&self, words: &str) -> bool {
        self.text().contains(words)
    }

    /// Waits until these words stand on the page.
    pub fn see(&self, words: &str) {
        let script = "return document.body.innerText.includes(arguments[0])";
        self.until(&format!("the words \"{words}\""), script, json!([words]));
    }

    pub fn no_longer_see(&self, words: &str) {
        let script = "return !document.body.innerText.includes(arguments[0])";
        self.until(&format!("the words \"{words}\" to go"), script, json!([words]));
    }

    /// Taps on what is called so: a button, a link, a choice. `within` is a selector; empty for the whole page.
    pub fn tap_in(&self, within: &str, words: &str) {
        self.count(1);
        let deadline = Instant::now() + PATIENCE;
        let mut last = "nothing is called so".to_owned();
        loop {
            if let Ok(Value::Object(found)) = self.try_run(FIND, json!([within, words])) {
                let id = found.get(ELEMENT).and_then(Value::as_str).unwrap_or_default();
                // Something may have been drawn anew meanwhile; what lies below something else cannot be tapped.
                match self.try_command("POST", &format!("/element/{id}/click"), Some(&json!({}))) {
                    Ok(_) => return,
                    Err(error) => {
                        // People scroll what lies under a bar into the middle.
                        let middle = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
                        let _ = self.try_run(middle, json!([found]));
                        if error.contains("not interactable")
                            && self.try_run(HIT, json!([found])) == Ok(json!(true))
                        {
                            return;
                        }
                        last = error;
                    }
                }
            }
            assert!(
                Instant::now() < deadline,
                "cannot tap \"{words}\" at {}: {last}\n{}",
                self.url(),
                self.text()
            );
            thread::sleep(LOOK_AGAIN);
        }
    }

    pub fn tap(&self, words: &str) {
        self.tap_in("", words);
    }

    /// The number pad, one key after the other.
    pub fn keys(&self, digits: &str) {
        for digit in digits.chars() {
            self.tap_in(".keys", &digit.to_string());
        }
    }

    /// Types into the text field with this label instead of what is there. Counts as one tap.
    pub fn type_into(&self, label: &str, text: &str) {
        self.count(1);
        let found = self.until(&format!("the field \"{label}\""), FIELD, json!([label]));
        let id = found[ELEMENT].as_str().expect("an element");
        // As with a keyboard: all of it selected, then overwritten.
        let keys = format!("\u{e009}a\u{e000}{text}");
        self.post(&format!("/element/{id}/value"), json!({"text": keys}));
    }

    /// Chooses in a list: one tap to open it, one on the choice.
    pub fn choose(&self, label: &str, option: &str) {
        self.count(2);
        let found = self.until(&format!("the list \"{label}\""), FIELD, json!([label]));
        let script = "return [...arguments[0].options].find((option) => option.text.includes(arguments[1]))";
        let option = self.run(script, json!([found, option]));
        let id = option[ELEMENT].as_str().expect("such a choice");
        self.post(&format!("/element/{id}/click"), json!({}));
    }

    /// Presses keys, one after the other, on whatever has the focus.
    pub fn press(&self, keys: &[&str]) {
        self.count(u32::try_from(keys.len()).unwrap_or(u32::MAX));
        for key in keys {
            let pressed = [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
            let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": pressed}]});
            self.post("/actions", actions);
        }
    }

    fn count(&self, taps: u32) {
        self.taps.fetch_add(taps, Ordering::Relaxed);
    }

    /// Taps since the last call.
    pub fn taps(&self) -> u32 {
        self.taps.swap(0, Ordering::Relaxed)
    }

    /// Errors that the browser wrote down: scripts that failed or were not let run.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"}));
        let severe = log.as_array().into_iter().flatten().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What is on the screen now, as PNG.
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.get("/screenshot");
        BASE64.decode(picture.as_str().unwrap_or_default().as_bytes()).expect("a picture")
    }

    /// All of the page, as PNG, also what is below the edge of the screen.
    pub fn whole_picture(&self) -> Vec<u8> {
        let params = json!({"cmd": "Page.captureScreenshot", "params": {"captureBeyondViewport": true}});
        let picture = self.post("/goog/cdp/execute", params);
        BASE64.decode(picture["data"].as_str().unwrap_or_default().as_bytes()).expect("a picture")
    }

    /// The page from its top down to `height` pixels, or to its end, as PNG.
    pub fn picture_down_to(&self, height: u32) -> Vec<u8> {
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]", json!([]));
        let (width, whole) = (size[0].as_u64().unwrap_or(1), size[1].as_u64().unwrap_or(1));
        let clip = json!({"x": 0, "y": 0, "width": width, "height": whole.min(height.into()), "scale": 1});
        let params = json!({"captureBeyondViewport": true, "clip": clip});
        let picture =
            self.post("/goog/cdp/execute", json!({"cmd": "Page.captureScreenshot", "params": params}));
        BASE64.decode(picture["data"].as_str().unwrap_or_default().as_bytes()).expect("a picture")
    }

    /// What axe-core (the file `axe`) finds wrong: a line for each.
    pub fn axe(&self, axe: &Path) -> Vec<String> {
        let missing = "there is no axe-core. tests/run fetches it; or set WAYSIDE_BROWSER=skip";
        let source = std::fs::read_to_string(axe).expect(missing);
        if self.run("return typeof axe", json!([])) != "object" {
            self.run(&source, json!([]));
        }
        let found = self.run(AXE, json!([]));
        found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Whether something is wider than the screen.
    pub fn scrolls_sideways(&self) -> bool {
        self.run("return document.documentElement.scrollWidth > innerWidth", json!([])) == true
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Chromium ends with its session, not with chromedriver.
        let _ = self.try_command("DELETE", "", None);
    }
}

/// The first thing on the screen that can be tapped and is called so: the whole name, else its bold part, else how
/// it begins.
const FIND: &str = r#"
const [within, words] = arguments;
const root = within === "" ? document : document.querySelector(within);
if (!root) return null;
const flat = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const all = [...root.querySelectorAll("button, a[href], label, summary, [role=switch]")].filter((e) =>
  e.checkVisibility({ visibilityProperty: true }) && !e.disabled && e.getAttribute("aria-disabled") !== "true");
const name = (e) => flat(e.getAttribute("aria-label") ?? e.textContent);
return all.find((e) => name(e) === words)
  ?? all.find((e) => flat(e.querySelector("strong")?.textContent) === words)
  ?? all.find((e) => name(e).startsWith(words)) ?? null;
"#;

/// The text field or list that a label is for.
const FIELD: &str = r#"
const flat = (text) => text.replace(/\s+/g, " ").trim();
const labels = [...document.querySelectorAll("label")].filter((label) =>
  label.checkVisibility() && label.control && !["radio", "checkbox"].includes(label.control.type));
const label = labels.find((label) => flat(label.textContent) === arguments[0])
  ?? labels.find((label) => flat(label.textContent).startsWith(arguments[0]));
return label && !label.control.disabled ? label.control : null;
"#;

const AXE: &str = r#"
return axe.run(document, {
  runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] },
  resultTypes: ["violations"],
}).then(({ violations }) => violations.flatMap(({ id, help, nodes }) =>
  nodes.map((node) => `${id}: ${help}: ${node.html.slice(0, 200)} ${node.failureSummary.replaceAll("\n", " ")}`)));
"#;
