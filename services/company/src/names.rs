//! Names of people and things.

/// First names.
pub(crate) const FIRST: [&str; 48] = [
    "ada", "alan", "amara", "anika", "bruno", "carla", "chen", "dana", "diego", "edsger", "elena", "emeka", "farah",
    "felix", "grace", "hana", "hiro", "ines", "ivan", "jana", "jonas", "kofi", "lara", "leila", "liam", "lin", "mara",
    "marek", "mei", "mira", "nadia", "nils", "noor", "omar", "otto", "paula", "priya", "ravi", "rosa", "sami", "selma",
    "tariq", "theo", "uma", "vera", "wei", "yara", "zoe",
];

/// Last names.
pub(crate) const LAST: [&str; 44] = [
    "abara", "adler", "ahmed", "almeida", "bauer", "berg", "braun", "chandra", "cohen", "costa", "diaz", "dubois",
    "eriksen", "fischer", "garcia", "haas", "hansen", "hopper", "ito", "jansen", "kaya", "keller", "khan", "kim",
    "kowalski", "larsen", "lopez", "marino", "mbeki", "meyer", "mori", "nair", "novak", "okafor", "park", "patel",
    "petrov", "rossi", "sato", "silva", "tanaka", "turing", "weber", "yilmaz",
];

/// Teams, with the daily credits of each member.
pub(crate) const TEAMS: [(&str, u32); 8] = [
    ("platform", 40),
    ("compiler", 60),
    ("payments", 30),
    ("search", 45),
    ("mobile", 25),
    ("data", 80),
    ("security", 30),
    ("design", 15),
];

/// Daily credits that everyone gets beside those of the team.
pub(crate) const EVERYONE: u32 = 5;

/// Templates, with the daily cost of a workspace.
pub(crate) const TEMPLATES: [(&str, u32); 6] =
    [("kubernetes-small", 5), ("kubernetes-large", 20), ("docker", 3), ("gpu", 60), ("windows-vm", 25), ("jupyter", 8)];

/// Words for workspace names.
pub(crate) const WORDS: [&str; 16] = [
    "amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper", "kelp", "lagoon",
    "maple", "nimbus", "onyx", "pepper",
];
