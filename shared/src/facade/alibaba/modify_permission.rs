//! `ModifyImagePermission` of ECD and `ModifyImageSharePermission` of ECS: share an image with accounts, and stop sharing
//! it with others, in one call that takes effect wholly or not at all (`contract/alibaba.md` 3.2 and 3.4).

use std::collections::BTreeSet;

use http::StatusCode;

use super::action::Product;
use super::envelope::Answer;
use super::parameters::Numbered;
use super::{Error, Parameters};
use crate::domain::{AddedAndRemoved, Permissions, TenantId};
use crate::function::Call;
use crate::usecases::{Effect, change_permissions};

/// The highest number of `AddAccount.N` and of `RemoveAccount.N` that is looked at (`contract/decisions.md` 11).
const MOST_ACCOUNTS: usize = 10;

/// `ImageId`, `AddAccount.N`, `RemoveAccount.N` in, nothing out.
pub(super) async fn answer(call: &Call, parameters: &Parameters, product: Product) -> Result<Answer, Error> {
    let image = parameters.image_id()?;
    // What is not supported is told first: it may stand alone, without any account.
    let effect = if product == Product::Ecs { effect(parameters)? } else { Effect::Made };
    let (permissions, ignored) = permissions(parameters)?;
    change_permissions(&call.service, call.caller(), &image, &permissions, effect).await?;
    if effect == Effect::Checked {
        return Err(Error::dry_run());
    }
    Ok(Answer { ignored, ..Answer::default() })
}

fn permissions(parameters: &Parameters) -> Result<(Permissions, Vec<String>), Error> {
    let add = parameters.numbered("AddAccount", MOST_ACCOUNTS)?;
    let remove = parameters.numbered("RemoveAccount", MOST_ACCOUNTS)?;
    let ignored: Vec<_> = add.ignored.iter().chain(&remove.ignored).map(|name| (*name).to_owned()).collect();
    if add.values.is_empty() && remove.values.is_empty() && ignored.is_empty() {
        return Err(Error::missing("AddAccount.N or RemoveAccount.N"));
    }
    let permissions = Permissions::new(accounts(&add)?, accounts(&remove)?)
        .map_err(|AddedAndRemoved(account)| Error::added_and_removed(&account))?;
    Ok((permissions, ignored))
}

fn accounts(given: &Numbered<'_>) -> Result<BTreeSet<TenantId>, Error> {
    given.values.iter().map(|(name, id)| id.parse().map_err(|_| Error::no_account(name))).collect()
}

/// Refuses what only ECS offers: community images, launch permissions, groups. A dry run checks all and changes nothing.
fn effect(parameters: &Parameters) -> Result<Effect, Error> {
    // Without accounts, an image is to be withdrawn from everybody, to whom it was never published.
    let names_accounts = parameters
        .pairs()
        .iter()
        .any(|(name, _)| name.starts_with("AddAccount") || name.starts_with("RemoveAccount"));
    if parameters.flag("IsPublic")? || (parameters.text("IsPublic").is_some() && !names_accounts) {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "CurrentRegion.NotSupportPublicImage",
            "Public image is not supported for current region: share the image with accounts.",
        ));
    }
    if parameters.text("LaunchPermission").is_some() {
        return Err(Error::new(
            StatusCode::BAD_REQUEST,
            "ForbiddenParameter.LaunchPermission",
            "The specified parameter \"LaunchPermission\" is forbidden for current account: leave it out.",
        ));
    }
    if parameters
        .pairs()
        .iter()
        .any(|(name, _)| name.starts_with("AddGroup.") || name.starts_with("RemoveGroup."))
    {
        return Err(Error::new(
            StatusCode::NOT_FOUND,
            "InvalidGroup.Malformed",
            "The specified parameter \"AddGroup.n\" or \"RemoveGroup.n\" does not exist: share the image with accounts.",
        ));
    }
    Ok(if parameters.flag("DryRun")? { Effect::Checked } else { Effect::Made })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Parameters {
        Parameters::read(query, None).unwrap()
    }

    #[test]
    fn accounts_are_told_apart_and_those_above_ten_are_named() {
        let query = "AddAccount.1=118272523431001&AddAccount.11=a&RemoveAccount.10=b&RemoveAccount.12=c&AddAccount.2=118272523431001";
        let (permissions, ignored) = permissions(&read(query)).unwrap();
        assert_eq!(permissions.add().iter().map(TenantId::as_str).collect::<Vec<_>>(), ["118272523431001"]);
        assert_eq!(permissions.remove().iter().map(TenantId::as_str).collect::<Vec<_>>(), ["b"]);
        assert_eq!(ignored, ["AddAccount.11", "RemoveAccount.12"]);
    }

    #[test]
    fn accounts_that_make_no_sense_are_refused() {
        let refused = |query| format!("{:?}", permissions(&read(query)).unwrap_err());
        assert!(refused("").contains("AddAccount.N or RemoveAccount.N"));
        for bad in ["AddAccount.1=a%2Fb", "AddAccount.1=", "AddAccount.1=a%20b", "AddAccount.1=%00"] {
            assert!(refused(bad).contains("InvalidAccount.NotFound"), "{bad}");
            assert!(refused(bad).contains("AddAccount.1"), "{bad}");
        }
        assert!(refused("AddAccount.1=a&RemoveAccount.2=a").contains("a in one of them, not in both"));
    }

    #[test]
    fn what_only_ecs_offers_is_refused() {
        let refused = |query| effect(&read(query)).unwrap_err().code();
        assert_eq!(refused("IsPublic=True"), "CurrentRegion.NotSupportPublicImage");
        assert_eq!(refused("IsPublic=False"), "CurrentRegion.NotSupportPublicImage");
        assert_eq!(refused("IsPublic=maybe"), "InvalidParameter");
        assert_eq!(refused("LaunchPermission=hide"), "ForbiddenParameter.LaunchPermission");
        assert_eq!(refused("AddGroup.1=all"), "InvalidGroup.Malformed");
        assert_eq!(effect(&read("AddAccount.1=a&IsPublic=False&DryRun=True")), Ok(Effect::Checked));
        assert_eq!(effect(&read("IsPublic=&LaunchPermission=&DryRun=false")), Ok(Effect::Made));
    }
}
