//! `lookalike uploads`, and pushing a folder before it is trained on or indexed.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Subcommand;
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use lookalike_shared::domain::name::Name;
use reqwest::{Body, Method};
use serde::Serialize;
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::connect;
use crate::client::{Client, TargetArgs};
use crate::error::CliError;
use crate::output;
use crate::render::{self, Column, Format, fields};

const EXAMPLES: &str = "\
Examples:
  lookalike uploads push ./teapots
  lookalike uploads push ./teapots --set kitchen
  lookalike train scenes --source uploads --prefix kitchen/";

/// Upload folders of pictures; jobs read them as source `uploads`, prefix `SET/`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// The server, and how to print what it says.
    #[command(flatten)]
    pub target: TargetArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List upload sets, or the folders of one
    #[command(after_help = "Examples:\n  lookalike uploads list\n  lookalike uploads list kitchen")]
    List {
        /// The set
        set: Option<String>,
    },
    /// Upload the pictures of a folder, its folders kept
    #[command(after_help = "Example:\n  lookalike uploads push ./teapots --set kitchen")]
    Push {
        /// The folder
        dir: PathBuf,
        /// The set [default: the folder's name]
        #[arg(long)]
        set: Option<String>,
    },
    /// Delete a set with everything in it
    #[command(after_help = "Example:\n  lookalike uploads delete kitchen")]
    Delete {
        /// The set
        set: String,
    },
}

const SETS: &[Column] = &[
    ("NAME", "/name", Format::Text),
    ("SOURCE", "/source", Format::Text),
    ("PREFIX", "/prefix", Format::Text),
];

/// Files of these endings are pictures that a worker decodes.
const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "gif", "bmp", "tif", "tiff", "webp"];
/// Files sent at the same time.
const PARALLEL: usize = 8;
/// How often one file is tried.
const TRIES: u32 = 4;

/// Carries the action out.
///
/// # Errors
/// [`CliError`].
pub async fn run(args: Args) -> Result<(), CliError> {
    let client = connect(&args.target)?;
    let json = args.target.json;
    match args.action {
        Action::List { set: None } => {
            let sets = client.list("/v1/uploads", &[], usize::MAX).await?;
            render::print_list(&sets, SETS, "there are no uploads", json)
        }
        Action::List { set: Some(set) } => list_folders(&client, &set, json).await,
        Action::Push { dir, set } => {
            let set = set.map_or_else(|| set_name(&dir), Ok)?;
            let pushed = push(&client, &dir, &set).await?;
            if json { output::json(&pushed) } else { output::line(pushed.sentence()) }
        }
        Action::Delete { set } => {
            client.delete(&format!("/v1/uploads/{set}")).await?;
            let deleted = json!({"set": set, "deleted": true});
            if json { output::json(&deleted) } else { output::line(format!("{set} deleted")) }
        }
    }
}

async fn list_folders(client: &Client, set: &str, json: bool) -> Result<(), CliError> {
    let answer = client.get(&format!("/v1/uploads/{set}"), &[]).await?;
    if json {
        return output::json(&answer);
    }
    let folders = answer["folders"].as_object().into_iter().flatten();
    let rows = folders.map(|(folder, files)| vec![folder.clone(), files.to_string()]).collect();
    output::line(output::table(&["FOLDER", "FILES"], rows))?;
    let bytes = fields::bytes(answer["bytes"].as_f64().unwrap_or(0.0));
    output::line(format!("\n{} files, {bytes}", fields::text(&answer, "/files")))
}

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    set: String,
    files: usize,
    bytes: u64,
    /// Files that are no pictures by their name.
    skipped: usize,
}

impl Pushed {
    fn sentence(&self) -> String {
        let left_out = if self.skipped == 0 {
            String::new()
        } else {
            format!(", {} other files left out", self.skipped)
        };
        format!(
            "uploaded {} pictures, {}, to source uploads, prefix {}/{left_out}",
            self.files,
            fields::bytes(self.bytes as f64),
            self.set
        )
    }

    /// Tells it on standard error, for commands whose result is something else.
    pub fn tell(&self) {
        eprintln!("{}", self.sentence());
    }
}

/// Uploads every picture under `dir` to `set`, its path below `dir` kept.
///
/// # Errors
/// A folder without pictures, a file that cannot be read, a server that refuses.
pub async fn push(client: &Client, dir: &Path, set: &str) -> Result<Pushed, CliError> {
    let name: Result<Name, _> = set.parse();
    name.map_err(|error| CliError::Usage(format!("the upload set: {error}; choose one with --set")))?;
    let found = find_pictures(dir)?;
    if found.pictures.is_empty() {
        return Err(CliError::Usage(format!("{} holds no pictures ({})", dir.display(), ENDINGS.join(", "))));
    }
    let bar = progress_bar(found.pictures.len());
    let sent = stream::iter(&found.pictures).map(|picture| async {
        let bytes = send(client, dir, picture, set).await?;
        bar.inc(1);
        Ok::<_, CliError>(bytes)
    });
    let bytes: u64 =
        sent.buffer_unordered(PARALLEL).try_fold(0, |sum, bytes| async move { Ok(sum + bytes) }).await?;
    bar.finish_and_clear();
    Ok(Pushed { set: set.to_owned(), files: found.pictures.len(), bytes, skipped: found.skipped })
}

fn progress_bar(files: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("uploading [{bar:32}] {human_pos}/{human_len} {per_sec}, {eta} left");
    ProgressBar::new(files as u64).with_style(style.expect("a constant template").progress_chars("=> "))
}

/// Sends one file, again when the server is away for a moment.
async fn send(client: &Client, dir: &Path, picture: &Path, set: &str) -> Result<u64, CliError> {
    let mut tries = 1;
    loop {
        match send_once(client, dir, picture, set).await {
            Err(error) if tries < TRIES && is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

fn is_passing(error: &CliError) -> bool {
    match error {
        CliError::Unreachable(_) => true,
        CliError::Refused(problem) => matches!(problem.status, 429 | 502 | 503 | 504),
        CliError::Usage(_)
        | CliError::JobEnded(_)
        | CliError::Interrupted(_)
        | CliError::OutputClosed
        | CliError::Other(_) => false,
    }
}

async fn send_once(client: &Client, dir: &Path, picture: &Path, set: &str) -> Result<u64, CliError> {
    let path = dir.join(picture);
    let file =
        tokio::fs::File::open(&path).await.with_context(|| format!("cannot read {}", path.display()))?;
    let size = file.metadata().await.context("cannot read its size")?.len();
    let key = picture.to_str().expect("only names in UTF-8 are found");
    let request = client.request(Method::PUT, &format!("/v1/uploads/{set}/{key}"), &[]);
    let body = Body::wrap_stream(ReaderStream::new(file));
    client.send(request.header(reqwest::header::CONTENT_LENGTH, size).body(body)).await?;
    Ok(size)
}

/// The pictures under a folder, by their paths below it, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    pictures: Vec<PathBuf>,
    skipped: usize,
}

fn find_pictures(dir: &Path) -> anyhow::Result<Found> {
    if !dir.is_dir() {
        bail!("{} is no folder", dir.display());
    }
    let mut found = Found::default();
    let mut open = vec![PathBuf::new()];
    while let Some(folder) = open.pop() {
        let path = dir.join(&folder);
        for entry in std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                found.skipped += 1;
                continue;
            };
            let below = folder.join(&name);
            let is_hidden = name.starts_with('.');
            // A link to a folder is not followed: it may lead in a circle.
            if entry.file_type()?.is_dir() {
                if !is_hidden {
                    open.push(below);
                }
            } else if !is_hidden && is_picture(&below) && entry.path().is_file() {
                found.pictures.push(below);
            } else {
                found.skipped += 1;
            }
        }
    }
    found.pictures.sort();
    Ok(found)
}

fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// The folder's name as the name of a set: lower case, other characters than a-z, 0-9, `_` become `-`.
fn set_name(dir: &Path) -> Result<String, CliError> {
    let absolute = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(plain).collect();
    let name: String = name.trim_matches(['-', '_']).chars().take(63).collect();
    if name.is_empty() {
        return Err(CliError::Usage(format!(
            "{} gives no name for a set: choose one with --set",
            dir.display()
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_found_with_their_folders() {
        let root = tempfile::tempdir().unwrap();
        for path in
            ["teapot/1.jpg", "teapot/2.PNG", "bowl/1.webp", "bowl/notes.txt", ".git/x.jpg", ".hidden.jpg"]
        {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x").unwrap();
        }
        std::os::unix::fs::symlink(root.path(), root.path().join("circle")).unwrap();
        let found = find_pictures(root.path()).unwrap();
        let expected = ["bowl/1.webp", "teapot/1.jpg", "teapot/2.PNG"].map(PathBuf::from);
        assert_eq!(found.pictures, expected);
        assert_eq!(found.skipped, 3, "the note, the hidden file and the link");
    }

    #[test]
    fn a_folder_names_its_set() {
        for (folder, name) in [("/x/Tea Pots", "tea-pots"), ("/x/_a.b", "a-b"), ("/x/scenes", "scenes")] {
            assert_eq!(set_name(Path::new(folder)).unwrap(), name);
        }
        assert!(set_name(Path::new("/x/...")).is_err());
    }
}
