//! Every text of the console. A language is one more value of [`Texts`], and one that lacks a text does not compile.
//!
//! A text may have places such as `{count}`, which [`fill`] replaces. Where a number decides between two forms, there is one text
//! for each, and a method that chooses.

use imageshare::domain::Role;

/// Defines a table of texts: each is a field. The groups in braces are tables of their own, in files of their own.
macro_rules! texts {
    ($vis:vis $type:ident { $($group:ident: $group_type:ident),* } $($name:ident: $text:literal,)+) => {
        /// The texts of a language.
        #[derive(Debug)]
        $vis struct $type {
            $(pub(crate) $name: &'static str,)+
            $(pub(crate) $group: $group_type,)*
        }

        impl $type {
            /// English.
            $vis const ENGLISH: Self = Self { $($name: $text,)+ $($group: $group_type::ENGLISH,)* };

            /// A language in which every text is between `⟦` and `⟧`, so that a test of the pages finds those from elsewhere.
            #[must_use]
            $vis fn marked() -> Self {
                Self {
                    $($name: Box::leak(format!("⟦{}⟧", $text).into_boxed_str()),)+
                    $($group: $group_type::marked(),)*
                }
            }
        }
    };
}

mod access_keys;
mod directory;
mod errors;
mod jobs;
mod own;
mod received;
mod sign_in;
#[cfg(test)]
mod templates;

use self::access_keys::AccessKeyTexts;
use self::directory::DirectoryTexts;
use self::errors::ErrorTexts;
use self::jobs::JobTexts;
use self::own::OwnTexts;
use self::received::ReceivedTexts;
use self::sign_in::SignInTexts;

/// English.
pub(crate) static ENGLISH: Texts = Texts::ENGLISH;

texts! { pub Texts { access_keys: AccessKeyTexts, directory: DirectoryTexts, errors: ErrorTexts, jobs: JobTexts, own: OwnTexts, received: ReceivedTexts, sign_in_ways: SignInTexts }
    // The language of the texts (BCP 47), and its direction.
    language: "en",
    direction: "ltr",

    // What every page has.
    skip_to_content: "Skip to the content",
    navigation: "Main",
    region: "Region",
    project: "Project",
    role: "Role",
    reader: "reader",
    member: "member",
    admin: "admin",
    sign_out: "Sign out",
    cancel: "Cancel",
    ok: "OK",
    next_page: "Next page",
    first_page: "First page",
    pages: "Pages",
    select: "Select {name}",
    actions: "Actions",
    none: "none",

    // Sections.
    private_images: "Private Images",
    shared_images: "Images Shared with Me",
    vaults: "Vaults",
    messages: "Messages",
    owners: "Trusted Owners",

    // Sign in.
    sign_in: "Sign in",
    access_key_id: "Access key ID",
    secret: "Secret",
    sign_in_failed: "The access key or its secret is wrong, or the key is disabled or has expired.",
    sign_in_hint: "An access key belongs to one project. Its project's members create it, here or with “imageshare access-key create”.",
    api_documentation: "Documentation of the API, for programs",

    // Images.
    name: "Name",
    kind: "Kind",
    system_disk: "System disk",
    data_disk: "Data disk",
    full_ecs: "Full-ECS",
    visibility: "Visibility",
    recipients: "Recipients",
    recipients_of: "{count} of {most}",
    created: "Created",
    owner: "Owner",
    backup_size: "Backup size",
    gib: "{count} GiB",
    shared_since: "Shared since",
    status: "Status",
    pending: "Pending",
    accepted: "Accepted",
    rejected: "Rejected",

    // Private images.
    share: "Share",
    no_private_images: "No private images in {region} yet.",

    too_many_images: "Select at most {most} images.",

    // Images shared with me.
    accept: "Accept",
    reject: "Reject",
    accept_all: "Accept All",
    pending_one: "1 image waits for your answer. Until you accept it, it cannot be used.",
    pending_many: "{count} images wait for your answer. Until you accept them, they cannot be used.",
    pending_images: "Images that wait for your answer",
    accepted_images: "Accepted images",
    rejected_images: "Rejected Images",
    nothing_shared: "Nothing is shared with this project in {region}. If you expect an image, check the region, or give its owner your project ID: {project}",

    // Errors.
    problem: "This did not work",
    not_found: "There is no such page, or your project may not see it.",
    foreign_form: "The form did not come from this page. Open the page again, and send its form.",
    malformed_form: "The address or the form cannot be read. Open the page again.",
    select_images: "Select at least one image.",
    too_large: "The form is too large. Select fewer images.",
    form_late: "The form did not arrive in time. Send it again.",
    long_headers: "The address of the page and the cookies of your browser are too long together. Delete the cookies of this site, and sign in again.",
    busy: "The service has too many requests now. Wait a moment, look at what was done, and try again.",
    not_ready: "The service is not ready. Try again in a moment.",
    unavailable: "The service cannot answer now. Nothing was changed. Try again in a moment.",
    in_doubt: "The service did not answer in time, so it is not certain whether this was done. Look at the list before you try again.",
    failed: "Something went wrong in the service. The log of the service has the details, under the request ID.",
    request_id: "Request ID: {id}",
    back: "Back",

    // What became of an action.
    notice: "Progress",
    saved: "Saved.",
    refresh_page: "Show the page as it is now",
    check_again: "Check again",
    show_job: "Show the job",
    select_all: "Select all",
}

impl Texts {
    /// What a role is called.
    pub(crate) fn role_name(&self, role: Role) -> &'static str {
        match role {
            Role::Reader => self.reader,
            Role::Member => self.member,
            Role::Admin => self.admin,
        }
    }

    /// How many images wait for an answer.
    pub(crate) fn pending(&self, count: impl TryInto<usize> + ToString + Copy) -> String {
        let is_one = count.try_into().is_ok_and(|count: usize| count == 1);
        fill(if is_one { self.pending_one } else { self.pending_many }, &[("count", &count.to_string())])
    }
}

/// The text for one thing, or the text for any other number of them, with that number.
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    fill(if count == 1 { one } else { many }, &[("count", &count.to_string())])
}

/// Replaces the places of a text.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((place, after)) = after.split_once('}') else {
            filled.push('{');
            rest = after;
            continue;
        };
        let value = values.iter().find(|(name, _)| *name == place).map_or("", |(_, value)| *value);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_with_braces_is_not_filled_again() {
        assert_eq!(fill("{a} of {b}", &[("a", "{b}"), ("b", "2")]), "{b} of 2");
        assert_eq!(fill("a { b", &[]), "a { b");
    }

    #[test]
    fn places_of_a_text_are_filled_in_every_language() {
        let marked = Texts::marked();
        assert_eq!(fill(marked.gib, &[("count", "2")]), "⟦2 GiB⟧");
        assert_eq!(marked.jobs.share, "⟦Share⟧");
    }

    #[test]
    fn number_decides_the_form() {
        assert!(ENGLISH.pending(1).starts_with("1 image waits"));
        assert!(ENGLISH.pending(0).starts_with("0 images wait"));
        assert!(ENGLISH.pending(2).starts_with("2 images wait"));
    }
}
