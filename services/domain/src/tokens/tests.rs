//! Given, when, then.

use super::*;
use crate::decision::tests::{context, told};

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

/// A token of Ada's that expires at 100.
fn token(scopes: &[Scope]) -> Token {
    Token {
        id: "t".into(),
        name: "ci".into(),
        secret_sha256: String::new(),
        scopes: scopes.iter().copied().collect(),
        created_at: Timestamp::EPOCH,
        expires_at: Some(at(100)),
        revoked_at: None,
        kind: TokenKind::Api,
        owner: Some(owner(OwnerKind::User)),
        last_used_at: None,
        replaced_by: None,
    }
}

fn owner(kind: OwnerKind) -> TokenOwner {
    TokenOwner { id: "u".into(), kind, name: Some("ada".into()) }
}

fn create(kind: TokenKind, owner: Option<TokenOwner>, scopes: &[Scope]) -> CreateToken {
    CreateToken {
        id: "n".into(),
        name: "ci".into(),
        secret_sha256: "00".into(),
        scopes: scopes.iter().copied().collect(),
        expires_at: None,
        kind,
        owner,
    }
}

#[test]
fn scopes_expiry_and_revocation_decide() {
    assert_eq!(token(&[Scope::Read]).authorize(Scope::Read, at(99)), Ok(()));
    assert_eq!(token(&[Scope::Admin]).authorize(Scope::Ingest, at(1)), Ok(()));
    assert_eq!(token(&[Scope::Admin]).authorize(Scope::Scim, at(1)), Err(TokenRefusal::Scope));
    assert_eq!(token(&[Scope::Read]).authorize(Scope::Admin, at(1)), Err(TokenRefusal::Scope));
    assert_eq!(token(&[Scope::Read]).authorize(Scope::Read, at(100)), Err(TokenRefusal::Expired));
    let revoked = Token { revoked_at: Some(at(5)), ..token(&[Scope::Admin]) };
    assert_eq!(revoked.authorize(Scope::Read, at(6)), Err(TokenRefusal::Revoked));
}

#[test]
fn kind_owner_and_scopes_of_a_new_token_fit() {
    let (user, connection) = (Some(owner(OwnerKind::User)), Some(owner(OwnerKind::Connection)));
    let table = [
        (TokenKind::Api, None, vec![Scope::Read], None),
        (TokenKind::Api, user.clone(), vec![Scope::Admin], None),
        (TokenKind::Session, user.clone(), vec![Scope::Read], None),
        (TokenKind::Scim, connection.clone(), vec![Scope::Scim], None),
        (TokenKind::Api, None, vec![], Some(TokenRefusal::NoScope)),
        (TokenKind::Api, None, vec![Scope::Scim], Some(TokenRefusal::Kind)),
        (TokenKind::Session, None, vec![Scope::Read], Some(TokenRefusal::Kind)),
        (TokenKind::Scim, user, vec![Scope::Scim], Some(TokenRefusal::Kind)),
        (TokenKind::Scim, connection, vec![Scope::Scim, Scope::Read], Some(TokenRefusal::Kind)),
    ];
    for (kind, owner, scopes, refusal) in table {
        let decided = create(kind, owner.clone(), &scopes).decide(context(1));
        assert_eq!(decided.err(), refusal.map(Refusal::Token), "{kind:?} {owner:?} {scopes:?}");
    }
    let nameless = CreateToken { name: "\n".into(), ..create(TokenKind::Api, None, &[Scope::Read]) };
    assert_eq!(nameless.decide(context(1)), Err(TokenRefusal::Name.into()));
    let late = CreateToken { expires_at: Some(at(1)), ..create(TokenKind::Api, None, &[Scope::Read]) };
    assert_eq!(late.decide(context(1)), Err(TokenRefusal::ExpiryInThePast.into()));
}

#[test]
fn a_rotated_token_works_until_the_overlap_ends_and_never_longer_than_before() {
    let rotate = |overlap| RotateToken { id: "n".into(), secret_sha256: "11".into(), expires_at: None, overlap };
    let events = rotate(20).decide(&token(&[Scope::Read]), context(50)).unwrap();
    assert_eq!(told(&events), ["token.created n", "token.rotated t <- token.created"]);
    assert_eq!((&events[0].data["replaces"], &events[0].data["owner"]["id"]), (&"t".into(), &"u".into()));
    assert_eq!(events[0].resource.owner.as_deref(), Some("ada"));
    assert_eq!(events[1].data["expires_at"], at(70).to_string());
    let events = rotate(90).decide(&token(&[Scope::Read]), context(50)).unwrap();
    assert_eq!(events[1].data["expires_at"], at(100).to_string());

    let rotated = Token { replaced_by: Some("x".into()), ..token(&[Scope::Read]) };
    assert_eq!(rotate(1).decide(&rotated, context(50)), Err(TokenRefusal::Rotated.into()));
    assert_eq!(rotate(1).decide(&token(&[Scope::Read]), context(100)), Err(TokenRefusal::Expired.into()));
}

#[test]
fn a_token_is_revoked_once_and_its_use_recorded_now_and_then() {
    let token = token(&[Scope::Read]);
    assert_eq!(told(&token.revoke(context(1)).unwrap()), ["token.revoked t"]);
    let revoked = Token { revoked_at: Some(at(5)), ..token.clone() };
    assert_eq!(revoked.revoke(context(6)), Err(TokenRefusal::Revoked.into()));

    assert_eq!(told(&token.used(context(1))), ["token.used t"]);
    let used = Token { last_used_at: Some(at(1)), ..token };
    assert!(used.used(context(USE_RECORDED_EVERY)).is_empty());
    assert_eq!(used.used(context(USE_RECORDED_EVERY + 1)).len(), 1);
}
