//! Reads files of trusted certificates.

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

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
