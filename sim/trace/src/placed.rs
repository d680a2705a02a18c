//! Where an image is while it is checked: written into memory if it is small, else served copy on write.

use std::io;
use std::path::{Path, PathBuf};

use crate::guard::Guard;
use crate::image_folder::{remove_folder, write_image};
use crate::made::CrashImage;

/// From this size on an image is served: to write a mebibyte takes about as long as to mount one.
#[cfg(target_os = "linux")]
const SERVED_FROM: u64 = 4 << 20;

/// An image as a directory.
pub(crate) enum Placed {
    /// Written out.
    Folder(PathBuf),
    /// Served.
    #[cfg(target_os = "linux")]
    Served(Box<crate::record::ServedImage>),
}

impl Placed {
    /// Puts an image where a program can look at it: into `folder`, if it is written out.
    pub(crate) fn new(
        image: &CrashImage,
        folder: PathBuf,
        guard: Option<&Guard>,
    ) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if image.image.bytes() >= SERVED_FROM {
            let served = crate::record::ServedImage::mount(&image.image, &image.modes, None, guard);
            // Where nothing can be mounted it takes longer.
            if let Ok(served) = served {
                return Ok(Placed::Served(Box::new(served)));
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = guard;
        write_image(&image.image, &image.modes, &folder).map_err(|error| {
            let text = format!(
                "an image cannot be written to {}: {error}",
                folder.display()
            );
            io::Error::new(error.kind(), text)
        })?;
        Ok(Placed::Folder(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Placed::Folder(folder) => folder,
            #[cfg(target_os = "linux")]
            Placed::Served(served) => served.path(),
        }
    }

    pub(crate) fn remove(self) -> io::Result<()> {
        match self {
            Placed::Folder(folder) => remove_folder(&folder),
            #[cfg(target_os = "linux")]
            Placed::Served(served) => served.finish(),
        }
    }
}
