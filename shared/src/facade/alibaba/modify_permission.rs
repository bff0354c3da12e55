//! `ModifyImagePermission` of ECD and `ModifyImageSharePermission` of ECS: share an image with accounts and unshare it
//! from others, in one call that takes effect wholly or not at all (`contract/alibaba.md` 3.2 and 3.4).

use std::collections::BTreeSet;

use http::StatusCode;

use super::action::Product;
use super::envelope::ActionOutput;
use super::parameters::ArrayParameter;
use super::{Error, Parameters};
use crate::domain::{AddedAndRemoved, PermissionChange, TenantId};
use crate::http::AuthenticatedRequest;
use crate::usecases::{DryRun, change_permissions};

/// The highest `N` of `AddAccount.N` and `RemoveAccount.N`; accounts above it are ignored (`contract/decisions.md` 11).
const MAX_ACCOUNTS: usize = 10;

/// `ImageId`, `AddAccount.N` and `RemoveAccount.N` in; an empty body out, with the ignored parameters in a header.
pub(super) async fn handle(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
    product: Product,
) -> Result<ActionOutput, Error> {
    let image = parameters.image_id()?;
    // Unsupported options are rejected first: a request may have one without any account.
    let dry_run = if product == Product::Ecs { parse_dry_run(parameters)? } else { DryRun::Off };
    let (permissions, ignored) = parse_permissions(parameters)?;
    change_permissions(&request.app, request.caller(), &image, &permissions, dry_run).await?;
    if dry_run == DryRun::On {
        return Err(Error::dry_run_passed());
    }
    Ok(ActionOutput { ignored_parameters: ignored, ..ActionOutput::default() })
}

fn parse_permissions(parameters: &Parameters) -> Result<(PermissionChange, Vec<String>), Error> {
    let add = parameters.array("AddAccount", MAX_ACCOUNTS)?;
    let remove = parameters.array("RemoveAccount", MAX_ACCOUNTS)?;
    let ignored: Vec<_> = add.ignored.iter().chain(&remove.ignored).map(|name| (*name).to_owned()).collect();
    if add.values.is_empty() && remove.values.is_empty() && ignored.is_empty() {
        return Err(Error::missing_parameter("AddAccount.N or RemoveAccount.N"));
    }
    let permissions = PermissionChange::new(parse_accounts(&add)?, parse_accounts(&remove)?)
        .map_err(|AddedAndRemoved(account)| Error::account_in_both_lists(&account))?;
    Ok((permissions, ignored))
}

fn parse_accounts(accounts: &ArrayParameter<'_>) -> Result<BTreeSet<TenantId>, Error> {
    accounts.values.iter().map(|(name, id)| id.parse().map_err(|_| Error::account_not_found(name))).collect()
}

/// Parses `DryRun`, which checks everything and changes nothing. Rejects the options that only ECS has: community
/// images, launch permissions, groups.
fn parse_dry_run(parameters: &Parameters) -> Result<DryRun, Error> {
    // `IsPublic=False` without accounts withdraws a published image, and no image is published here.
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
    Ok(if parameters.flag("DryRun")? { DryRun::On } else { DryRun::Off })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Parameters {
        Parameters::parse(query, None).unwrap()
    }

    #[test]
    fn accounts_above_ten_are_reported_as_ignored() {
        let query = "AddAccount.1=118272523431001&AddAccount.11=a&RemoveAccount.10=b&RemoveAccount.12=c&AddAccount.2=118272523431001";
        let (permissions, ignored) = parse_permissions(&parse(query)).unwrap();
        assert_eq!(permissions.add().iter().map(TenantId::as_str).collect::<Vec<_>>(), ["118272523431001"]);
        assert_eq!(permissions.remove().iter().map(TenantId::as_str).collect::<Vec<_>>(), ["b"]);
        assert_eq!(ignored, ["AddAccount.11", "RemoveAccount.12"]);
    }

    #[test]
    fn invalid_accounts_are_rejected() {
        let error_text = |query| format!("{:?}", parse_permissions(&parse(query)).unwrap_err());
        assert!(error_text("").contains("AddAccount.N or RemoveAccount.N"));
        for bad in ["AddAccount.1=a%2Fb", "AddAccount.1=", "AddAccount.1=a%20b", "AddAccount.1=%00"] {
            assert!(error_text(bad).contains("InvalidAccount.NotFound"), "{bad}");
            assert!(error_text(bad).contains("AddAccount.1"), "{bad}");
        }
        assert!(error_text("AddAccount.1=a&RemoveAccount.2=a").contains("a in one of them, not in both"));
    }

    #[test]
    fn unsupported_ecs_options_are_rejected() {
        let error_code = |query| parse_dry_run(&parse(query)).unwrap_err().into_inner().code;
        assert_eq!(error_code("IsPublic=True"), "CurrentRegion.NotSupportPublicImage");
        assert_eq!(error_code("IsPublic=False"), "CurrentRegion.NotSupportPublicImage");
        assert_eq!(error_code("IsPublic=maybe"), "InvalidParameter");
        assert_eq!(error_code("LaunchPermission=hide"), "ForbiddenParameter.LaunchPermission");
        assert_eq!(error_code("AddGroup.1=all"), "InvalidGroup.Malformed");
        assert_eq!(parse_dry_run(&parse("AddAccount.1=a&IsPublic=False&DryRun=True")), Ok(DryRun::On));
        assert_eq!(parse_dry_run(&parse("IsPublic=&LaunchPermission=&DryRun=false")), Ok(DryRun::Off));
    }
}
