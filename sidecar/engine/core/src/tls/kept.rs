//! A gateway's key and certificate for the next start of its container: in the memory of the pod, never
//! on a disk. Whoever can read them there can read the pod's token beside them, for which the hub has a
//! certificate signed for any key; with the pod they are gone.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::statfs;

use crate::limits;

/// What `statfs` says of a memory-backed emptyDir (`linux/magic.h`).
const TMPFS: i128 = 0x0102_1994;

/// One file, or the reason why there is none.
#[derive(Debug)]
pub(super) struct Kept {
    file: Option<PathBuf>,
    trouble: Mutex<Option<String>>,
}

impl Kept {
    /// In this folder; without one, or where it is on a disk, nothing is kept.
    pub(super) fn within(folder: Option<&Path>) -> Self {
        let found = folder.map_or_else(|| Err("no stateDir is configured".to_owned()), in_memory);
        let (file, trouble) = match found {
            Ok(folder) => (Some(folder.join("certificate.pem")), None),
            Err(why) => (None, Some(why)),
        };
        Self { file, trouble: Mutex::new(trouble) }
    }

    /// Why the next start will have to wait for the hub; `None`: it will not, once there is a
    /// certificate.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().clone()
    }

    /// Key and certificate of an earlier start, PEM; `None`: there are none.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        let mut found = Vec::new();
        let most = limits::KEPT_CERTIFICATE_BYTES;
        let read = fs::File::open(self.file.as_ref()?)
            .and_then(|file| file.take(most).read_to_end(&mut found));
        match read {
            Ok(_) => Some(found),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                self.note(format!("cannot be read: {error}"));
                None
            }
        }
    }

    /// Puts them where the next start finds them, whole or not at all, for this user only.
    pub(super) fn write(&self, key: &str, chain: &[u8]) {
        let Some(file) = &self.file else { return };
        let draft = file.with_extension("new");
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut to| to.write_all(key.as_bytes()).and_then(|()| to.write_all(chain)))
            .and_then(|()| fs::rename(&draft, file));
        match written {
            Ok(()) => *self.trouble.lock() = None,
            Err(error) => self.note(format!("cannot be kept: {error}")),
        }
    }

    /// What is there is of no use.
    pub(super) fn note(&self, trouble: String) {
        *self.trouble.lock() = Some(trouble);
    }
}

/// The folder, made if need be, where it lies in memory.
fn in_memory(folder: &Path) -> Result<&Path, String> {
    let shown = folder.display();
    fs::create_dir_all(folder).map_err(|error| format!("{shown} cannot be made: {error}"))?;
    let found = statfs(folder).map_err(|error| format!("{shown} cannot be looked at: {error}"))?;
    if i128::from(found.f_type) != TMPFS {
        return Err(format!("{shown} is not in memory, and a key is kept nowhere else"));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_no_memory_holds_no_key() {
        let kept = Kept::within(Some(Path::new("/proc/self")));
        kept.write("key", b"chain");
        assert!(kept.trouble().unwrap().contains("not in memory") && kept.read().is_none());
        assert!(Kept::within(None).trouble().unwrap().contains("stateDir"));
    }

    #[test]
    fn it_is_found_whole_and_readable_by_its_user_alone() {
        let folder = PathBuf::from(format!("/dev/shm/pointsman-kept-{}", fastrand::u64(..)));
        let kept = Kept::within(Some(&folder));
        assert_eq!((kept.read(), kept.trouble()), (None, None));
        kept.write("key\n", b"one\n");
        kept.write("key\n", b"two\n");
        assert_eq!(Kept::within(Some(&folder)).read().unwrap(), b"key\ntwo\n");
        let mode = fs::metadata(folder.join("certificate.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(folder).unwrap();
    }
}
