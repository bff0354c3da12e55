//! The parameters of a call, decoded, from its query and its form, in their order.
//!
//! Blank values are kept, since the old SDK signs one, but count as missing. Unknown names are ignored, as Alibaba
//! does. A duplicate name is an error, since either value may be the intended one.

use std::collections::HashSet;
use std::fmt::Display;
use std::str::FromStr;

use super::Error;
use crate::domain::ImageId;
use crate::http::query;

/// Decoded names and values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// The elements of an array parameter.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ArrayParameter<'a> {
    /// The full name and the value of each element.
    pub(super) values: Vec<(&'a str, &'a str)>,
    /// The names whose number is too high. They are ignored.
    pub(super) ignored: Vec<&'a str>,
}

impl Parameters {
    /// Parses a query string, and a body that is a form.
    ///
    /// # Errors
    /// [`Error`] names the parameter that cannot be decoded or is a duplicate.
    pub fn parse(query: &str, form: Option<&[u8]>) -> Result<Self, Error> {
        let form = std::str::from_utf8(form.unwrap_or_default())
            .map_err(|_| Error::invalid_parameter("The body", "percent-encoded UTF-8"))?;
        let decoded =
            |text| query::parse_pairs(text).map_err(|name| Error::invalid_parameter(&name, query::ENCODING));
        let mut pairs = decoded(query)?;
        pairs.extend(decoded(form)?);
        let mut names = HashSet::new();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !names.insert(name.as_str())) {
            return Err(Error::invalid_parameter(name, "one value, not several"));
        }
        Ok(Self(pairs))
    }

    /// Names and values in the order in which they were sent, the query's first.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The value of a parameter. `None` if it is missing or blank.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(candidate, _)| candidate == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of a mandatory parameter.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.text(name).ok_or_else(|| Error::missing_parameter(name))
    }

    /// The image of the call. A malformed id is not found, like an unknown one.
    pub(super) fn image_id(&self) -> Result<ImageId, Error> {
        self.required("ImageId")?.parse().map_err(|_| Error::image_not_found())
    }

    /// Rejects a call for another region, because images are not shared across regions (seed 002).
    pub(super) fn check_region(&self, region: &str) -> Result<(), Error> {
        if self.required("RegionId")? == region { Ok(()) } else { Err(Error::region_not_found(region)) }
    }

    /// The parsed value of a parameter. `expected` describes its valid values.
    pub(super) fn parse_value<T: FromStr>(
        &self,
        name: &str,
        expected: impl Display,
    ) -> Result<Option<T>, Error> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| Error::invalid_parameter(name, expected)))
            .transpose()
    }

    /// A number from `min` to `max`, or the default.
    pub(super) fn number(
        &self,
        name: &str,
        (min, max): (usize, usize),
        default: usize,
    ) -> Result<usize, Error> {
        let expected = format!("a number from {min} to {max}");
        match self.parse_value(name, &expected)? {
            None => Ok(default),
            Some(number) if (min..=max).contains(&number) => Ok(number),
            Some(_) => Err(Error::invalid_parameter(name, expected)),
        }
    }

    /// A boolean, by default false. The Python SDK writes `True` and `False`.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.text(name) {
            None => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(Error::invalid_parameter(name, "true or false")),
        }
    }

    /// The elements of an array, which are numbered from 1. Those above `max` are ignored (`contract/decisions.md` 11).
    /// A name without a number is an error: ignoring it would silently do less than was requested.
    pub(super) fn array(&self, array: &str, max: usize) -> Result<ArrayParameter<'_>, Error> {
        let mut elements = ArrayParameter::default();
        for (name, value) in &self.0 {
            let number = match name.strip_prefix(array) {
                Some("") => "",
                Some(rest) => match rest.strip_prefix('.') {
                    Some(number) => number,
                    None => continue,
                },
                None => continue,
            };
            if number.is_empty() || number.starts_with('0') || !number.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::invalid_parameter(
                    name,
                    format_args!("the name {array}.1, {array}.2, and so on"),
                ));
            }
            match number.parse::<usize>() {
                Ok(number) if number <= max => elements.values.push((name, value)),
                _ => elements.ignored.push(name),
            }
        }
        Ok(elements)
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
    use proptest::prelude::*;

    use super::*;

    fn parse(query: &str) -> Parameters {
        Parameters::parse(query, None).unwrap()
    }

    fn error_text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        format!("{:?}", result.unwrap_err())
    }

    proptest! {
        #[test]
        fn encoded_parameters_round_trip_in_order(
            pairs in prop::collection::btree_map(".{0,12}", ".{0,12}", 0..8),
            in_query in 0_usize..8,
        ) {
            let pairs: Vec<_> = pairs.into_iter().rev().collect();
            let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let write = |pairs: &[(String, String)]| {
                let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
                pairs.collect::<Vec<_>>().join("&")
            };
            let (query, form) = pairs.split_at(in_query.min(pairs.len()));
            let parsed = Parameters::parse(&write(query), Some(write(form).as_bytes())).unwrap();
            prop_assert_eq!(parsed.pairs(), pairs.as_slice());
        }

        #[test]
        fn parameter_names_are_unique_for_any_input(query in "[ -~é]{0,60}", form in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(parsed) = Parameters::parse(&query, Some(&form)) {
                let names: HashSet<_> = parsed.pairs().iter().map(|(name, _)| name).collect();
                prop_assert_eq!(names.len(), parsed.pairs().len());
                let _ = parsed.array("AddAccount", 10);
            }
        }

        #[test]
        fn array_index_above_limit_is_ignored(number in 1_u64..u64::MAX) {
            let query = format!("AddAccount.{number}=a");
            let parameters = parse(&query);
            let elements = parameters.array("AddAccount", 10).unwrap();
            prop_assert_eq!(elements.values.len(), usize::from(number <= 10));
            prop_assert_eq!(elements.ignored.len(), usize::from(number > 10));
        }
    }

    #[test]
    fn blank_value_is_kept_but_treated_as_absent() {
        let parameters = parse("SignatureType=&Flag&Name=a+b%2Bc");
        let pairs = [("SignatureType", ""), ("Flag", ""), ("Name", "a b+c")];
        assert_eq!(parameters.pairs(), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!((parameters.text("Flag"), parameters.text("Name")), (None, Some("a b+c")));
        assert!(error_text(parameters.required("Flag")).contains("MissingParameter"));
    }

    #[test]
    fn parameter_in_query_and_form_is_a_duplicate() {
        let twice = Parameters::parse("ImageId=a", Some(b"ImageId=b"));
        assert!(error_text(twice).contains("ImageId: expected one value"));
        assert!(error_text(Parameters::parse("a=%FF", None)).contains("a: expected percent-encoded UTF-8"));
        assert!(error_text(Parameters::parse("", Some(b"\xff=a"))).contains("The body: expected"));
    }

    #[test]
    fn array_is_numbered_from_one() {
        let parameters =
            parse("AddAccount.2=b&AddAccount.1=a&AddAccount.11=k&AddAccounts=x&RemoveAccount.1=r");
        let elements = parameters.array("AddAccount", 10).unwrap();
        assert_eq!(elements.values, [("AddAccount.2", "b"), ("AddAccount.1", "a")]);
        assert_eq!(elements.ignored, ["AddAccount.11"]);
        for bad in [
            "AddAccount=a",
            "AddAccount.=a",
            "AddAccount.0=a",
            "AddAccount.01=a",
            "AddAccount.x=a",
            "AddAccount.-1=a",
        ] {
            assert!(
                error_text(parse(bad).array("AddAccount", 10)).contains("AddAccount.1, AddAccount.2"),
                "{bad}"
            );
        }
    }

    #[test]
    fn invalid_numbers_and_flags_are_rejected() {
        let parameters = parse("PageSize=101&PageNumber=2&DryRun=True&IsPublic=no");
        assert_eq!(parameters.number("PageNumber", (1, 9), 1), Ok(2));
        assert_eq!(parameters.number("Other", (1, 9), 7), Ok(7));
        assert!(error_text(parameters.number("PageSize", (1, 100), 10)).contains("a number from 1 to 100"));
        assert_eq!((parameters.flag("DryRun"), parameters.flag("Other")), (Ok(true), Ok(false)));
        assert!(error_text(parameters.flag("IsPublic")).contains("IsPublic: expected true or false"));
    }
}
