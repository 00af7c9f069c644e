//! Labelled pictures to train on, index and search with.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;

use crate::program;

/// A folder of drawn pictures: `{train,gallery,queries}/<class>/NNN.jpg`, ten classes. Removed when dropped.
#[derive(Debug)]
pub struct Samples {
    folder: TempDir,
}

impl Samples {
    /// Draws that many pictures per class and set; the same numbers give the same pictures.
    ///
    /// # Errors
    /// When the program is not built or fails.
    pub async fn draw(train: u32, gallery: u32, queries: u32) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut draw = Command::new(program("lookalike")?);
        draw.arg("samples").arg(folder.path());
        for (option, count) in [("--train", train), ("--gallery", gallery), ("--queries", queries)] {
            draw.arg(option).arg(count.to_string());
        }
        let output = draw.output().await?;
        ensure!(output.status.success(), "drawing failed: {}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { folder })
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The pictures of a set, class by class.
    ///
    /// # Errors
    /// When the set is not there.
    pub fn pictures(&self, set: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for class in std::fs::read_dir(self.path().join(set)).with_context(|| format!("no set {set}"))? {
            for picture in std::fs::read_dir(class?.path())? {
                found.push(picture?.path());
            }
        }
        found.sort();
        Ok(found)
    }
}
