//! The texts of the ways to sign in.

texts! { pub(crate) SignInTexts {}
    other_ways: "Other ways to sign in",
    with_provider: "Sign in with {provider}",
    use_token: "Use a token",
    token: "Token",
    token_hint: "A token of your Keystone or OpenID provider, or one that “imageshare token” prints. The session ends with it.",
    token_refused: "The token is not accepted: it is wrong, has expired, or acts for no project. Get a new one.",
    as_project: "Sign in as {project}",
    link_hint: "This link was made with “imageshare console”. It is good for one minute, and once.",
    link_refused: "The link is wrong, more than a minute old, or has been used. Make a new one with “imageshare console”, or sign in here.",
    provider_refused: "The provider did not sign you in. Try again, or sign in here.",
    provider_no_project: "The provider has signed you in, but its token is not accepted here: it acts for no project, or has no role. Ask who manages your projects.",
    provider_unavailable: "The provider does not answer now. Try again in a moment.",
    back_to_access_key: "Sign in with an access key",
}
