//! An in-memory disk that loses, tears and refuses, as data says.

mod choice;
mod content;
mod disk;
mod file_space;
mod image;
mod images;
mod inode;
mod mixing;
mod names;
pub mod notation;
mod page;
mod profile;
mod space;

pub use choice::{
    About, Choice, Decision, DeviceExtra, DevicePoint, Fill, NameOutcome, Tear, TearPoint,
};
pub use disk::{Change, Disk};
pub use image::Image;
pub use images::{Candidate, Images};
pub use inode::InodeId;
pub use page::{PAGE_SIZE, SECTOR_SIZE};
pub use profile::{Profile, UnknownProfile};
pub use space::ImageSpace;
