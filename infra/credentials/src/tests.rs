use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::*;

const FILE: &str = r#"
[default]
endpoint = "https://file.example"
access_key_id = "file-id"
secret_access_key = "file-secret"

[other]
endpoint = "https://other.example"
token = "other-token"
project_id = "other-project"
"#;

fn file(text: &str, mode: u32) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("credentials.toml");
    fs::write(&path, text).expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    directory
}

fn environment(directory: Option<&Path>, values: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    let path = directory.map(|directory| directory.join("credentials.toml").to_string_lossy().into_owned());
    let values: Vec<(String, String)> =
        values.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    move |name| {
        let given = values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        given.or_else(|| path.clone().filter(|_| name == CREDENTIALS_FILE))
    }
}

fn described(settings: &Found) -> String {
    let credential = match &settings.credential {
        Credential::Token(token) => token.expose().to_owned(),
        Credential::AccessKey { id, secret } => format!("{id}:{}", secret.expose()),
    };
    format!("{} {credential} {}", settings.endpoint, settings.project_id.as_deref().unwrap_or("-"))
}

#[test]
fn arguments_win_over_environment_over_file() {
    let directory = file(FILE, 0o600);
    let from = |arguments: &Arguments, values: &[(&str, &str)]| {
        find(arguments, environment(Some(directory.path()), values)).map(|found| described(&found))
    };
    let token = |text: &str| Arguments { token: Some(Secret::new(text)), ..Arguments::default() };
    assert_eq!(
        from(&Arguments::default(), &[]).expect("settings"),
        "https://file.example/ file-id:file-secret -"
    );
    assert_eq!(
        from(&Arguments::default(), &[(TOKEN, "env-token"), (PROJECT_ID, "p")]).expect("settings"),
        "https://file.example/ env-token p"
    );
    let all = [(TOKEN, "env-token"), (ENDPOINT, "http://127.0.0.1:8080")];
    assert_eq!(from(&token("argument"), &all).expect("settings"), "http://127.0.0.1:8080/ argument -");
    assert_eq!(
        from(&Arguments::default(), &[(PROFILE, "other")]).expect("settings"),
        "https://other.example/ other-token other-project"
    );
}

#[test]
fn missing_value_is_reported_at_its_argument() {
    let fault = |arguments: Arguments, values: &[(&str, &str)]| {
        let error = find(&arguments, environment(None, values)).expect_err("a fault");
        (error.argument().name(), error.to_string())
    };
    let address = (ENDPOINT, "https://images.example");
    assert_eq!(fault(Arguments::default(), &[(TOKEN, "t")]).0, "endpoint");
    assert_eq!(fault(Arguments::default(), &[address]).0, "token");
    assert_eq!(
        fault(Arguments::default(), &[address, (ACCESS_KEY_ID, "a")]),
        (
            "secret_access_key",
            "IMAGESHARE_ACCESS_KEY_ID: the id of an access key needs its secret".to_owned()
        )
    );
    assert_eq!(fault(Arguments::default(), &[address, (SECRET_ACCESS_KEY, "s")]).0, "access_key_id");
    let both = [address, (TOKEN, "t"), (ACCESS_KEY_ID, "a")];
    assert_eq!(fault(Arguments::default(), &both).0, "token");
    assert_eq!(
        fault(Arguments { profile: Some("p".to_owned()), ..Arguments::default() }, &[address, (TOKEN, "t")])
            .0,
        "profile"
    );
}

#[test]
fn credential_is_sent_over_https_or_to_this_machine_only() {
    let found = |endpoint: &str| {
        let arguments = Arguments {
            endpoint: Some(endpoint.to_owned()),
            token: Some(Secret::new("t")),
            ..Arguments::default()
        };
        find(&arguments, |_| None).map(|_| ()).map_err(|error| error.to_string())
    };
    for good in
        ["https://images.example", "https://images.example:8443/base", "http://localhost:1", "http://[::1]:2"]
    {
        assert_eq!(found(good), Ok(()), "{good}");
    }
    assert_eq!(
        found("http://images.example").expect_err("a fault"),
        "endpoint: a credential is sent over https:// only, or to this machine"
    );
    for bad in ["images.example", "ftp://images.example", "https://", "https://images.example?a=b", "a b"] {
        assert!(found(bad).is_err_and(|error| error.contains("expected https://HOST")), "{bad}");
    }
}

#[test]
fn file_that_others_can_read_is_refused() {
    for mode in [0o644, 0o640, 0o604] {
        let directory = file(FILE, mode);
        let error =
            find(&Arguments::default(), environment(Some(directory.path()), &[])).expect_err("a fault");
        assert!(error.to_string().contains("others can read it: chmod 600"), "{error}");
    }
}

#[test]
fn malformed_file_is_reported_without_its_secrets() {
    let directory = file("[default]\nendpoint = \"https://a.example\"\ntoken = \"hush\" secret\n", 0o600);
    let error = find(&Arguments::default(), environment(Some(directory.path()), &[])).expect_err("a fault");
    let text = format!("{error} {error:?}");
    assert!(text.contains("line 3") && !text.contains("hush"), "{text}");

    let directory = file("[default]\npassword = \"hush\"\n", 0o600);
    let error = find(&Arguments::default(), environment(Some(directory.path()), &[])).expect_err("a fault");
    let text = format!("{error} {error:?}");
    assert!(text.contains("password") && !text.contains("hush"), "{text}");
}

#[test]
fn unknown_profile_names_the_known_ones() {
    let directory = file(FILE, 0o600);
    let arguments = Arguments { profile: Some("third".to_owned()), ..Arguments::default() };
    let error = find(&arguments, environment(Some(directory.path()), &[])).expect_err("a fault");
    assert!(
        error.to_string().ends_with("there is no profile third: expected one of default, other"),
        "{error}"
    );
}
