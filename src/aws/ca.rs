//! Reads files of trusted certificates.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Whether the file can be used; else a sentence. To open one on a mount that is gone, or a pipe, may
/// last for ever: so it is read on a thread of its own, and waited for no longer than the limit.
pub(super) fn check(path: &Path, limit: Duration) -> Result<(), String> {
    let unread = |why: String| format!("`{}` can not be read: {why}", path.display());
    let (told, checked) = mpsc::channel();
    let own = path.to_owned();
    let thread = thread::Builder::new().name("firehose".to_owned());
    // Who no longer waits needs no answer.
    let thread = thread.spawn(move || _ = told.send(read(&own).map(drop)));
    thread.map_err(|error| unread(error.to_string()))?;
    let checked = checked.recv_timeout(limit);
    checked.unwrap_or_else(|_| Err(unread(format!("it gave nothing within {limit:?}"))))
}

/// The file's PEM text, known to hold certificates that TLS can use; else a sentence.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("`{shown}` can not be read: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        // The error would show the section's name as a list of bytes.
        let certificate = certificate
            .map_err(|_| format!("`{shown}` holds a PEM section that is cut or no base64"))?;
        roots.add(certificate).map_err(|error| {
            format!("`{shown}` holds a certificate that can not be used: {error}")
        })?;
    }
    if roots.is_empty() {
        return Err(format!("`{shown}` holds no PEM certificate"));
    }
    Ok(pem)
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;

    use tempfile::TempDir;

    use super::*;

    /// Longer than anything here takes.
    pub(in crate::aws) const LONG: Duration = Duration::from_secs(60);

    /// Who opens it to read waits until somebody opens it to write, as `fs::write` does, which in
    /// its turn waits for a reader.
    pub(in crate::aws) fn pipe() -> (TempDir, PathBuf) {
        let directory = TempDir::new().expect("a temporary directory can be made");
        let path = directory.path().join("ca.pem");
        let made = Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo runs").success());
        (directory, path)
    }

    #[test]
    fn a_file_that_can_not_be_opened_is_not_waited_for() {
        let (_directory, path) = pipe();
        let (told, checked) = mpsc::channel();
        let own = path.clone();
        thread::spawn(move || told.send(check(&own, Duration::from_millis(1))));
        let checked = checked.recv_timeout(LONG).expect("the check ends");
        let error = checked.expect_err("there is nothing to read");
        let expected = format!(
            "`{}` can not be read: it gave nothing within 1ms",
            path.display()
        );
        assert_eq!(error, expected);
        // Another thread still reads it, which ends now.
        fs::write(path, "").expect("there is a reader");
    }
}
