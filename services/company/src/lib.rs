//! A believable company, generated: teams at three sites with office hours, builds, sessions, mistakes, people
//! who come and go, and an intruder.
//!
//! [`Company`] is an iterator of events in the order of time, a day at a time, so memory grows with the number
//! of people and not with the number of days. Equal [`Options`] give equal events, byte for byte. Histories
//! are valid: people act only while they have access, sessions close once after they opened, builds of a
//! workspace count from 1.

mod build;
mod day;
mod founding;
mod intruder;
mod names;
mod people;
mod workday;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use chancery_domain::{Event, Timestamp};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use day::Day;
use people::{Person, Template};

/// What company to generate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// People at the beginning.
    pub users: usize,
    /// Days to generate.
    pub days: u32,
    /// Midnight UTC of the first day.
    pub start: Timestamp,
    /// Equal seeds give equal companies.
    pub seed: u64,
}

/// The iterator of a company's events.
#[derive(Debug)]
pub struct Company {
    options: Options,
    random: ChaCha8Rng,
    people: Vec<Person>,
    templates: Vec<Template>,
    day: u32,
    ready: VecDeque<Event>,
}

impl Company {
    /// A company from its first day on.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            random: ChaCha8Rng::seed_from_u64(options.seed),
            people: Vec::new(),
            templates: Vec::new(),
            day: 0,
            ready: VecDeque::new(),
        }
    }

    /// Generates the next day.
    fn advance(&mut self) {
        let mut day = Day::new(self.options.start, self.day);
        if self.day == 0 {
            founding::found(&mut day, &mut self.random, self.options.users, &mut self.people, &mut self.templates);
        } else {
            founding::come_and_go(&mut day, &mut self.random, &mut self.people);
        }
        // The intruder comes at night, when five sixths of the time are over.
        if self.options.days >= 6 && self.day == self.options.days * 5 / 6 {
            intruder::strike(&mut day, &mut self.random, &mut self.people, &self.templates);
        }
        for index in 0..self.people.len() {
            workday::work(&mut day, &mut self.random, &mut self.people, index, &self.templates);
        }
        self.ready = day.finish(&mut self.random);
        self.day += 1;
    }
}

impl Iterator for Company {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() {
            if self.day >= self.options.days {
                return None;
            }
            self.advance();
        }
        self.ready.pop_front()
    }
}
