//! The action of a request. SDKs name it in headers, in the query, or in both (`contract/alibaba.md` 3.1).

use super::{Error, Parameters};

pub(super) const ACTION_HEADER: &str = "x-acs-action";
const VERSION_HEADER: &str = "x-acs-version";

/// The product that an action belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    /// Elastic Desktop Service, 2020-09-30.
    Ecd,
    /// Elastic Compute Service, 2014-05-26.
    Ecs,
}

/// An action of either product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    ModifyPermission(Product),
    DescribePermission(Product),
    DescribeImages(Product),
}

const ACTIONS: [(&str, &str, Action); 6] = [
    ("2020-09-30", "ModifyImagePermission", Action::ModifyPermission(Product::Ecd)),
    ("2020-09-30", "DescribeImagePermission", Action::DescribePermission(Product::Ecd)),
    ("2020-09-30", "DescribeImages", Action::DescribeImages(Product::Ecd)),
    ("2014-05-26", "ModifyImageSharePermission", Action::ModifyPermission(Product::Ecs)),
    ("2014-05-26", "DescribeImageSharePermission", Action::DescribePermission(Product::Ecs)),
    ("2014-05-26", "DescribeImages", Action::DescribeImages(Product::Ecs)),
];

impl Action {
    /// Parses the action that headers and parameters name. `header` returns the value of a header.
    pub(super) fn parse<'a>(
        header: impl Fn(&str) -> Option<&'a [u8]>,
        parameters: &'a Parameters,
    ) -> Result<Self, Error> {
        let value =
            |name, header_name| header_or_parameter(name, (header_name, header(header_name)), parameters);
        let action = value("Action", ACTION_HEADER)?;
        let version = value("Version", VERSION_HEADER)?;
        let found = ACTIONS.iter().find(|(api, name, _)| *api == version && *name == action);
        found.map(|(.., action)| *action).ok_or_else(Error::api_not_found)
    }

    /// Whether the action changes nothing.
    pub(super) fn is_read_only(self) -> bool {
        match self {
            Self::ModifyPermission(_) => false,
            Self::DescribePermission(_) | Self::DescribeImages(_) => true,
        }
    }

    pub(super) fn product(self) -> Product {
        match self {
            Self::ModifyPermission(product)
            | Self::DescribePermission(product)
            | Self::DescribeImages(product) => product,
        }
    }

    /// The name by which clients call the action.
    pub(super) fn name(self) -> &'static str {
        ACTIONS.iter().find(|(.., action)| *action == self).map(|(_, name, _)| *name).unwrap_or_default()
    }
}

/// The name of the requested action, for the log. There may be no such action.
pub(super) fn requested_name<'a>(header: Option<&'a [u8]>, parameters: &'a Parameters) -> Option<&'a str> {
    let value = header.and_then(|header| std::str::from_utf8(header).ok()).filter(|value| !value.is_empty());
    value.or_else(|| parameters.text("Action"))
}

/// The value of a parameter or of its header. If they differ, it is an error, because either may be the intended one.
fn header_or_parameter<'a>(
    name: &'static str,
    (header, value): (&str, Option<&'a [u8]>),
    parameters: &'a Parameters,
) -> Result<&'a str, Error> {
    let value = value.and_then(|value| std::str::from_utf8(value).ok()).filter(|value| !value.is_empty());
    match (value, parameters.text(name)) {
        (Some(value), Some(text)) if value != text => Err(Error::invalid_parameter(
            name,
            format_args!("the same value as in the header {header}, or one of the two left out"),
        )),
        (Some(value), _) => Ok(value),
        (None, Some(text)) => Ok(text),
        (None, None) => Err(Error::missing_parameter(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(headers: &[(&'static str, &'static str)], query: &str) -> Result<Action, Error> {
        let header = |header: &str| {
            headers.iter().find(|(name, _)| *name == header).map(|(_, value)| value.as_bytes())
        };
        Action::parse(header, &Parameters::parse(query, None).unwrap())
    }

    #[test]
    fn action_is_read_from_headers_query_or_both() {
        let modify = Ok(Action::ModifyPermission(Product::Ecd));
        let headers = [("x-acs-action", "ModifyImagePermission"), ("x-acs-version", "2020-09-30")];
        let query = "Action=ModifyImagePermission&Version=2020-09-30";
        assert_eq!(action(&headers, ""), modify);
        assert_eq!(action(&[], query), modify);
        assert_eq!(action(&headers, query), modify);
        assert_eq!(action(&headers[..1], "Version=2020-09-30"), modify);
    }

    #[test]
    fn missing_unknown_or_conflicting_action_is_rejected() {
        let error_text = |headers: &[_], query| format!("{:?}", action(headers, query).unwrap_err());
        assert!(error_text(&[], "").contains("\\\"Action\\\" that is mandatory"));
        assert!(error_text(&[], "Action=DescribeImages").contains("\\\"Version\\\" that is mandatory"));
        assert!(error_text(&[], "Action=&Version=2020-09-30").contains("\\\"Action\\\" that is mandatory"));
        for query in ["Action=CopyImage&Version=2014-05-26", "Action=describeimages&Version=2020-09-30"] {
            assert!(error_text(&[], query).contains("InvalidApi.NotFound"));
        }
        let other = [("x-acs-action", "DescribeImages")];
        assert!(
            error_text(&other, "Action=ModifyImagePermission&Version=2020-09-30")
                .contains("InvalidParameter")
        );
    }
}
