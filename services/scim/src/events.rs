//! Event URIs of the SCIM profile for security event tokens (RFC 9967).

/// What happened to a resource, as an event URI tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScimEvent {
    /// The resource came into the feed of a receiver.
    FeedAdd,
    /// The resource left the feed of a receiver.
    FeedRemove,
    /// The resource was made. The event carries its data.
    CreateFull,
    /// The resource was made. The event names its attributes.
    CreateNotice,
    /// The resource changed in part. The event carries the change.
    PatchFull,
    /// The resource changed in part. The event names the attributes.
    PatchNotice,
    /// The resource was replaced. The event carries its data.
    PutFull,
    /// The resource was replaced. The event names its attributes.
    PutNotice,
    /// The resource is gone.
    Delete,
    /// The resource may be used again.
    Activate,
    /// The resource may not be used.
    Deactivate,
    /// An asynchronous request is answered.
    AsyncResponse,
}

impl ScimEvent {
    /// All events.
    pub const ALL: [Self; 12] = [
        Self::FeedAdd,
        Self::FeedRemove,
        Self::CreateFull,
        Self::CreateNotice,
        Self::PatchFull,
        Self::PatchNotice,
        Self::PutFull,
        Self::PutNotice,
        Self::Delete,
        Self::Activate,
        Self::Deactivate,
        Self::AsyncResponse,
    ];

    /// The event URI.
    pub fn uri(self) -> &'static str {
        match self {
            Self::FeedAdd => "urn:ietf:params:scim:event:feed:add",
            Self::FeedRemove => "urn:ietf:params:scim:event:feed:remove",
            Self::CreateFull => "urn:ietf:params:scim:event:prov:create:full",
            Self::CreateNotice => "urn:ietf:params:scim:event:prov:create:notice",
            Self::PatchFull => "urn:ietf:params:scim:event:prov:patch:full",
            Self::PatchNotice => "urn:ietf:params:scim:event:prov:patch:notice",
            Self::PutFull => "urn:ietf:params:scim:event:prov:put:full",
            Self::PutNotice => "urn:ietf:params:scim:event:prov:put:notice",
            Self::Delete => "urn:ietf:params:scim:event:prov:delete",
            Self::Activate => "urn:ietf:params:scim:event:prov:activate",
            Self::Deactivate => "urn:ietf:params:scim:event:prov:deactivate",
            Self::AsyncResponse => "urn:ietf:params:scim:event:misc:asyncresp",
        }
    }

    /// The event of a URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.uri() == uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_found_by_its_uri() {
        for event in ScimEvent::ALL {
            assert_eq!(ScimEvent::from_uri(event.uri()), Some(event));
        }
        assert_eq!(ScimEvent::from_uri("urn:ietf:params:scim:event:prov:create"), None);
    }
}
