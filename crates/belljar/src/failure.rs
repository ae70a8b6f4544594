//! Why belljar itself fails: a wrong use, or a program that cannot be executed. Never a bug in the guest.

use std::fmt;

/// A message for the user and an exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened, who is concerned, and what would help.
    pub message: String,
    /// The exit status of the command.
    pub status: u8,
}

impl Failure {
    /// Exit status: a wrong use of belljar, or belljar's own error.
    pub const OWN: u8 = 125;
    /// Exit status: the program was found and cannot be executed.
    pub const CANNOT_EXECUTE: u8 = 126;
    /// Exit status: the program was not found.
    pub const NOT_FOUND: u8 = 127;

    /// A wrong use of belljar, or an error of the host's.
    pub fn own(message: &str) -> Failure {
        Failure { message: message.to_string(), status: Failure::OWN }
    }

    /// The program was found and cannot be executed.
    pub fn cannot_execute(message: &str) -> Failure {
        Failure { message: message.to_string(), status: Failure::CANNOT_EXECUTE }
    }

    /// The program was not found.
    pub fn not_found(message: &str) -> Failure {
        Failure { message: message.to_string(), status: Failure::NOT_FOUND }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "belljar: {}", self.message)
    }
}

impl std::error::Error for Failure {}
