//! Who there is and what they have.

use std::net::IpAddr;

use chancery_domain::{Actor, ActorKind, Resource};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::names::{FIRST, LAST, TEAMS};

/// Name of the one organization.
pub(crate) const ORGANIZATION: &str = "engineering";

/// Sites: name, minutes east of UTC.
const SITES: [(&str, i64); 3] = [("berlin", 60), ("boston", -300), ("bangalore", 330)];

/// A person.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) team: usize,
    /// Minutes east of UTC.
    pub(crate) offset: i64,
    pub(crate) address: IpAddr,
    pub(crate) active: bool,
    /// No access before this microsecond of the current day; for those hired or reactivated today.
    pub(crate) works_today: bool,
    pub(crate) workspace: Option<Workspace>,
}

/// A person's workspace.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) template: usize,
    pub(crate) builds: u32,
    /// It runs, because its last build started it.
    pub(crate) running: bool,
}

/// A template.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) cost: u32,
    pub(crate) version: String,
}

/// A random UUID in text form (version 4 shape), drawn from the seed.
pub(crate) fn uuid(random: &mut ChaCha8Rng) -> String {
    let mut bytes: [u8; 16] = random.random();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    uuid::Uuid::from_bytes(bytes).to_string()
}

impl Person {
    /// The `number`th person.
    pub(crate) fn new(random: &mut ChaCha8Rng, number: usize) -> Self {
        let first = FIRST[number % FIRST.len()];
        let last = LAST[(number / FIRST.len() + number) % LAST.len()];
        let round = number / (FIRST.len() * LAST.len());
        let name = if round == 0 { format!("{first}.{last}") } else { format!("{first}.{last}{round}") };
        let site = random.random_range(0..SITES.len());
        let address =
            [10, 20 + u8::try_from(site).unwrap_or(0), random.random_range(0..250), random.random_range(2..250)];
        Self {
            id: uuid(random),
            name,
            team: random.random_range(0..TEAMS.len()),
            offset: SITES[site].1,
            address: IpAddr::from(address),
            active: true,
            works_today: true,
            workspace: None,
        }
    }

    /// This person as an actor.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            email: Some(format!("{}@example.com", self.name)),
            groups: vec!["everyone".to_owned(), TEAMS[self.team].0.to_owned()],
            id: self.id.clone(),
            ip: Some(self.address),
            kind: ActorKind::User,
            name: Some(self.name.clone()),
            roles: vec!["member".to_owned()],
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
            ..Actor::default()
        }
    }

    /// This person as a resource.
    pub(crate) fn resource(&self) -> Resource {
        Resource::new("user", &self.id).named(&self.name)
    }
}

impl Workspace {
    /// This workspace as a resource of its owner.
    pub(crate) fn resource(&self, owner: &str) -> Resource {
        Resource::new("workspace", &self.id).named(&self.name).owned_by(owner)
    }
}

/// The administrator who does what nobody else may.
pub(crate) fn administrator() -> Actor {
    Actor {
        email: Some("root.admin@example.com".to_owned()),
        id: "00000000-0000-4000-8000-000000000001".to_owned(),
        ip: Some(IpAddr::from([10, 20, 0, 2])),
        name: Some("root.admin".to_owned()),
        roles: vec!["owner".to_owned()],
        ..Actor::default()
    }
}

/// A runner.
pub(crate) fn runner(number: usize) -> Actor {
    Actor {
        id: format!("runner-{number}"),
        kind: ActorKind::Runner,
        name: Some(format!("runner-{number}")),
        ..Actor::default()
    }
}
