//! `docs/pages`: every page as it looks at a desk and on a phone, drawn by the browser from a small base whose days and
//! clock are always the same.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::Write,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::{Address, Desk, Found};
use crate::{
    browser::{Driver, Screen},
    years::{self, ADMINISTRATOR, Plan},
};

/// What a picture is called after its page, how wide it is, and how much of a long page it shows.
const SIZES: &[(&str, u32, u32)] = &[("desk", 1280, 1500), ("phone", 360, 1100)];
/// In a palette.
const COLOURS: usize = 256;

/// Draws every page into `dir`, and the page that shows them all.
pub fn draw(dir: &Path, out: &mut impl Write) -> Result<()> {
    let data = tempfile::tempdir()?;
    let base = data.path().join("base");
    let plan = Plan::small();
    years::make(&base, &plan, out)?;
    let desk = Desk::open(&base, &plan)?;
    let pages = pages(&desk, &base)?;
    for file in fs::read_dir(dir)? {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if SIZES.iter().any(|(size, ..)| name.ends_with(&format!("-{size}.png"))) {
            fs::remove_file(path)?;
        }
    }
    let driver = Driver::start();
    let screen = Screen::open(&driver, 1280, 900);
    let mut drawn = Vec::new();
    let mut bytes = 0;
    for (name, path) in &pages {
        if name == "sign-in" {
            screen.go(&format!("{}/sign-in", desk.url()));
        } else {
            screen.go(&format!("{}{path}", desk.url()));
        }
        for &(size, width, height) in SIZES {
            screen.resize(width, 900);
            screen.until("the page", "return document.readyState === 'complete'", json!([]));
            let picture = smaller(&screen.picture_down_to(height))?;
            bytes += picture.len();
            fs::write(dir.join(format!("{name}-{size}.png")), picture)?;
        }
        let title = screen.run("return document.querySelector('h1')?.innerText ?? document.title", json!([]));
        drawn.push((name.clone(), title.as_str().unwrap_or_default().to_owned()));
        if name == "sign-in" {
            screen.go(&desk.link(ADMINISTRATOR)?);
            screen.see("Sign out");
        }
    }
    drop((screen, driver));
    desk.stop()?;
    fs::write(dir.join("README.md"), readme(&drawn))?;
    writeln!(out, "{} pages, {} kB of pictures", drawn.len(), bytes / 1000)?;
    Ok(())
}

/// One address for every page, by the name of its picture; the sign-in page first.
fn pages(desk: &Desk, base: &Path) -> Result<Vec<(String, String)>> {
    let telling = super::telling(base)?;
    let Found { addresses, missing } = desk.addresses(&mut desk.client()?, &telling)?;
    ensure!(missing.is_empty(), "no page links to one of {missing:?}");
    let mut pages: BTreeMap<String, String> = BTreeMap::new();
    for Address { path, route, .. } in addresses.iter().filter(|address| address.is_page()) {
        let name = name(route);
        let tells = telling.contains(path);
        if tells || !pages.contains_key(&name) {
            pages.insert(name, path.clone());
        }
    }
    let sign_in = pages.remove("sign-in").context("a sign-in page")?;
    Ok([("sign-in".to_owned(), sign_in)].into_iter().chain(pages).collect())
}

fn name(route: &str) -> String {
    let parts: Vec<&str> =
        route.split('/').filter(|part| !part.is_empty() && !part.starts_with('{')).collect();
    match (parts.as_slice(), route.contains('{')) {
        ([], _) => "today".to_owned(),
        ([one], true) => format!("{one}-one"),
        (parts, _) => parts.join("-"),
    }
}

fn readme(drawn: &[(String, String)]) -> String {
    let mut text = String::from(
        "# Pictures of the pages\n\n\
         ![A tablet without signal shows a very high reading that nobody at base can see yet; beside it the \
         coordinator's list, with that check on top a moment after the signal returned](story.png)\n\n\
         The browser tests make this picture, from the demo's own server and tablets with invented people:\n\n\
         ```sh\nWAYSIDE_SCREENSHOTS=1 cargo test -p wayside-tests --test browser story\n```\n\n\
         All others are made again, with this page, by one command, from two invented teams' last six weeks. Days, people and \
         clock are the same each time:\n\n```sh\ncargo page-pictures\n```\n\n\
         Chromium, its driver and axe-core are installed by `tests/run`.\n",
    );
    for (name, title) in drawn {
        let title = if matches!(name.as_str(), "people-one" | "checks-one") {
            "One of the invented people"
        } else {
            title
        };
        text.push_str(&format!(
            "\n## {title}\n\n| at a desk | on a phone |\n| --- | --- |\n\
             | ![{title}, 1280 pixels wide]({name}-desk.png) | ![{title}, 360 pixels wide]({name}-phone.png) |\n"
        ));
    }
    text
}

/// The same picture with a palette: what is on a page has few
/// colours, and those of smoothed letters may be a little off.
fn smaller(picture: &[u8]) -> Result<Vec<u8>> {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(picture));
    decoder.set_transformations(png::Transformations::STRIP_16 | png::Transformations::ALPHA);
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().context("a picture's size")?];
    let info = reader.next_frame(&mut pixels)?;
    ensure!(info.color_type == png::ColorType::Rgba, "a picture of another kind");
    let (palette, indices) = palette(&pixels);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, info.width, info.height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header()?.write_image_data(&indices)?;
    Ok(file)
}

/// The colours that most pixels have, and for each pixel which of them is the nearest.
fn palette(pixels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let colours = || pixels.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    let mut counts: BTreeMap<[u8; 3], usize> = BTreeMap::new();
    colours().for_each(|colour| *counts.entry(colour).or_default() += 1);
    let mut kept: Vec<[u8; 3]> = counts.keys().copied().collect();
    kept.sort_by_key(|colour| std::cmp::Reverse(counts[colour]));
    kept.truncate(COLOURS);
    let far = |one: &[u8; 3], other: &[u8; 3]| -> u32 {
        one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other)).pow(2)).sum()
    };
    let nearest: HashMap<[u8; 3], u8> = counts
        .into_keys()
        .map(|colour| {
            let place = (0..=u8::MAX).zip(&kept).min_by_key(|(_, held)| far(held, &colour));
            (colour, place.map_or(0, |(place, _)| place))
        })
        .collect();
    (kept.concat(), colours().map(|colour| nearest[&colour]).collect())
}
