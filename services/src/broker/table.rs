//! Peers by identity: an entry has a number that stays the same, and is found by its identity's bytes.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use slab::Slab;

/// What has an identity.
pub trait Identified {
    /// The identity, bytes.
    fn id(&self) -> &[u8];
}

/// Entries by number and by identity. The hash is keyed at random: peers choose their identities.
#[derive(Debug)]
pub struct Table<T> {
    entries: Slab<T>,
    index: HashTable<usize>,
    hasher: RandomState,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { entries: Slab::new(), index: HashTable::new(), hasher: RandomState::new() }
    }
}

impl<T: Identified> Table<T> {
    /// The number of the entry with this identity.
    pub fn find(&self, id: &[u8]) -> Option<usize> {
        self.index.find(self.hasher.hash_one(id), |&key| self.entries[key].id() == id).copied()
    }

    /// Adds an entry whose identity is not there yet.
    pub fn insert(&mut self, entry: T) -> usize {
        let hash = self.hasher.hash_one(entry.id());
        let key = self.entries.insert(entry);
        self.index.insert_unique(hash, key, |&other| self.hasher.hash_one(self.entries[other].id()));
        key
    }

    /// Takes an entry out.
    pub fn remove(&mut self, key: usize) -> T {
        let hash = self.hasher.hash_one(self.entries[key].id());
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == key) {
            entry.remove();
        }
        self.entries.remove(key)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, entry)| entry)
    }
}

impl<T> Index<usize> for Table<T> {
    type Output = T;

    fn index(&self, key: usize) -> &T {
        &self.entries[key]
    }
}

impl<T> IndexMut<usize> for Table<T> {
    fn index_mut(&mut self, key: usize) -> &mut T {
        &mut self.entries[key]
    }
}
