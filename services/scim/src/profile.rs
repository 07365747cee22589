//! What a client may do that the RFCs do not allow, or leave open: a preset per vendor, each item switchable.
//!
//! [`ProfileSettings`] is what a connection stores, [`Profile`] what the engine asks.

use serde::{Deserialize, Serialize};

/// A named set of defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Takes what the known clients send.
    #[default]
    Standard,
    /// The RFCs to the letter.
    Strict,
    /// Microsoft Entra ID.
    Entra,
    /// Okta.
    Okta,
    /// Google Workspace.
    Google,
    /// `OneLogin`.
    OneLogin,
    /// `JumpCloud`.
    JumpCloud,
    /// `PingFederate`, `PingOne` and their like.
    Ping,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 8] = [
        Self::Standard,
        Self::Strict,
        Self::Entra,
        Self::Okta,
        Self::Google,
        Self::OneLogin,
        Self::JumpCloud,
        Self::Ping,
    ];
}

macro_rules! switches {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// What a client may do, resolved.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Profile {
            /// The preset the switches started from.
            pub preset: Preset,
            /// Answer a PATCH of a group of more members than this with 204 and no body. None never does.
            pub patch_no_content_above: Option<u64>,
            $($(#[doc = $doc])+ pub $name: bool,)+
        }

        /// A preset, and where a connection differs from it.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct ProfileSettings {
            /// The preset.
            pub preset: Preset,
            /// Answer a PATCH of a group of more members than this with 204 and no body.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub patch_no_content_above: Option<u64>,
            $($(#[doc = $doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<bool>,)+
        }

        impl ProfileSettings {
            /// The preset with the differences.
            pub fn resolve(&self) -> Profile {
                let preset = Profile::of(self.preset);
                Profile {
                    preset: self.preset,
                    patch_no_content_above: self.patch_no_content_above.or(preset.patch_no_content_above),
                    $($name: self.$name.unwrap_or(preset.$name),)+
                }
            }
        }

        impl Profile {
            /// Every switch: its name and what it does.
            pub const SWITCHES: &[(&str, &str)] = &[$((stringify!($name), concat!($($doc),+).trim_ascii()),)+];

            fn with_all(preset: Preset, on: bool) -> Self {
                Self { preset, patch_no_content_above: None, $($name: on,)+ }
            }
        }
    };
}

switches! {
    /// Booleans may be the texts `True`, `false` and the like, or the numbers 1 and 0.
    loose_booleans,
    /// A number or boolean may stand where a text belongs, and a number may be written as a text.
    loose_scalars,
    /// The `op` of a PATCH operation may be in any case.
    capitalised_operations,
    /// A filter's values may be unquoted, in single quotes, or `True` and `False`.
    unquoted_filter_values,
    /// A filter may compare `emails[type eq "work"].value`.
    value_path_comparisons,
    /// Attributes no schema knows are ignored in bodies and in PATCH values without a path; else they are refused.
    ignore_unknown_attributes,
    /// URNs no schema has are ignored in `schemas`; else they are refused.
    ignore_unknown_schemas,
    /// `schemas` may be missing from a body, or lack the resource's own.
    optional_schemas,
    /// In a PATCH value without a path, the member names are paths such as `name.givenName`.
    path_keys,
    /// Attributes of an extension are found without its URN.
    unprefixed_extensions,
    /// A PATCH `remove` with a value removes only that from a list; else such a value is refused.
    remove_by_value,
    /// A PATCH `add` or `replace` whose filter matches no element makes one of the filter's `eq` terms; an element
    /// that loses its value goes altogether.
    elements_by_filter,
    /// A PATCH `remove` whose filter matches nothing succeeds; else it is `noTarget`.
    missing_removals,
    /// A text may stand for an object with that `value`, as in `"manager": "26118915"`.
    bare_complex_values,
    /// A list of one may stand where a single value belongs, and a single value where a list belongs.
    loose_cardinality,
    /// An empty text removes a value that cannot be an empty text, such as the manager.
    empty_text_removes,
    /// Of several primary elements in one request the first stays primary; else they are refused.
    first_primary_wins,
    /// Attributes that clients cannot set are ignored in PATCH values without a path, as in POST and PUT.
    ignore_read_only_keys,
    /// The display names of groups are unique.
    unique_group_names,
    /// A POST of a user that matches an inactive one reactivates him and does not conflict.
    reactivate_inactive_match,
}

impl Default for Profile {
    fn default() -> Self {
        Self::of(Preset::Standard)
    }
}

impl Profile {
    /// The profile of a preset.
    pub fn of(preset: Preset) -> Self {
        let lenient = Self {
            unique_group_names: false,
            reactivate_inactive_match: false,
            patch_no_content_above: Some(1000),
            ..Self::with_all(preset, true)
        };
        match preset {
            Preset::Strict => Self::with_all(preset, false),
            Preset::Standard | Preset::Google | Preset::OneLogin | Preset::Ping => lenient,
            Preset::Entra => Self { unique_group_names: true, patch_no_content_above: Some(100), ..lenient },
            Preset::Okta => Self { reactivate_inactive_match: true, ..lenient },
            Preset::JumpCloud => Self { unique_group_names: true, ..lenient },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_differs_from_its_preset_switch_by_switch() {
        let settings: ProfileSettings =
            serde_json::from_str(r#"{"preset": "entra", "loose_booleans": false, "patch_no_content_above": 5}"#)
                .unwrap();
        let profile = settings.resolve();
        assert!(!profile.loose_booleans && profile.path_keys && profile.unique_group_names);
        assert_eq!(profile.patch_no_content_above, Some(5));
        assert_eq!(serde_json::to_value(&settings).unwrap().as_object().unwrap().len(), 3);
    }

    #[test]
    fn an_unknown_switch_is_refused() {
        assert!(serde_json::from_str::<ProfileSettings>(r#"{"loose_boolean": true}"#).is_err());
    }

    #[test]
    fn the_strict_preset_allows_nothing_and_the_standard_one_changes_no_rules_of_uniqueness() {
        let strict = Profile::of(Preset::Strict);
        assert!(!strict.capitalised_operations && !strict.ignore_unknown_attributes && !strict.missing_removals);
        let standard = Profile::default();
        assert!(standard.remove_by_value && !standard.unique_group_names && !standard.reactivate_inactive_match);
    }

    #[test]
    fn every_switch_is_documented() {
        assert!(
            Profile::SWITCHES
                .iter()
                .all(|(name, text)| !name.is_empty() && !text.starts_with(' ') && text.ends_with('.'))
        );
    }
}
