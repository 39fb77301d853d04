//! Moving in from other servers and back to them: what a Maildir holds before
//! anything is changed, and the files that another server wants to find.

pub mod courier;
pub mod keywords;
pub mod survey;

pub use keywords::Carriers;
pub use survey::{LETTERS, Origin, Survey, Surveyed};
