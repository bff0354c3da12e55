//! A zip of one executable: of a function, which Lambda runs, or of the Terraform provider.

use std::error::Error;
use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

/// The name that Lambda expects of a function's executable.
pub(super) const BOOTSTRAP: &str = "bootstrap";

/// Beyond the levels of zlib, which end at 9: five passes of Zopfli. A zip is made once, and downloaded at each cold start
/// (`infra/aws/docs/packages.md` has what it saves).
const LEVEL: i64 = 14;

/// Zips a binary under this name. The same binary gives the same bytes: the entry is of 1980-01-01, the first date that a zip can have.
///
/// # Errors
/// None that is known, since the zip is made in memory.
pub(crate) fn zip(name: &str, binary: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(name, options)?;
    zip.write_all(binary)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn zip_holds_one_executable_and_is_the_same_twice() {
        let binary = b"\x7fELF and so on".repeat(1000);
        let made = zip(BOOTSTRAP, &binary).unwrap();
        assert!(made.len() < binary.len() / 10);
        assert_eq!(made, zip(BOOTSTRAP, &binary).unwrap());
        let mut read = zip::ZipArchive::new(Cursor::new(made)).unwrap();
        assert_eq!(read.len(), 1);
        let mut entry = read.by_index(0).unwrap();
        assert_eq!(entry.name().unwrap(), "bootstrap");
        assert_eq!(entry.unix_mode(), Some(0o100_755));
        assert_eq!(entry.last_modified(), Some(DateTime::from_date_and_time(1980, 1, 1, 0, 0, 0).unwrap()));
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        assert_eq!(contents, binary);
    }
}
