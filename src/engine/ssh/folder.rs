//! A private folder for the sockets of one connection.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The longest path of the folder. A socket's path has 104 bytes at the most (108 on Linux), and
/// `ssh` adds 17 to the name of its control socket while it makes it.
const LONGEST: usize = 80;

/// The folder; it and what is in it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes a folder that only this user can enter, with a name that nobody can foresee.
    pub(super) fn create() -> io::Result<Self> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let name = format!("dew-ssh-{:016x}", u64::from_ne_bytes(random));
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let places = [runtime, Some(std::env::temp_dir()), Some(PathBuf::from("/tmp"))];
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for place in places.into_iter().flatten() {
            let path = place.join(&name);
            if !path.is_absolute() || !is_plain(&path) {
                continue;
            }
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is forwarded to the engine.
    pub(super) fn engine(&self) -> PathBuf {
        self.path.join("s")
    }

    /// Where `ssh` takes orders.
    pub(super) fn control(&self) -> PathBuf {
        self.path.join("c")
    }

    /// Writes a private key for `ssh` to read; [`forget_key`](Self::forget_key) removes it.
    pub(super) fn keep_key(&self, key: &[u8]) -> io::Result<PathBuf> {
        let path = self.path.join("k");
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(key)?;
        // Without it `ssh` takes no key for one.
        if !key.ends_with(b"\n") {
            file.write_all(b"\n")?;
        }
        Ok(path)
    }

    pub(super) fn forget_key(&self) {
        let _ = fs::remove_file(self.path.join("k"));
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Whether `ssh` takes the path as it is: it replaces `%` and `$`, and splits at colons.
fn is_plain(path: &Path) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    path.as_os_str().len() <= LONGEST && path.to_str().is_some_and(|path| path.chars().all(allowed))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_folder_is_private_and_goes_with_its_owner() {
        let folder = Folder::create().unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let key = folder.keep_key(b"key").unwrap();
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&key).unwrap(), b"key\n");
        folder.forget_key();
        assert!(!key.exists());
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn paths_that_ssh_would_change_are_not_taken() {
        assert!(is_plain(Path::new("/run/user/0/dew-ssh-0123456789abcdef")));
        for path in ["/tmp/a b", "/tmp/%h", "/tmp/$x", "/tmp/a:b"] {
            assert!(!is_plain(Path::new(path)), "{path}");
        }
        assert!(!is_plain(Path::new(&format!("/{}", "a".repeat(LONGEST)))));
    }
}
