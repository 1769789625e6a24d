//! What a package may come to, from the settings.

use stoker_config::PackagesSpec;
use stoker_package::Limits;

/// `[packages]` as the limits of an archive.
pub fn limits(spec: &PackagesSpec) -> Limits {
    let PackagesSpec {
        archive_bytes,
        total_bytes,
        file_bytes,
        ratio,
        entries,
        path_bytes,
        depth,
    } = *spec;
    Limits {
        archive_bytes,
        total_bytes,
        ratio,
        entries,
        path_bytes,
        depth,
        file_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_crate() {
        let file = std::env::temp_dir().join(format!("stoker-packages-{}", std::process::id()));
        std::fs::write(&file, "functions = []\n").unwrap();
        let config = stoker_config::load(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(limits(&config.gateway.packages), Limits::default());
    }
}
