//! What a change will look like, computed as Terraform expects it of every provider.
//!
//! Terraform proposes a state: the configuration where it sets something, the prior state elsewhere. From that:
//!
//! 1. An attribute that is left out gets its default; a write-only one is null.
//! 2. If anything differs from the prior state, every computed value that the configuration leaves out becomes unknown, except one
//!    that an update keeps. A change of local attributes alone makes nothing unknown.
//! 3. A change of an attribute that forces a new resource is reported. Terraform then asks again, as for a new one.
//!
//! The resource may refine the result afterwards ([`crate::server::Resource::plan`]).

use crate::schema::{Attribute, Schema};
use crate::value::{Object, Path, Value};

/// A planned state, and what makes it a replacement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// The state after the apply; unknown where only the apply will tell.
    pub state: Object,
    /// The attributes whose change needs a new resource.
    pub replace: Vec<Path>,
}

/// Plans a creation (without a prior state) or an update.
pub fn plan(schema: &Schema, prior: Option<&Object>, proposed: &Object, config: &Object) -> Planned {
    let mut state = proposed.clone();
    let is_left_out = |attribute: &Attribute| attribute.is_computed() && config.get(attribute.name).is_null();
    for attribute in schema.attributes() {
        if attribute.write_only {
            state.set(attribute.name, Value::Null);
        } else if let Some(default) = attribute.default.as_ref().filter(|_| is_left_out(attribute)) {
            state.set(attribute.name, default.clone());
        }
    }
    let differs = |attribute: &Attribute| {
        prior.is_none_or(|prior| prior.get(attribute.name) != state.get(attribute.name))
    };
    let changed: Vec<_> = schema.attributes().iter().filter(|attribute| differs(attribute)).collect();
    let replace: Vec<Path> = match prior {
        Some(_) => {
            changed.iter().filter(|changed| changed.force_new).map(|changed| changed.name.into()).collect()
        }
        None => Vec::new(),
    };
    if changed.iter().any(|attribute| !attribute.local) {
        let is_kept = |attribute: &Attribute| attribute.keep && prior.is_some() && replace.is_empty();
        let unknown = schema
            .attributes()
            .iter()
            .filter(|attribute| is_left_out(attribute) && attribute.default.is_none());
        for attribute in unknown.filter(|attribute| !is_kept(attribute)) {
            state.set(attribute.name, Value::unknown());
        }
    }
    Planned { state, replace }
}

/// Whether a change from one state to the other concerns local attributes only, so that the service need not hear of it.
pub fn is_local(schema: &Schema, prior: &Object, planned: &Object) -> bool {
    let is_same = |attribute: &Attribute| prior.get(attribute.name) == planned.get(attribute.name);
    schema.attributes().iter().all(|attribute| attribute.local || is_same(attribute))
}

/// The state that is stored: without what is write-only. Also returns the attributes that are not wholly known, which are null in it.
pub fn storable(schema: &Schema, mut state: Object) -> (Object, Vec<&'static str>) {
    let mut unknown = Vec::new();
    for attribute in schema.attributes() {
        if state.get(attribute.name).has_unknown() {
            unknown.push(attribute.name);
            state.set(attribute.name, Value::Null);
        } else if attribute.write_only {
            state.set(attribute.name, Value::Null);
        }
    }
    (state, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        Schema::new(
            "A test.",
            [
                Attribute::string("id", "").computed().keep(),
                Attribute::string("name", "").required(),
                Attribute::string("kind", "").force_new(),
                Attribute::string("mode", "").default("soft"),
                Attribute::string("version", "").computed(),
                Attribute::string("wait", "").local(),
                Attribute::string("secret_wo", "").write_only(),
            ],
        )
    }

    fn object(attributes: &[(&str, &str)]) -> Object {
        attributes.iter().copied().collect()
    }

    const CONFIG: [(&str, &str); 2] = [("name", "a"), ("kind", "x")];
    const STATE: [(&str, &str); 5] =
        [("id", "1"), ("name", "a"), ("kind", "x"), ("mode", "soft"), ("version", "v1")];

    /// Terraform's proposal: the configuration, and the prior state where that leaves a computed attribute out.
    fn proposed(prior: &Object, config: &Object) -> Object {
        let mut proposed = config.clone();
        for name in ["id", "mode", "version"] {
            if config.get(name).is_null() {
                proposed.set(name, prior.get(name).clone());
            }
        }
        proposed
    }

    fn planned(prior: &Object, config: &Object) -> Planned {
        plan(&schema(), Some(prior), &proposed(prior, config), config)
    }

    #[test]
    fn creation_knows_what_is_configured_and_the_defaults() {
        let config = object(&CONFIG).with("secret_wo", "s");
        let planned = plan(&schema(), None, &config, &config);
        let expected = object(&CONFIG)
            .with("mode", "soft")
            .with("id", Value::unknown())
            .with("version", Value::unknown());
        assert_eq!(planned, Planned { state: expected, replace: Vec::new() });
    }

    #[test]
    fn same_configuration_changes_nothing() {
        let prior = object(&STATE);
        let planned = planned(&prior, &object(&CONFIG).with("secret_wo", "another"));
        assert_eq!(planned, Planned { state: prior, replace: Vec::new() });
    }

    #[test]
    fn update_keeps_what_is_kept() {
        let planned = planned(&object(&STATE), &object(&CONFIG).with("name", "b"));
        assert_eq!(planned.state, object(&STATE).with("name", "b").with("version", Value::unknown()));
        assert!(planned.replace.is_empty());
    }

    #[test]
    fn removed_argument_returns_to_its_default() {
        let prior = object(&STATE).with("mode", "hard");
        assert_eq!(planned(&prior, &object(&CONFIG)).state.str("mode"), Some("soft"));
    }

    #[test]
    fn forced_replacement_is_reported_and_keeps_nothing() {
        let planned = planned(&object(&STATE), &object(&CONFIG).with("kind", "y"));
        assert_eq!(planned.replace, [Path::from("kind")]);
        assert!(planned.state.get("id").is_unknown());
    }

    #[test]
    fn local_change_makes_nothing_unknown() {
        let prior = object(&STATE);
        let planned = planned(&prior, &object(&CONFIG).with("wait", "10m"));
        assert_eq!(planned.state, object(&STATE).with("wait", "10m"));
        assert!(is_local(&schema(), &prior, &planned.state));
        assert!(!is_local(&schema(), &prior, &object(&STATE).with("name", "b")));
    }

    #[test]
    fn stored_state_is_known_and_without_secrets() {
        let state = object(&STATE).with("secret_wo", "s").with("version", Value::unknown());
        let (stored, unknown) = storable(&schema(), state);
        assert_eq!(unknown, ["version"]);
        assert_eq!(stored, object(&STATE).with("version", Value::Null));
    }
}
