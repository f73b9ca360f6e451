//! What the plotting library leaves to be done to its SVG.

use super::Role;

/// Numbers the clip paths from 0: the library counts them through the life of a process, so that the same figure would be
/// written differently the second time.
pub(super) fn numbered(svg: &str) -> String {
    const ID: &str = "kuva-clip-";
    let mut seen: Vec<&str> = Vec::new();
    let mut parts = svg.split(ID);
    let mut text = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (id, rest) = part.split_at(digits);
        let number = seen.iter().position(|known| *known == id).unwrap_or_else(|| {
            seen.push(id);
            seen.len() - 1
        });
        text.push_str(&format!("clip-{number}{rest}"));
    }
    text
}

const FONT_SIZE: f64 = 13.0;
const LINE: f64 = 18.0;
const SIDE: f64 = 24.0;
/// Mean width of a letter of a sans-serif font, in its size; a little more than the truth.
const LETTER: f64 = 0.56;
/// Length of the piece of line in a legend.
const KEY: f64 = 34.0;

/// Extends the picture downwards by a legend in one row, and by a caption broken into lines that fit its width.
pub(super) fn with_foot(svg: &str, roles: &[Role], caption: &str) -> String {
    let (Some(width), Some(height)) = (attribute(svg, "width"), attribute(svg, "height")) else { return svg.into() };
    let legend_height = if roles.is_empty() { 0.0 } else { 1.6 * LINE };
    let lines = broken(caption, ((width - 2.0 * SIDE) / (LETTER * FONT_SIZE)) as usize);
    let top = height + legend_height + 0.8 * LINE;
    let row = |(i, line): (usize, &String)| text(SIDE, top + LINE * i as f64, line);
    let rows: String = lines.iter().enumerate().map(row).collect();
    let taller = top + LINE * lines.len() as f64;
    // With a view box the picture can be shown at any size.
    let size = format!(r#"height="{taller}" viewBox="0 0 {width} {taller}""#);
    let resized = svg.replacen(&format!(r#"height="{height}""#), &size, 1);
    resized.replacen("</svg>", &format!("{}{rows}</svg>", legend(roles, width, height + 0.7 * LINE)), 1)
}

/// A piece of line with its marker, and a name, for each role, in the middle of the width.
fn legend(roles: &[Role], width: f64, y: f64) -> String {
    let length = |role: &Role| KEY + 8.0 + LETTER * FONT_SIZE * role.name().chars().count() as f64 + 30.0;
    let mut x = (width - roles.iter().map(length).sum::<f64>()) / 2.0;
    let mut drawn = String::new();
    for role in roles {
        let (colour, end, middle) = (role.colour(), x + KEY, x + KEY / 2.0);
        let dash = if *role == Role::Nal { r#" stroke-dasharray="8 4""# } else { "" };
        drawn += &format!(r#"<line x1="{x}" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" stroke-width="2"{dash} />"#);
        drawn += &match role {
            Role::Nal => {
                format!(r#"<rect x="{}" y="{}" width="8" height="8" fill="{colour}" />"#, middle - 4.0, y - 4.0)
            }
            Role::Maml => format!(r#"<circle cx="{middle}" cy="{y}" r="4.5" fill="{colour}" />"#),
            Role::Gain | Role::Other => {
                format!(r#"<path d="M {middle} {} l 5 5 l -5 5 l -5 -5 z" fill="{colour}" />"#, y - 5.0)
            }
        };
        drawn += &text(end + 8.0, y + 0.35 * FONT_SIZE, role.name());
        x += length(role);
    }
    drawn
}

fn text(x: f64, y: f64, content: &str) -> String {
    format!(r##"<text x="{x}" y="{y}" font-size="{FONT_SIZE}" fill="#333333">{}</text>"##, escaped(content))
}

/// The first number of this name.
fn attribute(svg: &str, name: &str) -> Option<f64> {
    let (_, rest) = svg.split_once(&format!(r#" {name}=""#))?;
    rest.split_once('"')?.0.parse().ok()
}

fn broken(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Sets `ρ_H`, a letter with a letter below it, as such wherever it stands in a text of the picture.
pub(super) fn with_subscripts(svg: &str) -> String {
    let letters: Vec<char> = svg.chars().collect();
    let mut set = String::with_capacity(svg.len());
    for (i, &letter) in letters.iter().enumerate() {
        let at = |j: Option<usize>| j.and_then(|j| letters.get(j)).copied().unwrap_or(' ');
        // A mark at i is the underscore of a symbol if both of its letters stand alone; Greek letters never make names.
        let is_mark = |j: Option<usize>| {
            let near = |step: isize| at(j.and_then(|j| j.checked_add_signed(step)));
            let alone = [-2, 2].iter().all(|&step| !near(step).is_ascii_alphanumeric() && near(step) != '_');
            near(0) == '_' && near(-1).is_alphabetic() && near(1).is_alphabetic() && alone
        };
        if is_mark(Some(i)) {
            continue;
        }
        if is_mark(i.checked_sub(1)) {
            // What follows returns to the line: a shift holds for all that comes after it.
            set +=
                &format!(r#"<tspan dy="0.25em" font-size="75%">{letter}</tspan><tspan dy="-0.19em">&#8203;</tspan>"#);
        } else {
            set.push(letter);
        }
    }
    set
}
