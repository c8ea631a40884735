//! A disk that fails when it is told to, under a real program, and what a power cut leaves on it.
//!
//! `faults/disk.c` is compiled and preloaded into the program. It passes on, refuses, cuts short or kills; and it writes down
//! what was written and what was made to stay. What was not may be lost with the power, any part of it, in pieces of a
//! sector: [`Disk::cut_power`] makes the files so.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tempfile::TempDir;

/// What a disk writes at once or not at all.
const SECTOR: usize = 512;

/// What goes wrong. The numbers are those of `disk.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No write has room.
    Full = 1,
    /// Every write fails.
    Fails = 2,
    /// Half of each write has room, until there is none.
    Short = 3,
    /// Nothing can be made to stay.
    NoSync = 4,
    /// What was to stay is said to, and does not.
    Lies = 5,
    /// The file system takes no writes, as after an error of its own.
    ReadOnly = 6,
    /// The process dies in the middle of a write, or where something is to be made to stay.
    Dies = 7,
}

/// The directory that fails.
pub struct Disk {
    dir: PathBuf,
    control: File,
    place: TempDir,
    /// What had stayed when the journal began.
    before: BTreeMap<String, Vec<u8>>,
}

/// The library to preload, or why there is none.
fn library() -> Result<&'static Path, &'static str> {
    static BUILT: LazyLock<Result<(TempDir, PathBuf), String>> = LazyLock::new(|| {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = place.path().join("disk.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/faults/disk.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&path)
            .arg(source)
            .args(["-ldl", "-lpthread"])
            .output();
        match built {
            Ok(built) if built.status.success() => Ok((place, path)),
            Ok(built) => panic!("disk.c: {}", String::from_utf8_lossy(&built.stderr)),
            Err(error) => Err(error.to_string()),
        }
    });
    BUILT.as_ref().map(|(_, path)| path.as_path()).map_err(String::as_str)
}

/// Whether disks cannot fail here: there is no C compiler, or this is no Linux.
pub fn skipped() -> bool {
    match library() {
        _ if !cfg!(target_os = "linux") => eprintln!("Skipped: files are followed through /proc of Linux."),
        Err(error) => eprintln!("Skipped: without a C compiler no disk fails: {error}"),
        Ok(_) => return false,
    }
    true
}

impl Disk {
    /// The disk below a directory, which need not be there yet. Nothing fails until it is told to.
    pub fn under(dir: &Path) -> Disk {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("control");
        fs::write(&path, [0; 16]).unwrap();
        let control = File::options().read(true).write(true).open(path).unwrap();
        let disk = Disk { dir: dir.to_owned(), control, place, before: BTreeMap::new() };
        fs::write(disk.journal(), "").unwrap();
        disk
    }

    fn journal(&self) -> PathBuf {
        self.place.path().join("journal")
    }

    /// What a program is given to run on this disk.
    pub fn environment(&self) -> Vec<(OsString, OsString)> {
        let pairs: [(&str, OsString); 4] = [
            ("LD_PRELOAD", library().unwrap().into()),
            ("WAYSIDE_DISK_DIR", self.dir.clone().into()),
            ("WAYSIDE_DISK_CONTROL", self.place.path().join("control").into()),
            ("WAYSIDE_DISK_JOURNAL", self.journal().into()),
        ];
        pairs.into_iter().map(|(name, value)| (name.into(), value)).collect()
    }

    fn tell(&self, kind: u32, after: u32) {
        // Its count of calls first: it must not strike with an old one.
        self.control.write_all_at(&after.to_ne_bytes(), 4).unwrap();
        self.control.write_all_at(&0u32.to_ne_bytes(), 8).unwrap();
        self.control.write_all_at(&kind.to_ne_bytes(), 0).unwrap();
    }

    /// From the n-th call on that it concerns, this goes wrong.
    pub fn strike(&self, fault: Fault, after: u32) {
        self.tell(fault as u32, after);
    }

    pub fn heal(&self) {
        self.control.write_all_at(&0u32.to_ne_bytes(), 0).unwrap();
    }

    /// How often it went wrong since it was told to.
    pub fn hits(&self) -> u32 {
        let mut number = [0; 4];
        self.control.read_exact_at(&mut number, 8).unwrap();
        u32::from_ne_bytes(number)
    }

    /// Takes what lies there for what stays. No program may run on it.
    pub fn settle(&mut self) {
        self.heal();
        self.before = files(&self.dir, "");
        fs::write(self.journal(), "").unwrap();
    }

    /// What a power cut leaves: all that was made to stay, and of the rest what chance wants. The program is dead. Returns how
    /// many writes were lost, at least in part.
    pub fn cut_power(&mut self, rng: &mut StdRng) -> usize {
        let fate = *[Fate::Nothing, Fate::Everything, Fate::Chance, Fate::Chance]
            .get(rng.random_range(0..4))
            .unwrap();
        self.cut(fate, rng)
    }

    /// The same where chance wants nothing.
    pub fn cut_power_at_worst(&mut self) -> usize {
        self.cut(Fate::Nothing, &mut StdRng::seed_from_u64(0))
    }

    fn cut(&mut self, fate: Fate, rng: &mut StdRng) -> usize {
        let mut images: BTreeMap<String, Image> = BTreeMap::new();
        // Shared memory is no file on a disk: whoever comes next makes it anew.
        let kept = std::mem::take(&mut self.before).into_iter().filter(|(name, _)| !name.ends_with("-shm"));
        for (name, bytes) in kept {
            images.insert(name, Image { stays: bytes, ..Image::default() });
        }
        replay(&fs::read(self.journal()).unwrap(), &mut images);
        let mut lost = 0;
        for (name, image) in &mut images {
            let path = self.dir.join(name);
            if image.gone && fate.holds(rng) {
                let _ = fs::remove_file(path);
                continue;
            }
            lost += image.meet(fate, rng);
            fs::write(path, &image.stays).unwrap();
        }
        for name in files(&self.dir, "").into_keys().filter(|name| name.ends_with("-shm")) {
            fs::remove_file(self.dir.join(name)).unwrap();
        }
        self.settle();
        lost
    }
}

/// What becomes of what was not made to stay.
#[derive(Clone, Copy)]
enum Fate {
    Nothing,
    Everything,
    Chance,
}

impl Fate {
    fn holds(self, rng: &mut StdRng) -> bool {
        match self {
            Fate::Nothing => false,
            Fate::Everything => true,
            Fate::Chance => rng.random_bool(0.5),
        }
    }
}

/// One file: what stays, and what was done to it since.
#[derive(Default)]
struct Image {
    stays: Vec<u8>,
    since: Vec<Deed>,
    /// Deleted, but the directory was not made to stay without it.
    gone: bool,
}

enum Deed {
    Wrote(usize, Vec<u8>),
    Cut(usize),
}

impl Image {
    fn place(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if self.stays.len() < end {
            self.stays.resize(end, 0);
        }
        self.stays[at..end].copy_from_slice(bytes);
    }

    fn stay(&mut self) {
        for deed in std::mem::take(&mut self.since) {
            match deed {
                Deed::Wrote(at, bytes) => self.place(at, &bytes),
                Deed::Cut(len) => self.stays.resize(len, 0),
            }
        }
    }

    fn meet(&mut self, fate: Fate, rng: &mut StdRng) -> usize {
        let mut lost = 0;
        for deed in std::mem::take(&mut self.since) {
            match deed {
                Deed::Cut(len) if fate.holds(rng) => self.stays.resize(len, 0),
                Deed::Wrote(at, bytes) if rng.random_bool(0.5) && matches!(fate, Fate::Chance) => {
                    let mut from = 0;
                    let mut whole = true;
                    while from < bytes.len() {
                        let to = ((at + from) / SECTOR * SECTOR + SECTOR - at).min(bytes.len());
                        if fate.holds(rng) {
                            self.place(at + from, &bytes[from..to]);
                        } else {
                            whole = false;
                        }
                        from = to;
                    }
                    lost += usize::from(!whole);
                }
                Deed::Wrote(at, bytes) if fate.holds(rng) => self.place(at, &bytes),
                Deed::Wrote(..) => lost += 1,
                Deed::Cut(_) => {}
            }
        }
        lost
    }
}

fn replay(mut journal: &[u8], images: &mut BTreeMap<String, Image>) {
    const HEAD: usize = 24;
    while let Some((head, rest)) = journal.split_at_checked(HEAD) {
        let word = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().unwrap()) as usize;
        let long =
            |at: usize| usize::try_from(u64::from_ne_bytes(head[at..at + 8].try_into().unwrap())).unwrap();
        let (what, at) = (word(0), long(8));
        let Some((name, rest)) = rest.split_at_checked(word(4)) else { break };
        // It died while it wrote this down.
        let Some((data, rest)) = rest.split_at_checked(long(16)) else { break };
        journal = rest;
        let name = String::from_utf8(name.to_vec()).unwrap();
        let image = |images: &mut BTreeMap<String, Image>| {
            let held = images.remove(&name).filter(|image| !image.gone);
            held.unwrap_or_default()
        };
        match what {
            1 | 3 => {
                let mut image = image(images);
                image.since.push(if what == 1 { Deed::Wrote(at, data.to_vec()) } else { Deed::Cut(at) });
                images.insert(name, image);
            }
            2 => match images.get_mut(&name) {
                Some(image) => image.stay(),
                None => images.retain(|file, image| {
                    !image.gone || file.rsplit_once('/').map_or("", |(dir, _)| dir) != name
                }),
            },
            4 => drop(images.get_mut(&name).map(|image| image.gone = true)),
            5 => {
                let moved = image(images);
                images.insert(String::from_utf8(data.to_vec()).unwrap(), moved);
            }
            what => panic!("{what} is nothing that is written down"),
        }
    }
    assert!(journal.len() < 1 << 20, "a journal that cannot be read");
}

/// All files below a directory, with what is in them.
fn files(dir: &Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap()) {
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            found.extend(files(&entry.path(), &format!("{name}/")));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// A file system of its own, of so many bytes, that is really full when it is full. Needs root.
pub struct Small(TempDir);

impl Small {
    /// `None`, and said so, where nobody may mount here.
    pub fn mount(kilobytes: u32) -> Option<Small> {
        let place = tempfile::tempdir().unwrap();
        let size = format!("size={kilobytes}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "wayside-test"])
            .arg(place.path())
            .output();
        match mounted {
            Ok(done) if done.status.success() => Some(Small(place)),
            _ => {
                eprintln!("Skipped: no file system can be mounted here.");
                None
            }
        }
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it to the last byte; returns the file that takes the room.
    pub fn fill(&self) -> PathBuf {
        let path = self.path().join("filling");
        let file = File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1 << 9, 1] {
            let mut at = file.metadata().unwrap().len();
            while file.write_at(&vec![b'x'; size], at).is_ok_and(|written| written == size) {
                at += size as u64;
            }
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
